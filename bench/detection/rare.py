"""Core. False alarms too rare to wait for, by importance sampling: exact in the mean, for chains of losses.

Losses are a two-state chain; independent ones are one without memory. Under it the chance of an alarm by time H is
the sum over onsets v of E_v[1 / D at the alarm], where E_v draws a component, lets the chain be tilted from v on,
and D is the Shiryaev-Roberts sum of the likelihood ratios of those draws (Lai and Shan 1999: the same change of
measure). So alarms per loss are the mean of 1 / D over draws with an onset after a calm stretch, and each draw
reaches its alarm. The tilt is the one under which a false alarm of that component most likely comes about: with
``m`` the chain's matrix whose columns are multiplied by ``down^t`` and ``up^t``, the ``t`` that makes its greatest
eigenvalue 1 (Dembo and Zeitouni 1998, 3.1).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from math import log, sqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq

from bench.detection.streams import Flags, Floats, Lanes

CALM = 20
"""Mean gaps between losses that pass before a draw's onset: as long as evidence remembers."""
MOST = 400_000


class Chain(NamedTuple):
    """Chances of a loss of 1 after a loss of 0 and after one of 1."""

    after_well: float
    after_lost: float


def chain(rate: float, follow: float) -> Chain:
    """Return the chain with this loss rate and lag-1 autocorrelation."""
    return Chain(rate * (1.0 - follow), rate + follow * (1.0 - rate))


@lru_cache(maxsize=100_000)
def tilted(plain: Chain, up: float, down: float) -> Chain:
    """Return the chain under which this component most likely alarms falsely; ``plain`` if it drifts up."""
    rate = plain.after_well / (1.0 + plain.after_well - plain.after_lost)
    if rate * log(up) + (1.0 - rate) * log(down) >= 0.0:
        return plain

    def excess(power: float) -> float:
        well, lost = (1.0 - plain.after_well) * down**power, plain.after_lost * up**power
        across = plain.after_well * up**power * (1.0 - plain.after_lost) * down**power
        return float(well + lost + sqrt((well - lost) ** 2 + 4.0 * across)) / 2.0 - 1.0

    power = float(brentq(excess, 1e-6, _beyond(excess)))
    return Chain(1.0 - (1.0 - plain.after_well) * down**power, plain.after_lost * up**power)


def _beyond(excess: Callable[[float], float]) -> float:
    power = 1.0
    while excess(power) <= 0.0:
        power *= 2.0
    return power


def alarms_per_loss(lanes: Lanes, rate: float, follow: float, rng: np.random.Generator) -> Floats:
    """Return one unbiased sample a lane of the false alarms per loss in the long run; the mean is the figure."""
    count, components = lanes.up.shape
    plain = chain(rate, follow)
    chances = np.array(plain)
    pairs = zip(lanes.up.ravel().tolist(), lanes.down.ravel().tolist(), strict=True)
    tilts = np.array([tilted(plain, up, down) for up, down in pairs]).reshape(count, components, 2)
    drawn: NDArray[np.int64] = rng.integers(components, size=(count,), dtype=np.int64)
    sums: Floats = np.zeros((count, components))
    calm = int(CALM / rate)
    now: NDArray[np.int64] = np.asarray(rng.random(count) < rate, dtype=np.int64)
    found: Floats = np.zeros(count)
    alive = np.arange(count)
    for passed in range(calm + MOST):
        before, each = chances[now], np.arange(len(alive))
        after = tilts[each, :, now]
        lost: Flags = rng.random(len(alive)) < (after[each, drawn] if passed >= calm else before)
        hit, now = lanes.step(lost), lost.astype(np.int64)
        chance = np.where(lost, before, 1.0 - before)[:, None]
        sums = (sums + 1.0) * np.where(lost[:, None], after, 1.0 - after) / chance
        if passed < calm:
            lanes.renew(hit)
            sums[hit] = 0.0
        elif hit.any():
            found[alive[hit]] = 1.0 / sums[hit].mean(axis=1)
            lanes.keep(~hit)
            alive, sums, tilts, drawn, now = alive[~hit], sums[~hit], tilts[~hit], drawn[~hit], now[~hit]
            if not len(alive):
                break
    return found
