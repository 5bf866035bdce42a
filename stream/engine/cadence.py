"""Core. When the next checkpoint of a partition is due: after a pause, or when much waits for it.

A checkpoint writes each state that changed, whole. So what an event costs of it is a state's bytes over how many
events that state saw since the last one; a crash folds those again.
"""

from __future__ import annotations

DUTY = 0.2
"""The share of a process's time that checkpoints may be under way: those of a large state come less often."""
LONGEST_S = 60.0
"""The longest pause between two checkpoints of a partition: a crash folds no more than this again."""
RECORDS_A_STATE = 40
"""Records for each state of a partition that end the pause."""
FEWEST, MOST = 20_000, 100_000
"""Records that end it at least and at most: what waits is memory, and a stall when it is written."""

MOST_BYTES = 16 << 20
"""So do outputs of so many bytes: a dead letter may have 2 MiB, and a transaction has a minute."""
FULL = 2
"""Folding stops at so many times the most: no checkpoint can be written, and what waits would take all memory."""
IDLE_S = 86_400.0
"""After so long without a checkpoint one is written of nothing new: the broker forgets who has written nothing for
a week (``transactional.id.expiration.ms``), and refuses what comes then."""


class Cadence:
    """The checkpoints of one partition; instants are monotonic seconds."""

    __slots__ = ("_bytes", "_idle_since", "_states", "_waiting", "due_at")

    def __init__(self) -> None:
        self.due_at = 0.0
        self._waiting = self._bytes = self._states = 0
        self._idle_since: float | None = None

    def folded(self, records: int, waiting_bytes: int) -> None:
        """Count records that the next checkpoint will include; the bytes are of all outputs that wait for it."""
        self._waiting += records
        self._bytes = waiting_bytes

    def is_due(self, now: float) -> bool:
        """Return whether the pause is over, by the clock or by what waits."""
        most = min(max(FEWEST, RECORDS_A_STATE * self._states), MOST)
        return now >= self.due_at or self._waiting >= most or self._bytes >= MOST_BYTES

    def is_full(self) -> bool:
        """Return whether so much waits that nothing more is to be folded before the next checkpoint."""
        return self._waiting >= FULL * MOST or self._bytes >= FULL * MOST_BYTES

    def is_idle(self, now: float) -> bool:
        """Return whether no checkpoint has begun for so long that one is to be written anyhow.

        Time counts from the first look after the last one.
        """
        if self._idle_since is None:
            self._idle_since = now
        return now - self._idle_since > IDLE_S

    def begun(self) -> None:
        """Count anew: what was folded until now is in the checkpoint that begins."""
        self._waiting, self._bytes, self._idle_since = 0, 0, None

    def written(self, now: float, took_s: float, states: int, partitions: int, interval_s: float) -> None:
        """Begin a pause after a checkpoint of so many states that took so long, one of so many partitions'.

        ``interval_s`` is the shortest pause.
        """
        self._states = max(self._states, states)
        self.due_at = now + max(interval_s, min(LONGEST_S, took_s * partitions / DUTY))
