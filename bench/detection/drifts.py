"""Core. False tickets and found drifts: windows of counts through the worker's own evidence of drift.

Shares of an input differ from window to window by chance (multinomial), and, with a ``spread``, each bin's by a
log-normal factor of that standard deviation besides. A drift turns the shares by log-normal factors, as long as
the wanted population stability index needs.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq

from stream.drift import DAY_S, Drift
from stream.reference import REFERENCE
from stream.version import Judgement

BINS = 12
INPUTS = 10
"""Of a version, for the limit."""
LEARNED = 8
"""Windows before a drift begins."""
LONGEST = 8.0
"""Standard deviations of a drift's logarithmic factors; the index is far above all that is wanted there."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How much is simulated."""

    inputs: int
    windows: int


WHOLE, SHORT = Size(inputs=2_000, windows=100), Size(inputs=100, windows=60)


class Row(NamedTuple):
    """One line of the table; ``psi`` 0 is no drift."""

    spread: float
    values: int
    """Of a window."""
    psi: float
    ratio: float
    """False tickets beside the nominal number, or the mean windows until a drift's ticket."""
    found: float
    """Share of the inputs that drifted for which there was a ticket; nan without drift."""

    @property
    def key(self) -> str:
        """What it is called in the report."""
        return f"{self.spread:g}_{self.values}" + (f"_{self.psi:g}" if self.psi else "")

    def __str__(self) -> str:
        head = f"  spread {self.spread:<4} {self.values:>6} values a window"
        if not self.psi:
            return f"{head}: false tickets / nominal {self.ratio:.3f}"
        return f"{head}, index {self.psi}: {self.found:.3f} found, after {self.ratio:.2f} windows in the mean"


def rows(size: Size, seed: int) -> Iterator[Row]:
    """Yield the false tickets, then how drifts are found."""
    for spread in (0.0, 0.1, 0.3):
        for values in (500, 5_000, 50_000):
            yield _false(size, seed, spread, values)
    for spread in (0.0, 0.1):
        for values in (500, 5_000):
            for psi in (0.2, 0.5):
                yield _found(size, seed, spread, values, psi)


def _false(size: Size, seed: int, spread: float, values: int) -> Row:
    rng, limit = np.random.default_rng([seed, values]), Judgement().drift_limit(INPUTS)
    looked = opened = 0
    for _ in range(size.inputs):
        one = _Input(rng, spread, values)
        for _ in range(size.windows):
            looked += one.drift.is_learned
            if one.takes(one.shares, limit):
                opened += 1
                one.drift.evidence = 0.0
    return Row(spread, values, 0.0, opened / (looked / limit), float("nan"))


def _found(size: Size, seed: int, spread: float, values: int, psi: float) -> Row:
    rng, limit = np.random.default_rng([seed, values]), Judgement().drift_limit(INPUTS)
    taken = []
    inputs = size.inputs // 10
    for _ in range(inputs):
        one = _Input(rng, spread, values)
        for _ in range(LEARNED):
            one.takes(one.shares, limit)
        turned = _turned(rng, one.shares, psi)
        windows = (number for number in range(1, size.windows) if one.takes(turned, limit))
        taken.append(next(windows, 0))
    hits = [number for number in taken if number]
    return Row(spread, values, psi, float(np.mean(hits)) if hits else float("nan"), len(hits) / inputs)


class _Input:
    """One input and its windows."""

    def __init__(self, rng: np.random.Generator, spread: float, values: int) -> None:
        self.rng, self.spread, self.values = rng, spread, values
        self.shares: Floats = rng.dirichlet(np.ones(BINS))
        self.reference = array("I", rng.multinomial(REFERENCE, self.shares).tolist())
        self.drift = Drift()
        self.drift.is_whole(0.0)

    def takes(self, shares: Floats, limit: float) -> bool:
        """Take a day's window with these shares; return whether it opens a ticket."""
        today = shares * np.exp(self.rng.normal(0.0, self.spread, BINS))
        window = array("I", self.rng.multinomial(self.values, today / today.sum()).tolist())
        at = self.drift.began_at + DAY_S
        return self.drift.take(self.reference, window, at, limit) == "drifted"


def _turned(rng: np.random.Generator, shares: Floats, psi: float) -> Floats:
    """Return shares whose index against ``shares`` is ``psi``: factors of one direction, longer or shorter."""
    direction = rng.normal(0.0, 1.0, BINS)

    def turned(length: float) -> Floats:
        moved = shares * np.exp(length * direction)
        return np.asarray(moved / moved.sum())

    def beyond(length: float) -> float:
        moved = turned(length)
        return float(np.sum((moved - shares) * np.log(moved / shares))) - psi

    return turned(float(brentq(beyond, 0.0, LONGEST)))
