"""Core. Whether harm that was told is over: what was lost since its likeliest end, and how long that has been.

Each loss is held against a ``level`` between what was before and the harm. Their CUSUM's last time at zero (Page
1954) is the likeliest end; what came since is the *good stretch*. It ends the harm when it is about as long as
the harm was, and when its losses speak for a mean below the level with ``PROVED`` nats, the inflation by
dependence taken off.

Its length keeps a harm that comes and goes from being told each time: the level of such a series varies on the
scale of the harm, and a shorter stretch is no more than one such turn. It also means about one look for each
doubling of time, so that a harm that stays is hardly ever called over by chance, however long it stays.
"""

from __future__ import annotations

from math import inf
from typing import NamedTuple

from msgspec import Struct

from stream.events import Task
from stream.onset import nats

PROVED = 4.5
"""Log-likelihood of the good stretch: three standard errors."""
LENGTH = 0.75
"""How long a good stretch must be, beside the harm: about as long, where either ended being an estimate."""
FEWEST = 100
"""Losses of a good stretch, at least."""
WIDEST = 10.0
"""A regression's loss counts as at most this many times the harm's mean: one broken value is no relapse."""
SHARE = 0.25
"""How much of the harm may stay when it counts as over."""


class Recovery(Struct, array_like=True, gc=False):
    """Losses from a harm's onset to its likeliest end (``ill``) and since then (``well``)."""

    level: float
    most: float
    ill: int
    well: int = 0
    gained: float = 0.0
    """By how much the good stretch's losses lie below ``level`` in sum."""
    ended: int = 0
    """Outcomes of the series when the harm was over; 0 before."""

    def take(self, loss: float) -> None:
        """Take one loss, in its own unit."""
        self.well += 1
        self._gain(self.level - min(loss, self.most))

    def revise(self, was: float, now: float) -> None:
        """Put a loss of the good stretch in the place of another: harm that it shows goes on until now."""
        self._gain(min(was, self.most) - min(now, self.most))

    def withdraw(self, loss: float) -> None:
        """Take a loss out of the good stretch."""
        self.well -= 1
        self._gain(min(loss, self.most) - self.level)

    def _gain(self, more: float) -> None:
        self.gained += more
        if self.gained <= 0.0:
            self.ill, self.well, self.gained = self.ill + self.well, 0, 0.0

    def is_over(self, task: Task, inflation: float) -> bool:
        """Return whether the good stretch proves that the harm is over."""
        if self.well < FEWEST or self.well < LENGTH * self.ill:
            return False
        mean = self.level - self.gained / self.well
        return self.well * nats(task, mean, self.level) >= PROVED * inflation

    def lasted(self, outcomes: int, onset: int) -> int:
        """Return how many losses a new harm has lasted that is ``onset`` losses old after so many ``outcomes``.

        When it began sooner after this one than this one had lasted, they are one trouble.
        """
        before = self.ill + self.well
        passed = outcomes - self.ended
        return before + passed if self.ended and passed - onset < before else onset


class Extent(NamedTuple):
    """The mean loss before a harm and since, the most that it may have been before, and the least since."""

    before: float
    after: float
    most_before: float
    least_after: float


def recovery(task: Task, extent: Extent, increase: float, ill: int) -> Recovery:
    """Return the recovery from a harm that is ``ill`` losses old.

    Over is within the relative rise that is nobody's business, within ``SHARE`` of the harm that is certain, or
    within what may have been before, whichever is most, but never beyond the middle of the harm.
    """
    before, after = extent.before, extent.after
    certain = max(extent.least_after - before, 0.0)
    level = max(before + max(increase * before, SHARE * certain), extent.most_before)
    middle = before + max((after - before) / 2.0, increase * before)
    return Recovery(min(level, middle), inf if task == "classification" else WIDEST * after, ill)
