"""Core. Whether a process keeps up with its input, or folds all the time and falls behind all the same."""

from __future__ import annotations

from collections import deque
from enum import StrEnum
from typing import NamedTuple

WINDOW_S = 60.0
"""Lag must have grown over this long: a burst, a restore or a rebalance is caught up with sooner."""
NEAR_S = 10.0
"""Lag that is folded within this long is none."""


class Verdict(StrEnum):
    """What is to be said of the pace; the word in the log and in the health answer."""

    KEEPS_UP = "keeps_up"
    FALLS_BEHIND = "falls_behind"


class Sight(NamedTuple):
    """One look: when (seconds, monotonic), records waiting, and records folded since the beginning."""

    at: float
    waiting: int
    folded: int


class Pace:
    """Judges from looks a few seconds apart; ``verdict`` is the present one, ``rate`` records folded a second."""

    def __init__(self) -> None:
        self._seen: deque[Sight] = deque()
        self.verdict = Verdict.KEEPS_UP
        self.rate = 0.0
        self.growth = 0.0

    def restart(self) -> None:
        """Forget all looks: other partitions wait for this process now."""
        self._seen.clear()
        self.verdict, self.rate, self.growth = Verdict.KEEPS_UP, 0.0, 0.0

    def look(self, sight: Sight) -> Verdict:
        """Take one more look and judge anew. Without a whole window of looks nothing changes."""
        seen = self._seen
        seen.append(sight)
        while len(seen) > 2 and sight.at - seen[1].at >= WINDOW_S:
            seen.popleft()
        first, span_s = seen[0], sight.at - seen[0].at
        if span_s < WINDOW_S:
            return self.verdict
        self.rate = (sight.folded - first.folded) / span_s
        self.growth = (sight.waiting - first.waiting) / span_s
        is_busy = all(later.folded > sooner.folded for sooner, later in zip(seen, [*seen][1:], strict=False))
        is_far = all(one.waiting > NEAR_S * self.rate for one in seen)
        if is_busy and is_far and self.growth > 0:
            self.verdict = Verdict.FALLS_BEHIND
        elif self.growth < 0 or not is_far:
            self.verdict = Verdict.KEEPS_UP
        return self.verdict


def advice(partitions: int) -> str:
    """Return what helps a process that falls behind with so many partitions."""
    if partitions > 1:
        return f"add workers: this one has {partitions} partitions, and each can have a worker of its own"
    return (
        "it has one partition, so more workers don't help: raise the partition count, see docs/operations.md"
    )
