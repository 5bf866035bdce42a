"""Core. Figures of a classification's scores: log loss, Brier, calibration, and ROC and PR AUC from bins.

Every class of every prediction is one pair of a probability and whether that class happened; a lone score is one
pair, of the positive class. So with more than two classes the AUCs are the micro-averaged ones, one against the
rest. Scores in one bin count as equal.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from math import exp, log, sqrt

from stream.figures.figure import Figure, Z, mean, normal, undefined
from stream.figures.sums import (
    BIN,
    BRIER,
    BRIER_SQUARE,
    GAP,
    HALVED,
    LOG,
    LOG_SQUARE,
    SCORED,
    TENTHS,
)

FAR = 700.0
"""A logit beyond this is that of 0 or 1, and its exponential no number."""


def of_scores(cells: Sequence[float], first: int) -> list[Figure]:
    """Return the figures of the scores whose cells begin at ``first``; without any, undefined ones."""
    part = cells[first : first + GAP + TENTHS] if first >= 0 else [0.0] * (GAP + TENTHS)
    rows = part[SCORED]
    were_not, were = ([max(one, 0.0) for one in part[BIN + kind : GAP : 2]] for kind in (0, 1))
    return [
        mean("log_loss", part[LOG], part[LOG_SQUARE], rows),
        mean("brier", part[BRIER], part[BRIER_SQUARE], rows),
        _calibration(part, sum(were_not) + sum(were)),
        roc_auc(were_not, were, rows),
        pr_auc(were_not, were, rows),
    ]


def _calibration(part: Sequence[float], pairs: float) -> Figure:
    """Return the expected calibration error over tenths (Naeini, Cooper and Hauskrecht 2015).

    The gap between mean score and share of truth, weighted by pairs. Its standard error is at most that of the
    sum of all gaps, whose variance is the Brier sum; few pairs make it too large, for want of a better estimate.
    """
    rows = part[SCORED]
    if rows <= 0.0:
        return undefined("ece")
    squares = part[BRIER] * (2.0 if rows < pairs <= HALVED * rows else 1.0)
    value = sum(map(abs, part[GAP : GAP + TENTHS])) / pairs
    return normal("ece", value, sqrt(max(squares, 0.0)) / pairs, rows, 0.0, 1.0)


def roc_auc(were_not: Sequence[float], were: Sequence[float], rows: float) -> Figure:
    """Return the chance that of a true and a false pair the true one has the higher score; ties count half.

    The standard error is that of Hanley and McNeil (1982), with no more pairs of a kind than there are rows; the
    bounds are wider by what the order within bins could change.
    """
    false, true = sum(were_not), sum(were)
    if not false or not true:
        return undefined("roc_auc", count=rows)
    below = [0.0, *accumulate(were_not)]
    ties = sum(a * b for a, b in zip(were_not, were, strict=True)) / 2.0 / (false * true)
    value = sum(hits * low for hits, low in zip(were, below[:-1], strict=True)) / (false * true) + ties
    error = _hanley(value, min(true, rows), min(false, rows))
    found = normal("roc_auc", value, error, rows, 0.0, 1.0)
    return found._replace(lower=max(found.lower - ties, 0.0), upper=min(found.upper + ties, 1.0))


def _hanley(area: float, true: float, false: float) -> float:
    first, second = area / (2.0 - area), 2.0 * area * area / (1.0 + area)
    square = area * area
    variance = area * (1.0 - area) + (true - 1.0) * (first - square) + (false - 1.0) * (second - square)
    return sqrt(max(variance, 0.0) / (true * false))


def pr_auc(were_not: Sequence[float], were: Sequence[float], rows: float) -> Figure:
    """Return the average precision: the precision at each bin's lower border, weighted by the truths in the bin.

    The bounds are the logit interval of Boyd, Eng and Page (2013), wider by what the order within bins could
    change; undefined without a true pair.
    """
    true = sum(were)
    if not true:
        return undefined("pr_auc", count=rows)
    value = best = worst = hits = misses = 0.0
    for wrong, right in zip(reversed(were_not), reversed(were), strict=True):
        if right:
            first, last = hits + right + misses, hits + misses + wrong
            best += right * (hits + right) / first
            value += right * (hits + right) / (last + right)
            worst += right - (misses + wrong) * log((last + right) / last) if last else right
        hits, misses = hits + right, misses + wrong
    value, best, worst = value / true, best / true, worst / true
    if not 0.0 < value < 1.0:
        return Figure("pr_auc", "", value, 0.0, 1.0, round(rows))
    middle = log(value / (1.0 - value))
    half = Z / sqrt(min(true, rows) * value * (1.0 - value))
    lower, upper = (1.0 / (1.0 + exp(min(-bound, FAR))) for bound in (middle - half, middle + half))
    lower, upper = max(lower - (value - worst), 0.0), min(upper + best - value, 1.0)
    return Figure("pr_auc", "", value, lower, upper, round(rows))
