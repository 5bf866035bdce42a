"""Core. Pauses of all predictions: the labels of one, and those after it, are biased samples.

In a pause slow labels come alone, and after it they are missing. Where a click is known at once and no click after
a day, only clicks come of the first day after it. When as much time has passed as slow labels take, all come again
in their shares. All that matters only where quick labels are worse than slow ones, or better.
"""

from __future__ import annotations

from math import inf, sqrt
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

RISE, SIGMAS = 0.2, 4.0
"""Of the whole share, by how much more of the quick labels are lost; and standard errors of the difference."""
MANY = 65_536
"""Labels beyond which the past counts half."""
MISSED = 20.0
"""A pause is one in which as many predictions would have come, at their mean rate,"""
PART = 0.02
"""and lasts for this share of the mean delay: slow labels that are missing for less are few."""
SPREADS = 3.0
"""Standard deviations above their mean until slow labels have come nearly all."""
STRAYS = 3
"""Of the newest labels, that took longer than any was expected to: so slow ones have just begun to come."""
MATURE, WIDE = 2.0, 6.0
"""Mean label delays, and their standard deviations, from a first prediction on before labels are judged."""
USUAL, OFTEN = 0.5, 2.0
"""A pause is usual that follows one at least so long, as a share of it, within so many times what labels take."""


def settled_s(mean_s: float, spread_s: float) -> float:
    """Return for how long labels with such delays have to come until they are a fair sample, seconds."""
    return MATURE * mean_s + WIDE * spread_s


class Pauses(Struct, array_like=True, gc=False):
    """What is known of pauses of one version, and of its labels that took less and more than the mean delay."""

    quick: int = 0
    quick_lost: int = 0
    slow: int = 0
    slow_lost: int = 0
    slow_total_s: float = 0.0
    """Of the delays of slow labels, then of their squares."""
    slow_squares: float = 0.0
    shortest_s: float = inf
    """Event time between two predictions that is a pause; infinite where none matters."""
    slow_from_s: float = 0.0
    """How long slow labels take, from the quickest to nearly the slowest of them."""
    slow_until_s: float = 0.0
    length_s: float = 0.0
    """Of the newest pause, and when it ended."""
    resumed_at: float = -inf
    biased_from: float = inf
    """Event time of outcomes from which on slow ones are missing, and from which on they are a fair sample."""
    fair_from: float = -inf
    patience_s: float = inf
    """How long after the newest prediction labels are a fair sample at most: finite where slow ones are worse."""
    beyond_s: float = inf
    """Above any delay that those so far let expect; and how many of the newest labels took longer still."""
    strays: int = 0

    def heir(self) -> Pauses:
        """Return what the next version knows of labels."""
        return replace(self, length_s=0.0, resumed_at=-inf, biased_from=inf, fair_from=-inf, strays=0)

    def settles_s(self) -> float:
        """Return for how long labels of the next version are a biased sample; 0 where all are alike."""
        return 0.0 if self._worse() is None else self.slow_until_s

    def take(self, delay_s: float, mean_s: float, is_lost: bool) -> None:
        """Count a label of a fair sample; ``mean_s`` is the mean delay."""
        if delay_s < mean_s:
            self.quick += 1
            self.quick_lost += is_lost
            return
        self.slow += 1
        self.slow_lost += is_lost
        self.slow_total_s += delay_s
        self.slow_squares += delay_s * delay_s

    def stray(self) -> bool:
        """Count a label that took longer than any was expected to; return whether it is one of many."""
        self.strays += 1
        return self.strays >= STRAYS

    def reckon(self, mean_s: float, spread_s: float, apart_s: float) -> None:
        """Set what a pause is, by the delays of all labels and the mean time between two predictions."""
        self.slow_from_s = mean_s
        if self.slow:
            slow_s = self.slow_total_s / self.slow
            slow_spread_s = sqrt(max(self.slow_squares / self.slow - slow_s * slow_s, 0.0))
            self.slow_until_s = slow_s + SPREADS * slow_spread_s
        self.beyond_s, self.strays = settled_s(mean_s, spread_s), self.strays // 2
        worse, missed_s = self._worse(), MISSED * apart_s
        self.shortest_s = max(missed_s, PART * mean_s) if worse == "quick" else inf
        self.patience_s = missed_s if worse == "slow" else inf
        if self.quick + self.slow > MANY:
            self.quick, self.quick_lost = self.quick // 2, self.quick_lost // 2
            self.slow, self.slow_lost = self.slow // 2, self.slow_lost // 2
            self.slow_total_s, self.slow_squares = self.slow_total_s / 2, self.slow_squares / 2

    def _worse(self) -> Literal["quick", "slow"] | None:
        """Return of which labels more are lost, by the test of two proportions, pooled; ``None``: as many."""
        if not (self.quick and self.slow):
            return None
        share = (self.quick_lost + self.slow_lost) / (self.quick + self.slow)
        error = sqrt(share * (1.0 - share) * (1.0 / self.quick + 1.0 / self.slow))
        more = self.quick_lost / self.quick - self.slow_lost / self.slow
        if abs(more) <= max(RISE * share, SIGMAS * error):
            return None
        return "quick" if more > 0.0 else "slow"

    def resume(self, paused_s: float, at: float) -> None:
        """Take the prediction that ends a pause; usual ones, as each night's, are in what is learned."""
        is_soon = at - self.resumed_at <= OFTEN * self.slow_until_s
        if not (is_soon and self.length_s >= USUAL * paused_s):
            biased_from = max(at, at - paused_s + self.slow_from_s)
            self.biased_from = min(biased_from, self.biased_from) if at < self.fair_from else biased_from
            self.fair_from = max(at + self.slow_until_s, self.fair_from)
        self.length_s, self.resumed_at = paused_s, at

    def is_biased(self, outcome_at: float) -> bool:
        """Return whether slow labels are missing in what comes at this event time of outcomes."""
        return self.biased_from <= outcome_at < self.fair_from
