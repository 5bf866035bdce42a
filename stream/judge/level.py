"""Core. The reference of a series: how often it lost while all was well, and how far that can be trusted.

The bound that harm is measured against is the upper end of Wilson's interval (1927) for the loss rate, with the
number of losses divided by their inflation: the variance of a mean of dependent losses relative to independent
ones. The inflation is the greatest of three looks: ``(1 + r) / (1 - r)`` from the lag-1 autocorrelation ``r``,
exact for a chain that forgets geometrically, and the variances of sums over 32 and 256 neighbours, which see
longer memory. Those are taken at the lower end of their own uncertainty, so that independent losses are not made
to look dependent; once that end is ``CLEAR``, they are, and what is seen counts as it is.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from math import sqrt
from operator import mul
from statistics import median

from msgspec import Struct

SURE = 2.0
"""Standard errors between the loss rate seen and the bound."""
TIED = 0.5
"""Of the share that is wanted above a quantile, what lies above it at least, unless losses are tied."""
SHORT, LONG = 32, 256
"""Neighbours that are summed."""
CLEAR = 1.5
"""The lower end of an inflation that says that losses are dependent."""
FEWEST = 250
"""Losses that make a first reference; it is made anew at each doubling, and frozen at ``MOST``."""
MOST = 5_000


class Level(Struct, array_like=True, gc=False):
    """Sums over the first losses, each 0 or 1; only a 1 costs more than counting. ``losses`` 0: nothing known."""

    losses: int = 0
    lost: int = 0
    pairs: int = 0
    """Losses of 1 that followed a 1."""
    newest: int = -1
    """Which loss was the newest 1, from 1 on."""
    blocks: tuple[int, ...] = ()
    """Until schema 6, like the next two: the numbers below, each of the short and the long block."""
    sums: tuple[int, ...] = ()
    squares: tuple[int, ...] = ()
    short: int = 0
    """Which short block the newest 1 was in; then its sum, and the squares of those before it."""
    short_sum: int = 0
    short_squares: int = 0
    long: int = 0
    long_sum: int = 0
    long_squares: int = 0

    def __post_init__(self) -> None:
        """Take over what an older schema wrote."""
        if self.blocks:
            self.short, self.long = self.blocks
            self.short_sum, self.long_sum = self.sums
            self.short_squares, self.long_squares = self.squares
            self.blocks = self.sums = self.squares = ()

    def add(self, lost: bool) -> None:
        """Take one loss, in order of arrival."""
        self.losses += 1
        if lost:
            self.lose()

    def lose(self) -> None:
        """Say that the newest of ``losses`` is 1."""
        place = self.losses
        self.lost += 1
        self.pairs += self.newest == place - 1
        self.newest = place
        short, long = (place - 1) // SHORT, (place - 1) // LONG
        if short == self.short:
            self.short_sum += 1
        else:
            self.short_squares += self.short_sum**2
            self.short, self.short_sum = short, 1
        if long == self.long:
            self.long_sum += 1
        else:
            self.long_squares += self.long_sum**2
            self.long, self.long_sum = long, 1

    def _blocks(self) -> Iterator[tuple[int, int, int]]:
        """Yield each block length, and of all whole blocks of it the sum and the squares of the sums."""
        for block, newest, within, squares in (
            (SHORT, self.short, self.short_sum, self.short_squares),
            (LONG, self.long, self.long_sum, self.long_squares),
        ):
            is_whole = newest < self.losses // block
            yield block, self.lost if is_whole else self.lost - within, squares + is_whole * within**2

    @property
    def rate(self) -> float:
        """Share lost; nan without losses."""
        return self.lost / self.losses if self.losses else float("nan")

    @property
    def inflation(self) -> float:
        """How many times wider than for independent losses the variance of a mean is; at least 1."""
        rate = self.rate
        spread = rate * (1.0 - rate)
        if not spread > 0.0:
            return 1.0
        follow = (self.pairs / self.losses - rate * rate) / spread
        looks = [1.0, (1.0 + follow) / (1.0 - follow) if follow < 0.99 else 199.0]
        for block, lost, squares in self._blocks():
            blocks, usual = self.losses // block, block * rate
            if blocks > 2:  # the losses after the last whole block are in the rate, but in no sum
                seen = (squares - 2.0 * usual * lost + blocks * usual**2) / (blocks * block * spread)
                unsure = 1.0 + SURE * sqrt(2.0 / blocks)
                looks.append(seen if seen > CLEAR * unsure else seen / unsure)
        return max(looks)


def bound_of(losses: int, lost: int, inflation: float, tolerance: float) -> float:
    """Return the loss rate that harm must be above: Wilson's upper end, or ``1 + tolerance`` times the rate.

    nan without losses. ``tolerance`` (>= 0) is the relative rise that is nobody's business.
    """
    if not losses:
        return float("nan")
    rate = lost / losses
    return min(max(upper(rate, losses / inflation), rate * (1.0 + tolerance)), 0.99)


def upper(rate: float, losses: float) -> float:
    """Return the upper end of Wilson's interval for a rate seen in ``losses`` (> 0) independent losses."""
    share = SURE * SURE / losses
    centre = rate + share / 2.0
    return (centre + SURE * sqrt(rate * (1.0 - rate) / losses + share / losses / 4.0)) / (1.0 + share)


def cut_of(losses: Sequence[float], quantile: float) -> float:
    """Return above what a loss is large: this quantile (0..1) of some losses.

    Where ties leave less than half of the share above it, and the next smaller loss has a share that is nearer,
    it is that one: whole-numbered errors of up to 2 would never be large above 2.
    """
    ordered = sorted(losses)
    cut, wanted = ordered[int(quantile * len(ordered))], (1.0 - quantile) * len(ordered)
    first, above = bisect_left(ordered, cut), len(ordered) - bisect_right(ordered, cut)
    is_tied = above < TIED * wanted and len(ordered) - first - wanted < wanted - above
    return ordered[first - 1] if is_tied and first else cut


def memory(losses: Sequence[float]) -> float:
    """Return the inflation (>= 1) that a regression's first losses show by which of them lie above their median.

    These are half of them, so their lag-1 autocorrelation is known long before enough are lost; it is taken at the
    lower end of its uncertainty. 1 for losses that are all the same, or none.
    """
    middle = median(losses) if losses else 0.0
    above = [float(loss > middle) for loss in losses]
    share = sum(above) / max(len(above), 1)
    if not share:
        return 1.0
    together = sum(map(mul, above, above[1:])) / len(above)
    follow = (together - share * share) / (share * (1.0 - share)) - SURE / sqrt(len(above))
    return (1.0 + follow) / (1.0 - follow) if follow > 0.0 else 1.0
