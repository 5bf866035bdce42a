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


def apart_s(sent_at: float, stamped_at: float, known_at: float) -> float:
    """Return how far a clock is ahead of the broker's for certain, in seconds; negative: behind.

    By this clock the record was sent and its acknowledgement known; ``stamped_at`` is by the broker's.
    """
    return max(0.0, sent_at - stamped_at) - max(0.0, stamped_at - known_at)


class Skew:
    """Of a process; ``seconds`` it is ahead, ``nan`` where no broker says its time."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._is_wrong = self._is_learned = False
        self.seconds = math.nan

    def learn(self, seconds: float) -> None:
        """Learn it of a checkpoint; say so when the clock has become wrong, or right."""
        self.seconds, self._is_learned = seconds, True
        is_wrong = abs(seconds) > WRONG_S
        if is_wrong and not self._is_wrong:
            LOG.error(
                "clock wrong",
                seconds=round(seconds),
                meaning="so far is this machine's clock ahead of (negative: behind) the Kafka broker's",
                mend="set it right (NTP) where this process runs, or on the broker: see docs/operations.md",
            )
        if self._is_wrong and not is_wrong:
            LOG.info("clock right again")
        self._is_wrong = is_wrong

    def now(self) -> float:
        """Return the time in epoch seconds; the broker's, where this machine's clock is wrong."""
        return self._clock() - (self.seconds if self._is_wrong else 0.0)

    def known(self) -> float | None:
        """Return the time, and ``None`` before it is known which it is."""
        return self.now() if self._is_learned else None
