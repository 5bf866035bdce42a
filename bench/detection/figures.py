"""Core. The figures: delays over the exact limit, false alarms over what was asked for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from bench.detection.limit import least_delay
from bench.detection.rare import alarms_per_loss
from bench.detection.streams import Floats, Lanes, chained, delays, learned
from stream.judge.level import bound_of
from stream.judge.mixture import rounded

SHIFTS = ((0.05, 0.07), (0.10, 0.15), (0.10, 0.20), (0.20, 0.40))
RATES = (0.01, 0.02, 0.05, 0.10, 0.20)
FOLLOWS = (0.1, 0.3, 0.5)
ARLS = (1e6, 1e8)
REFERENCE = 5_000
MOST = 200_000
TOLERANCE = 0.08
"""What the monitor adds to a reference by default: two fifths of ``minimum_increase``."""


class Ratio(NamedTuple):
    """One figure and its standard error."""

    key: str
    value: float
    error: float

    def __str__(self) -> str:
        return f"{self.key:>14}  {self.value:6.3f} ± {self.error:.3f}"


class Size(NamedTuple):
    """How many lanes: in all, of dependent losses, and of references learned loss by loss; and of which losses."""

    lanes: int
    dependent: int
    learned: int
    rates: tuple[float, ...] = RATES
    follows: tuple[float, ...] = FOLLOWS


WHOLE = Size(20_000, 4_000, 1_500)
SHORT = Size(1_000, 300, 60, (RATES[0], RATES[-1]), (FOLLOWS[0], FOLLOWS[-1]))


def _over(key: str, samples: Floats, by: float) -> Ratio:
    return Ratio(key, float(samples.mean()) / by, float(samples.std()) / by / len(samples) ** 0.5)


def delay_known(size: Size, seed: int) -> Iterator[Ratio]:
    """Yield mean delays over the limit, the bound being the true rate; from the worst place to begin."""
    for before, after in SHIFTS:
        for arl in ARLS:
            rng = np.random.default_rng([seed, int(before * 100), int(arl)])
            lanes = Lanes(np.full(size.lanes, before), np.ones(size.lanes), arl)
            found = delays(lanes, after, rng)
            yield _over(_named(before, after, arl), found, least_delay(arl, before, after))


def delay_learned(size: Size, seed: int) -> Iterator[Ratio]:
    """Yield the same for bounds learned from ``REFERENCE`` labels each; the limit still knows the true rate."""
    for before, after in SHIFTS:
        rng = np.random.default_rng([seed, int(before * 100), 1])
        bounds, inflations = learned(
            chained(before, 0.0, size.learned, rng), size.learned, REFERENCE, TOLERANCE
        )
        for arl in ARLS:
            # a bound of bad luck may lie above the harm: what is never found counts as the longest wait
            found = np.nan_to_num(delays(Lanes(bounds, inflations, arl), after, rng, MOST), nan=MOST)
            yield _over(_named(before, after, arl), found, least_delay(arl, before, after))


def false_independent(size: Size, seed: int) -> Iterator[Ratio]:
    """Yield false alarms over the nominal rate for a true bound, losses being independent."""
    for rate in size.rates:
        for arl in ARLS:
            rng = np.random.default_rng([seed, int(rate * 100), 2])
            lanes = Lanes(np.full(size.lanes, rate), np.ones(size.lanes), arl)
            yield _false(f"{rate:.0%}", lanes, rate, 0.0, rng, arl)


def false_dependent(size: Size, seed: int) -> Iterator[Ratio]:
    """Yield the same for losses that follow each other, the true bound and inflation being known."""
    for rate in size.rates:
        for follow in size.follows:
            for arl in ARLS:
                rng = np.random.default_rng([seed, int(rate * 100), int(follow * 10), 3])
                inflation = np.full(size.dependent, (1 + follow) / (1 - follow))
                lanes = Lanes(np.full(size.dependent, rate), inflation, arl)
                yield _false(f"{rate:.0%}:rho={follow}", lanes, rate, follow, rng, arl)


def false_learned(size: Size, seed: int) -> Iterator[Ratio]:
    """Yield the mean over references of ``REFERENCE`` labels of the same stream, bound and inflation learned.

    Rare references of bad luck make it uneven.
    """
    for follow in (0.0, *size.follows):
        for rate in (0.05, 0.10, 0.20):
            rng = np.random.default_rng([seed, int(rate * 100), int(follow * 10), 4])
            draw = chained(rate, follow, size.learned, rng)
            bounds, inflations = learned(draw, size.learned, REFERENCE, TOLERANCE)
            for arl in ARLS:
                lanes = Lanes(bounds, inflations, arl)
                yield _false(f"{rate:.0%}:rho={follow}:learned", lanes, rate, follow, rng, arl)


def false_references(size: Size, seed: int) -> Iterator[Ratio]:
    """Yield the same for independent losses, so many references that those of bad luck are among them."""
    for rate in (0.05, 0.10, 0.20):
        for arl in ARLS:
            rng = np.random.default_rng([seed, int(rate * 100), 6])
            lost = rng.binomial(REFERENCE, rate, size.lanes).tolist()
            bounds = np.array([rounded(bound_of(REFERENCE, one, 1.0, TOLERANCE), 1.0)[0] for one in lost])
            lanes = Lanes(bounds, np.ones(size.lanes), arl)
            yield _false(f"{rate:.0%}:ref5000", lanes, rate, 0.0, rng, arl)


def _false(
    name: str, lanes: Lanes, rate: float, follow: float, rng: np.random.Generator, arl: float
) -> Ratio:
    return _over(f"{name}@{_short(arl)}", alarms_per_loss(lanes, rate, follow, rng), 1 / arl)


def _named(before: float, after: float, arl: float) -> str:
    return f"{round(before * 100)}_{round(after * 100)}@{_short(arl)}"


def _short(arl: float) -> str:
    return f"{arl:.0e}".replace("+0", "")
