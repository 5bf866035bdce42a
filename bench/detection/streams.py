"""Core. Many seeded streams at once through the same recurrence as ``stream.judge.edetector``, on numpy.

``tests/laws/test_harm_laws.py`` holds both to the same evidence and the same alarms.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

from stream.judge.level import Level, bound_of
from stream.judge.mixture import limit_for, mixture, rounded

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


class Lanes:
    """One detector a lane, each with its own bound and inflation (arrays of equal length)."""

    def __init__(self, bounds: Floats, inflations: Floats, arl: float) -> None:
        found = [mixture(float(b), float(v)) for b, v in zip(bounds, inflations, strict=True)]
        cells = np.array([one.components for one in found])
        self.up, self.down, self.weight, self.rest = (cells[:, :, at] for at in range(4))
        self.limit = np.array([limit_for(arl, one) for one in found])
        self.parts: Floats = self.rest.copy()

    def step(self, lost: Flags) -> Flags:
        """Take one loss a lane; return which lanes' evidence is at the limit."""
        self.parts = (self.parts + self.weight) * np.where(lost[:, None], self.up, self.down)
        hit: Flags = lost & (self.parts.sum(axis=1) >= self.limit)
        return hit

    def keep(self, which: Flags) -> None:
        """Go on with these lanes only."""
        for name in ("up", "down", "weight", "rest", "limit", "parts"):
            setattr(self, name, getattr(self, name)[which])

    def renew(self, which: Flags) -> None:
        """Begin these lanes anew."""
        self.parts[which] = self.rest[which]


def delays(lanes: Lanes, rate: float, rng: np.random.Generator, most: int = 200_000) -> Floats:
    """Return each lane's losses to the alarm, all being 1 with ``rate`` from the first on; nan past ``most``."""
    found = np.full(len(lanes.limit), np.nan)
    alive = np.arange(len(found))
    for passed in range(1, most + 1):
        hit = lanes.step(rng.random(len(alive)) < rate)
        if hit.any():
            found[alive[hit]] = passed
            alive = alive[~hit]
            lanes.keep(~hit)
            if not len(alive):
                break
    return found


def chained(rate: float, follow: float, lanes: int, rng: np.random.Generator) -> Callable[[], Flags]:
    """Return a draw of one loss a lane, each lane a two-state chain with this rate and lag-1 autocorrelation."""
    now = rng.random(lanes) < rate

    def draw() -> Flags:
        nonlocal now
        fresh = rng.random(lanes) < rate
        now = np.where(rng.random(lanes) < follow, now, fresh)
        return now

    return draw


def wandering(noise: Floats, memory: float) -> Floats:
    """Return numbers with the variance of this independent noise, which forget geometrically."""
    return np.asarray(lfilter([(1.0 - memory**2) ** 0.5], [1.0, -memory], noise))


def learned(draw: Callable[[], Flags], lanes: int, losses: int, tolerance: float) -> tuple[Floats, Floats]:
    """Return bounds and inflations of references made of ``losses`` losses a lane, by ``stream.judge.level``."""
    levels = [Level() for _ in range(lanes)]
    for _ in range(losses):
        for level, lost in zip(levels, draw().tolist(), strict=True):
            level.add(lost)
    seen = [(one.losses, one.lost, one.inflation) for one in levels]
    found = np.array([rounded(bound_of(*one, tolerance), one[2]) for one in seen])
    return found[:, 0], found[:, 1]
