"""Core. The effect sizes that evidence is mixed over, as constants for one bound on the loss rate.

A component bets that the odds of a loss rose ``ODDS`` times above the bound ``b``. Its likelihood ratio for one
loss ``x`` within 0..1 is ``1 + (q - b) / (b (1 - b)) (x - b)``, which for a Bernoulli loss is ``q / b`` or ``(1
- q) / (1 - b)``; its mean is at most 1 whatever the distribution, as long as the mean loss is at most ``b``.
Dependence is paid for by taking the ratio to a power of at most 1, so that its products over the losses of a chain
neither grow nor shrink in the mean: see ``exponent``.
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
HALVINGS = 40
"""Of the range in which an exponent lies: to a part in 1e12."""
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
    components: tuple[Component, Component, Component]
    powers: tuple[float, ...]
    climb: float
    fall: float
    rests: tuple[float, float, float]
    """Where evidence begins."""


@lru_cache(maxsize=16_384)
def mixture(bound: float, inflation: float) -> Mixture:
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
    bound, found, powers = odds / (1.0 + odds), [], []
    for factor, weight in zip(ODDS, WEIGHTS, strict=True):
        rate = odds * factor / (1.0 + odds * factor)
        up, down = rate / bound, (1 - rate) / (1 - bound)
        power = exponent(bound, inflation, up, down)
        powers.append(power)
        up, down = up**power, down**power
        bet = (rate - bound) / (bound * (1 - bound))
        found.append(Component(up, down, weight, weight * down / (1.0 - down), bet))
    one, two, three = found
    climb, fall, rests = log(one.up), log(one.down), (one.rest, two.rest, three.rest)
    return Mixture(bound, inflation, (one, two, three), tuple(powers), climb, fall, rests)


def exponent(rate: float, inflation: float, up: float, down: float) -> float:
    """Return the power (0..1) at which a likelihood ratio's products over a chain of losses keep their mean.

    The chain has the loss rate and the inflation, thus the lag-1 autocorrelation ``r = (V - 1) / (V + 1)``. With
    the columns of its matrix multiplied by ``down`` and ``up`` to the power, its greatest eigenvalue is 1 (as in
    Dembo and Zeitouni 1998, 3.1), so that evidence is a martingale up to the eigenvector, which is greatest after
    a loss, where alarms are: the mean run length is at least the limit. For a small effect it is ``1 / V``, for a
    large one of a rare loss less.
    """
    if inflation == 1.0:
        return 1.0
    follow = (inflation - 1.0) / (inflation + 1.0)
    stay_well, stay_lost = 1.0 - rate * (1.0 - follow), rate + follow * (1.0 - rate)
    least, most = 0.0, 1.0
    for _ in range(HALVINGS):
        power = (least + most) / 2.0
        ups, downs = up**power, down**power
        if 1.0 - stay_well * downs - stay_lost * ups + follow * ups * downs > 0.0:
            least = power
        else:
            most = power
    return least


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
