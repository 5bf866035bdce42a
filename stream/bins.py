"""Core. Two rows of counts over the same bins: how far apart they lie, and what that proves.

The population stability index (Siddiqi 2006, "Credit Risk Scorecards") says how far. What it proves is the ratio
of two Dirichlet-multinomial likelihoods of the newer row (Gunel and Dickey 1974): from shares of its own, against
the reference's. Both begin with half a count a bin (Jeffreys), so for shares drawn from that prior the ratio's
mean while nothing changed is exactly 1, at any count and however empty the bins: its tail needs no approximation.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import lgamma, log

HALF = 0.5


def parts(reference: Sequence[int], window: Sequence[int]) -> list[float]:
    """Return what each bin adds to the population stability index, half a count added to each; all are >= 0.

    Raises:
        ValueError: the rows are of different length or empty.
    """
    if len(reference) != len(window) or not reference:
        raise ValueError(f"bins {len(reference)} and {len(window)}: want the same number, at least 1")
    p_total = sum(window) + HALF * len(window)
    q_total = sum(reference) + HALF * len(reference)
    shares = (
        ((seen + HALF) / p_total, (known + HALF) / q_total)
        for seen, known in zip(window, reference, strict=True)
    )
    return [(p - q) * log(p / q) for p, q in shares]


def stability(reference: Sequence[int], window: Sequence[int]) -> float:
    """Return the population stability index; 0 for equal shares.

    Raises:
        ValueError: the rows are of different length or empty.
    """
    return sum(parts(reference, window))


def chance(reference: Sequence[int], window_count: float) -> float:
    """Return the index that a window of so many values has in the mean when nothing changed.

    Times ``n m / (n + m)`` it is nearly chi-squared, with as many degrees of freedom as bins in use less one.
    """
    return freedom(reference) * (1.0 / window_count + 1.0 / sum(reference))


def freedom(reference: Sequence[int]) -> int:
    """Return how many bins hold something, less one; at least 1."""
    return max(sum(map(bool, reference)) - 1, 1)


def evidence(reference: Sequence[int], window: Sequence[int], inflation: float = 1.0) -> float:
    """Return the logarithm of the ratio: above 0, the window speaks for shares of its own; 0 when it is empty.

    ``inflation`` (at least 1) is how much wider than by chance the shares vary: a count speaks for so much less.
    """
    newer = [seen / inflation for seen in window]
    own = _likelihood([HALF] * len(newer), newer)
    return own - _likelihood([known / inflation + HALF for known in reference], newer)


def _likelihood(prior: Sequence[float], window: Sequence[float]) -> float:
    """Return the log likelihood of one sequence with these counts."""
    weight, count = sum(prior), sum(window)
    total = lgamma(weight) - lgamma(weight + count)
    for known, seen in zip(prior, window, strict=True):
        if seen:
            total += lgamma(known + seen) - lgamma(known)
    return total
