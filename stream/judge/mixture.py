"""Core. The effect sizes that evidence is mixed over, as constants for one bound on the loss rate.

A component bets that the odds of a loss rose ``ODDS`` times above the bound ``b``. Its likelihood ratio for one
loss ``x`` within 0..1 is ``1 + (q - b) / (b (1 - b)) (x - b)``, which for a Bernoulli loss is ``q / b`` or ``(1
- q) / (1 - b)``; its mean is at most 1 whatever the distribution, as long as the mean loss is at most ``b``.
Dependence is paid for by taking the ratio to the power ``1 / inflation``, the variance of a mean of dependent
losses relative to that of independent ones.
"""

from __future__ import annotations

from functools import lru_cache
from math import ceil, exp, log
from typing import NamedTuple

ODDS = (1.45, 2.0, 2.8)
WEIGHTS = (0.38, 0.24, 0.38)
STEPS = 4_000
"""Bounds live on a grid of log odds with so many steps a unit: series share constants, 0.03 % above their own."""
COARSE = 200
"""The same for learned bounds, whose own uncertainty is far greater."""
LEAST, MOST = 0.001, 0.99
"""The range of bounds that the constants were tried for."""


class Component(NamedTuple):
    """One effect size. ``rest`` is where a long stretch without loss leads its evidence, weight included."""

    up: float
    down: float
    weight: float
    rest: float
    bet: float


class Mixture(NamedTuple):
    """The constants of one bound: components, and the log ratios of the smallest effect for the onset."""

    bound: float
    inflation: float
    components: tuple[Component, ...]
    climb: float
    fall: float


def mixture(bound: float, inflation: float = 1.0) -> Mixture:
    """Return the constants for a bound on the mean loss, rounded up to the grid, and an inflation of at least 1.

    Raises:
        ValueError: the bound is not within 0..1, or the inflation below 1.
    """
    if not 0.0 < bound < 1.0:
        raise ValueError(f"bound {bound}: want a mean loss above 0 and below 1")
    if not 1.0 <= inflation < float("inf"):
        raise ValueError(f"inflation {inflation}: want at least 1")
    bound = min(max(bound, LEAST), MOST)
    return _mixture(ceil(log(bound / (1.0 - bound)) * STEPS - 1e-6), ceil(inflation * 100 - 1e-6))


def rounded(bound: float, inflation: float) -> tuple[float, float]:
    """Return a learned bound and inflation, rounded up by at most 0.5 % and 2 %: many series share constants."""
    odds = ceil(log(bound / (1.0 - bound)) * COARSE - 1e-6) / COARSE
    return 1.0 / (1.0 + exp(-odds)), 1.02 ** ceil(log(inflation) / log(1.02) - 1e-6)


@lru_cache(maxsize=4_096)
def _mixture(step: int, hundredths: int) -> Mixture:
    odds, inflation = exp(step / STEPS), hundredths / 100
    bound, found = odds / (1.0 + odds), []
    for factor, weight in zip(ODDS, WEIGHTS, strict=True):
        rate = odds * factor / (1.0 + odds * factor)
        up, down = (rate / bound) ** (1 / inflation), ((1 - rate) / (1 - bound)) ** (1 / inflation)
        bet = (rate - bound) / (bound * (1 - bound))
        found.append(Component(up, down, weight, weight * down / (1.0 - down), bet))
    return Mixture(bound, inflation, tuple(found), log(found[0].up), log(found[0].down))


def limit_for(arl: float, constants: Mixture) -> float:
    """Return the evidence at which a mean of ``arl`` losses (>= 1) lies between two false alarms.

    Evidence minus the number of losses is a martingale, so the mean run length is the mean evidence at the
    alarm, which is above the limit by what the last loss overshot. For independent losses that excess is known
    (Pollak 1987: the limit is the run length times the mean of limit / evidence at the alarm); the line below
    lies on or above that mean for every bound from 0.01 to 0.2, and further in its direction up to 0.9, measured
    by ``bench.detection``. Otherwise nothing is taken off.
    """
    excess = 0.8 + 0.19 * constants.bound if constants.inflation == 1.0 else 1.0
    return arl * excess
