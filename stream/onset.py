"""Core. When harm began, given what the loss was before: the border of the history that the losses since speak
for most.

For losses whose mean was ``b``, the log-likelihood of a rise at a border is the number of losses since times the
divergence of their mean from ``b``: that of Bernoulli losses for a classification, of exponential ones for an
absolute error. The interval holds the borders that are less likely by no more than ``DROP``, times the inflation
by dependence.
"""

from __future__ import annotations

from math import inf, log
from typing import NamedTuple

from stream.events import Task
from stream.history import History

DROP = 3.7
"""Of log-likelihood, for a 95 % interval of a change point: half of 7.35 (Hansen 2000), not Wilks' 3.84."""


class Onset(NamedTuple):
    """The likeliest instant, and between which it lies; nan when nothing rose."""

    at: float
    after: float
    before: float


def onset(
    history: History, task: Task, base: float, increase: float, inflation: float, newest: float = inf
) -> Onset:
    """Return when the losses rose above ``base``, their mean before (>= 0), within the ``newest`` ones.

    A mean since a border no more than the relative rise ``increase`` above ``base`` is no rise: over a long life a
    reference that was a little lucky would speak for one. ``inflation`` is at least 1. What is older than an
    earlier finding's end is no part of this harm.
    """
    least = base * (1.0 + increase)
    losses = total = 0.0
    scores: list[float] = []
    buckets = [*history.buckets()]
    for bucket in reversed(buckets):
        losses, total = losses + bucket.losses, total + bucket.total
        scores.append(losses * divergence(task, total / losses, base) if total > losses * least else 0.0)
        if losses >= newest:
            break
    scores.reverse()
    buckets = buckets[len(buckets) - len(scores) :]
    most = max(scores, default=0.0)
    if not most > 0.0:
        return Onset(float("nan"), float("nan"), float("nan"))
    likely = [place for place, score in enumerate(scores) if score >= most - DROP * inflation]
    first, last = max(likely[0] - 1, 0), min(likely[-1] + 1, len(buckets) - 1)
    best = scores.index(most)
    return Onset(buckets[best].began_at, buckets[first].began_at, buckets[last].began_at)


def divergence(task: Task, mean: float, base: float) -> float:
    """Return the divergence (nats) of a mean loss from ``base``; 0 if it is not above."""
    return nats(task, mean, base) if mean > base else 0.0


def nats(task: Task, mean: float, base: float) -> float:
    """Return the divergence (nats, >= 0) of a mean loss from ``base``, whichever is above: both at least 0."""
    if task == "regression":
        ratio = max(mean, 1e-9 * base) / max(base, 1e-9 * mean) if mean != base else 1.0
        return ratio - 1.0 - log(ratio)
    base = min(max(base, 1e-4), 1.0 - 1e-4)
    lost = mean * log(mean / base) if mean > 0.0 else 0.0
    rest = (1.0 - mean) * log((1.0 - mean) / (1.0 - base)) if mean < 1.0 else 0.0
    return max(lost + rest, 0.0)
