"""Core. Whether time may pass and things may leave: the findings are ours, and all that was written is folded."""

from __future__ import annotations


class Standing:
    """Of one book. A new one is ours with its first commit: whoever had the findings before is fenced by then."""

    def __init__(self) -> None:
        self._is_ours = self._is_caught_up = False
        self._is_proof = True

    @property
    def is_good(self) -> bool:
        """Whether both are so."""
        return self._is_ours and self._is_caught_up

    def doubt(self) -> None:
        """Learn that another pager may have the findings by now, and that the log may have more of them."""
        self._is_ours = self._is_caught_up = self._is_proof = False

    def frozen(self) -> None:
        """Learn that a checkpoint begins: Kafka takes it only while the findings are ours."""
        self._is_proof = True

    def committed(self) -> None:
        """Learn that a checkpoint is durable; one that began before the doubt proves nothing."""
        self._is_ours = self._is_proof

    def caught_up(self) -> None:
        """Learn that what the log had is folded."""
        self._is_caught_up = True
