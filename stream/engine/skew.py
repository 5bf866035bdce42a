"""Shell. How far this machine's clock is from Kafka's, as the broker stamps what a checkpoint writes.

A topic whose ``message.timestamp.type`` is ``LogAppendTime`` bears the broker's time, which each acknowledgement
tells. Of any other topic nothing is known, and the machine's clock has to do.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable

import structlog

LOG = structlog.get_logger()
WRONG_S = 30.0
"""Clocks that are less apart are right: brokers differ among each other, too."""
RIGHT_AFTER_S = 60.0
"""Of several brokers one may be wrong: partitions that others lead must not say in turn that all is right."""


def apart_s(sent_at: float, stamped_at: float, known_at: float) -> float:
    """Return how far a clock is ahead of the broker's for certain, in seconds; negative: behind.

    By this clock the record was sent and its acknowledgement known; ``stamped_at`` is by the broker's.
    """
    return max(0.0, sent_at - stamped_at) - max(0.0, stamped_at - known_at)


class Skew:
    """Of a process; ``seconds`` it is ahead, ``nan`` where no broker says its time.

    ``shown`` is the same, or what was wrong within the newest minute. ``steady`` is a clock that nobody sets.
    """

    def __init__(
        self, clock: Callable[[], float] = time.time, steady: Callable[[], float] = time.monotonic
    ) -> None:
        self._clock, self._steady = clock, steady
        self.seconds = self.shown = math.nan
        self._wrong_at: float | None = None
        self._lead_s: float | None = None
        """How far the clock was ahead of the steady one when a checkpoint told of it."""

    def learn(self, seconds: float) -> None:
        """Learn it of a checkpoint; say so when the clock has become wrong, or right."""
        self.seconds, self._lead_s, at = seconds, self._ahead_s(), self._steady()
        if abs(seconds) > WRONG_S:
            if self._wrong_at is None:
                _tell(seconds)
            self._wrong_at, self.shown = at, seconds
        elif self._wrong_at is None or at - self._wrong_at > RIGHT_AFTER_S:
            if self._wrong_at is not None:
                LOG.info("clock right again")
            self._wrong_at, self.shown = None, seconds

    def now(self) -> float:
        """Return the time in epoch seconds; the broker's, where this machine's clock is wrong."""
        return self._clock() - (self.seconds if abs(self.seconds) > WRONG_S else 0.0)

    def known(self) -> float | None:
        """Return the time; ``None`` until a checkpoint has told which it is, and again once the clock was set."""
        if self._lead_s is None or abs(self._ahead_s() - self._lead_s) > WRONG_S:
            return None
        return self.now()

    def _ahead_s(self) -> float:
        return self._clock() - self._steady()


def _tell(seconds: float) -> None:
    LOG.error(
        "clock wrong",
        seconds=round(seconds),
        meaning="so far is this machine's clock ahead of (negative: behind) the Kafka broker's",
        mend="set it right (NTP) where this process runs, or on the broker: see docs/operations.md",
    )
