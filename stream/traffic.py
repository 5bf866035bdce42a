"""Core. How many predictions of a model come at which hour of the week, and whether it has fallen silent.

The rate of an hour is a running mean over weeks; before that hour of the week was seen, the mean of that hour of
the days. When both are known the lesser counts, so a day that is unlike others is no silence.
"""

from __future__ import annotations

from array import array
from functools import cache
from math import inf, isnan, nan

from msgspec import Struct, field

from stream.events import Finding
from stream.gaps import NONE, SHORTEST_S, Gaps

HOUR_S, DAY_H, WEEK_H = 3_600.0, 24, 168
DAY_S = 86_400.0
NEWEST = 1 / 3
"""Weight of the newest week in the mean of its hours."""
KEPT = 0.8
"""What an hour keeps of the hours before it in the level of today."""
HEARD = 0.5
"""Of a gap's time the partition must have been heard, for the hours in it to count as empty."""
EDGE = 0.5
"""Of an hour's mean, what an hour beside it has less than where traffic begins or ends sharply."""
LONGEST_H = 3 * WEEK_H
"""Hours of a gap that are reckoned; what is longer is long enough."""


class Hours:
    """The mean number of events by hour of the week, in one flat array; nan: that hour was not seen yet."""

    __slots__ = ("cells",)

    def __init__(self, cells: bytes = b"") -> None:
        self.cells = array("f", cells or array("f", [nan] * WEEK_H).tobytes())

    def learn(self, hour: int, count: float) -> None:
        """Take the count of one whole hour; hours are numbered from the epoch."""
        cells, place = self.cells, hour % WEEK_H
        usual = cells[place]
        cells[place] = count if isnan(usual) else usual + NEWEST * (count - usual)

    def rate(self, hour: int) -> float:
        """Return how many events are usual in an hour; 0 when nothing is known of it."""
        return self._rate(hour, self._daily(hour % DAY_H))

    def _rate(self, hour: int, daily: float) -> float:
        own = self.cells[hour % WEEK_H]
        if isnan(daily):
            return 0.0
        return daily if isnan(own) else min(own, daily)

    def _daily(self, hour: int) -> float:
        """Return the mean of this hour (0 to 23) of the days; nan when none of them was seen."""
        days = [one for one in self.cells[hour::DAY_H] if not isnan(one)]
        return sum(days) / len(days) if days else nan

    def expected(self, since: float, until: float) -> float:
        """Return how many events are usual between two instants; 0 when the second is not later.

        When summer time begins or ends an hour has what was usual beside it, if that is less than half.
        """
        hour, total, daily = int(since // HOUR_S), 0.0, cache(self._daily)
        for one in range(hour, min(int(until // HOUR_S), hour + LONGEST_H) + 1):
            usual = daily(one % DAY_H)
            beside = min(daily((one - 1) % DAY_H), daily((one + 1) % DAY_H), key=_known)
            rate = self._rate(one, usual)
            if beside < EDGE * usual:
                rate = min(rate, beside)
            share = min(until, (one + 1) * HOUR_S) - max(since, one * HOUR_S)
            total += rate * max(share, 0.0) / HOUR_S
        return total

    def a_day(self) -> float:
        """Return the mean number of events of a day, by the hours known; 0 before any is."""
        known = [one for one in self.cells if not isnan(one)]
        return DAY_H * sum(known) / len(known) if known else 0.0

    def highest(self) -> float:
        """Return the most events of an hour; 0 before any is known."""
        return max((one for one in self.cells if not isnan(one)), default=0.0)


class Traffic(Struct, array_like=True, gc=False):
    """When predictions of one model came. Instants are those of the partition's clock (``stream.clock``)."""

    seen_at: float = nan
    """When the newest prediction came; nan before the first."""
    lost_s: float = 0.0
    """What the clock had lost by then."""
    hour: int = NONE
    until: float = -inf
    """The running hour's number and end."""
    count: int = 0
    hours: Hours = field(default_factory=Hours)
    gaps: Gaps = field(default_factory=Gaps)
    limit: float = inf
    """In predictions, when it was reckoned last."""
    came: float = 0.0
    usual: float = 0.0
    """Predictions of about the last five hours, and those that were usual in them: today's level."""
    episode: int = 0
    finding: Finding | None = None

    def seen(self, now: float, lost_s: float) -> None:
        """Take one prediction that came when the clock stood at ``now``."""
        if now - self.seen_at > SHORTEST_S:
            self.gaps.turn(int(now // DAY_S))
            self.gaps.note(min(self.missed(now, lost_s), self.limit))
        if now >= self.until:
            self._turn(now, lost_s)
        self.seen_at, self.lost_s = now, lost_s
        self.count += 1

    def _turn(self, now: float, lost_s: float) -> None:
        """Begin an hour. The first one is not whole, and of an outage nothing is learned."""
        hour = int(now // HOUR_S)
        if self.hour != NONE:
            self._learn(self.hour, self.count)
            is_usual = self.finding is None and heard(self.seen_at, now, lost_s - self.lost_s) >= HEARD
            if is_usual and hour - self.hour <= WEEK_H:
                for empty in range(self.hour + 1, hour):
                    self._learn(empty, 0.0)
        is_first = self.until == -inf
        self.hour, self.until, self.count = NONE if is_first else hour, (hour + 1) * HOUR_S, 0
        self.gaps.turn(int(now // DAY_S))

    def _learn(self, hour: int, count: float) -> None:
        self.came = KEPT * self.came + count
        self.usual = KEPT * self.usual + self.hours.rate(hour)
        self.hours.learn(hour, count)

    def missed(self, now: float, lost_s: float) -> float:
        """Return how many predictions would have come since the newest one, in the time that was heard.

        On a day slower than usual (a holiday) that is so much less; a busy one proves nothing sooner.
        """
        level = min((self.came + 1.0) / (self.usual + 1.0), 1.0)
        return self.hours.expected(self.seen_at, now) * heard(self.seen_at, now, lost_s - self.lost_s) * level

    def is_silent(self, now: float, lost_s: float, odds: float) -> bool:
        """Return whether nothing came for longer than usual; ``odds`` are those of a false "yes" a day."""
        if not now - self.seen_at >= SHORTEST_S:
            return False
        self.limit = self.gaps.limit(odds, self.hours.a_day())
        return self.missed(now, lost_s) >= self.limit

    def next_at(self, now: float, lost_s: float) -> float:
        """Return before when it can't be silent, if it is not now."""
        highest = self.hours.highest() / HOUR_S
        short = self.limit - self.missed(now, lost_s) if now - self.seen_at >= SHORTEST_S else 0.0
        return now + (short / highest if short < inf and highest > 0.0 else 0.0)


def _known(mean: float) -> float:
    return inf if isnan(mean) else mean


def heard(since: float, until: float, lost_s: float) -> float:
    """Return in which share of the time between two instants the partition was heard; 1 for no time."""
    return 1.0 - lost_s / (until - since) if until > since else 1.0
