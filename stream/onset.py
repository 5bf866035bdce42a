"""Core. What an estimate of when harm began says, and the divergence that it is made by.

The divergence is that of Bernoulli losses for a classification, of exponential ones for an absolute error.
"""

from __future__ import annotations

from math import log
from typing import NamedTuple

from stream.events import Task

DROP = 3.7
"""Of log-likelihood, for a 95 % interval of a change point: half of 7.35 (Hansen 2000), not Wilks' 3.84."""


class Onset(NamedTuple):
    """The likeliest instant, and between which it lies; nan when nothing rose."""

    at: float
    after: float
    before: float


def nats(task: Task, mean: float, base: float) -> float:
    """Return the divergence (nats, >= 0) of a mean loss from ``base``, whichever is above: both at least 0."""
    if task == "regression":
        ratio = max(mean, 1e-9 * base) / max(base, 1e-9 * mean) if mean != base else 1.0
        return ratio - 1.0 - log(ratio)
    base = min(max(base, 1e-4), 1.0 - 1e-4)
    lost = mean * log(mean / base) if mean > 0.0 else 0.0
    rest = (1.0 - mean) * log((1.0 - mean) / (1.0 - base)) if mean < 1.0 else 0.0
    return max(lost + rest, 0.0)
