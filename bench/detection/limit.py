"""Core. The exact limit: CUSUM with the true rates before and after, by a Markov chain (Brook and Evans 1972).

Among all rules with the same average run length, CUSUM on the true likelihood ratio has the least worst-case mean
delay (Moustakides 1986). Its statistic max(0, S + step) is a chain on [0, h); here it lives on a grid, a step that
falls between two points being shared between them in proportion.
"""

from __future__ import annotations

from math import log

import numpy as np
from scipy.optimize import brentq
from scipy.sparse import csc_matrix, identity
from scipy.sparse.linalg import splu

POINTS = 1_500


def run_length(rate: float, before: float, after: float, limit: float, points: int = POINTS) -> float:
    """Return the mean number of losses from S = 0 until S >= ``limit`` when losses are 1 with ``rate``."""
    steps = ((rate, log(after / before)), (1.0 - rate, log((1.0 - after) / (1.0 - before))))
    grid = limit / points
    at = np.arange(points) * grid
    chain = csc_matrix((points, points))
    for chance, step in steps:
        target = np.maximum(at + step, 0.0) / grid
        low = np.floor(target + 1e-9).astype(np.int64)
        share = np.clip(target - low, 0.0, 1.0)
        for column, part in ((low, 1.0 - share), (low + 1, share)):
            stays = column < points
            rows = np.flatnonzero(stays)
            chain = chain + csc_matrix((chance * part[stays], (rows, column[stays])), shape=(points, points))
    solved = splu((identity(points, format="csc") - chain).tocsc()).solve(np.ones(points))
    return float(solved[0])


def limit_for(arl: float, before: float, after: float) -> float:
    """Return the CUSUM limit (nats) whose average run length is ``arl`` losses."""

    def gap(limit: float) -> float:
        return log(run_length(before, before, after, limit) / arl)

    return float(brentq(gap, 0.5, log(arl) + 1.0, xtol=1e-4))


def least_delay(arl: float, before: float, after: float) -> float:
    """Return the least worst-case mean delay (losses) that any rule with this average run length can have."""
    return run_length(after, before, after, limit_for(arl, before, after))
