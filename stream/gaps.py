"""Core. How long a model has been quiet at most, and from when on a silence is more than that.

A gap is measured in events that would have come in it, so a night is as short as a minute of the day. The longest
gap of a day is a block maximum: Gumbel (1958, "Statistics of Extremes"). Its distribution is fitted by moments to
the newest days, and the limit is what a day exceeds with the probability that was asked for. A deviation from so
few days is uncertain; ``SHY`` was found by simulation so that the mean chance, over all such samples, is kept.
"""

from __future__ import annotations

from math import inf, log, log1p, pi, sqrt

from msgspec import Struct

SHORTEST_S = 900.0
"""A silence shorter than this is nobody's business."""
DAYS, FEWEST = 14, 7
SHY = 6.5
"""With ``d`` days the deviation is taken ``1 + SHY / d`` times."""
ALIKE = 0.1
"""The least deviation, of the mean: no seven days are so alike."""
NONE = -(2**62)
"""No day, or no hour."""
EULER = 0.5772156649015329


class Gaps(Struct, array_like=True, gc=False):
    """The longest gap (events) of each of the newest ``DAYS`` days that had any; 0: none beyond ``SHORTEST_S``."""

    day: int = NONE
    longest: float = 0.0
    days: list[float] = []

    def turn(self, day: int) -> None:
        """Begin the day of this number, if it is another."""
        if day == self.day:
            return
        if self.day != NONE:
            self.days = [*self.days[1 - DAYS :], self.longest]
        self.day, self.longest = day, 0.0

    def note(self, missed: float) -> None:
        """Take a gap that is over; an outage teaches no more than the limit that it exceeded."""
        self.longest = max(self.longest, missed)

    def limit(self, odds: float, events_a_day: float) -> float:
        """Return the gap (events) that a usual day exceeds with probability ``odds`` (within 0..1).

        It is infinite before ``FEWEST`` days are known, and never below what independent events would give:
        ``log(n / odds)`` for ``n`` gaps a day.
        """
        known = len(self.days)
        if known < FEWEST:
            return inf
        mean = sum(self.days) / known
        spread = sqrt(sum((one - mean) ** 2 for one in self.days) / (known - 1))
        scale = sqrt(6.0) / pi * (1.0 + SHY / known) * max(spread, ALIKE * mean)
        reach = -log(-log1p(-odds)) - EULER
        return max(mean + scale * reach, *self.days, log(max(events_a_day, 1.0) / odds))
