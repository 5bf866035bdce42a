"""Core. False alarms too rare to wait for, by importance sampling: exact in the mean, for independent losses.

Under losses of rate ``p`` the chance of an alarm by time H is the sum over onsets v of E_v[1 / D at the alarm],
where E_v draws a component, lets its losses turn to rate ``q`` at v, and D is the Shiryaev-Roberts sum of the
likelihood ratios of those draws (Lai and Shan 1999: the same change of measure). So alarms per loss are the mean
of 1 / D over draws with an onset after a calm stretch, and each draw reaches its alarm. ``q`` is ``p up^t``,
with the ``t`` that makes ``p up^t + (1 - p) down^t`` one: the way in which a false alarm of that component most
likely comes about.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq

from bench.detection.streams import Floats, Lanes

CALM = 20
"""Mean gaps between losses that pass before a draw's onset: as long as evidence remembers."""
MOST = 400_000


@lru_cache(maxsize=100_000)
def tilted(rate: float, up: float, down: float) -> float:
    """Return the loss rate at which this component most likely alarms falsely; ``rate`` if it drifts up."""

    def excess(power: float) -> float:
        return float(rate * up**power + (1.0 - rate) * down**power - 1.0)

    if rate * np.log(up) + (1.0 - rate) * np.log(down) >= 0.0:
        return rate
    power = float(brentq(excess, 1e-6, _beyond(excess)))
    return rate * math.pow(up, power)


def _beyond(excess: Callable[[float], float]) -> float:
    power = 1.0
    while excess(power) <= 0.0:
        power *= 2.0
    return power


def alarms_per_loss(lanes: Lanes, rate: float, rng: np.random.Generator) -> Floats:
    """Return one unbiased sample a lane of the false alarms per loss in the long run; the mean is the figure."""
    count, components = lanes.up.shape
    pairs = zip(lanes.up.ravel().tolist(), lanes.down.ravel().tolist(), strict=True)
    tilt = np.array([tilted(rate, up, down) for up, down in pairs]).reshape(lanes.up.shape)
    drawn: NDArray[np.int64] = rng.integers(components, size=(count,), dtype=np.int64)
    weights = np.full(components, 1.0 / components)
    up, down = tilt / rate, (1.0 - tilt) / (1.0 - rate)
    sums, calm = np.zeros((count, components)), int(CALM / rate)
    found: Floats = np.zeros(count)
    alive = np.arange(count)
    for passed in range(calm + MOST):
        turned = tilt[alive, drawn[alive]] if passed >= calm else np.full(len(alive), rate)
        lost = rng.random(len(alive)) < turned
        hit = lanes.step(lost)
        sums = (sums + 1.0) * np.where(lost[:, None], up, down)
        if passed < calm:
            lanes.renew(hit)
            continue
        if hit.any():
            found[alive[hit]] = 1.0 / (sums[hit] @ weights)
            lanes.keep(~hit)
            alive, sums, up, down = alive[~hit], sums[~hit], up[~hit], down[~hit]
            if not len(alive):
                break
    return found
