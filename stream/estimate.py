"""Core. What accuracy predictions are expected to have, before any of them has a label.

Confidence-based performance estimation (CBPE: Kivimäki, Białek, Kuberski and Nurminen 2025; NannyML) with
calibration by bins (Zadrozny and Elkan 2001): the predictions of a bin are expected to be right as often as
labelled ones of it were. That they still are is assumed, not tested: concept drift is not seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import nan, sqrt
from typing import NamedTuple

from stream.figures.figure import Z

PREDICTED, LABELLED, RIGHT = range(3)
CELLS = 3
"""Of a column: its predictions, how many of them are labelled, how many of those were right."""
LEARNED = 100
"""Labels without which nothing is estimated."""


class Estimate(NamedTuple):
    """Expected share of right ones among ``predictions``, within 0..1; ``calibrated_by`` so many labels.

    Value and bounds are nan when there are no predictions, or fewer than ``LEARNED`` labels.
    """

    value: float
    lower: float
    upper: float
    predictions: int
    calibrated_by: int


def estimate(counts: Sequence[int], calibration: Sequence[int]) -> Estimate:
    """Return the accuracy expected of predictions, ``counts`` by column; ``calibration`` has ``CELLS`` of each.

    With ``n`` of ``N`` predictions in a column, and ``r`` of its ``k`` calibrating labels right, the value is the
    sum of ``n / N  r / k`` (one half where ``k`` is 0). The bounds hold the share of right ones among the ``N``
    with 95 %: the variance is that of the rates, each by Jeffreys' posterior ``Beta(r + 1/2, k - r + 1/2)``, and
    that of ``N`` draws with them. Where ``k`` is 0 they hold all or none: what gets no label may be anything.
    """
    known, right = calibration[LABELLED::CELLS], calibration[RIGHT::CELLS]
    total, learned = sum(counts), sum(known)
    if not total or learned < LEARNED:
        return Estimate(nan, nan, nan, total, learned)
    value = variance = unknown = 0.0
    for count, k, r in zip(counts, known, right, strict=True):
        weight, likely = count / total, (r + 0.5) / (k + 1.0)
        if not k:
            unknown += weight
            continue
        spread = likely * (1.0 - likely)
        value += weight * (r / k)
        variance += weight * weight * spread / (k + 2.0) + weight * spread / total
    value, error = value + unknown / 2.0, unknown / 2.0 + Z * sqrt(variance)
    return Estimate(value, max(value - error, 0.0), min(value + error, 1.0), total, learned)
