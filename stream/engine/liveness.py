"""Core. Whether a process is alive: records wait, and some partition's are folded no more.

Each partition is judged by itself, so that a stuck one does not hide behind busy ones. A process that restores,
whose group rebalances, or that Kafka makes wait for a quota or does not answer at all, folds nothing by rights; it
begins anew afterwards.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

STALL_S = 60.0
"""Records of a partition waiting and none of it folded for this long means the process is not alive."""


class Lag(NamedTuple):
    """Of one partition: how many records wait, and a number that whatever its fold does raises."""

    waiting: int
    folded: int


class Liveness:
    """Judges from looks; time counts from the first look at which records waited."""

    def __init__(self) -> None:
        self._since: dict[int, tuple[int, float]] = {}

    def look(self, lags: Mapping[int, Lag], now: float, *, is_kept: bool) -> bool:
        """Return whether a partition's records wait in vain; ``now`` is in seconds, monotonic.

        ``is_kept``: the process restores, its group rebalances, Kafka makes it wait for a quota, or is away.
        """
        before, self._since = self._since, {}
        if is_kept:
            return False
        for number, lag in lags.items():
            if lag.waiting:
                folded, since = before.get(number, (lag.folded, now))
                self._since[number] = (lag.folded, since if folded == lag.folded else now)
        return any(now - since > STALL_S for _, since in self._since.values())
