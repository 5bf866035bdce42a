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


def estimate(cells: Sequence[int], calibration: Sequence[int], labels: int | None = None) -> Estimate:
    """Return the accuracy expected of the predictions in ``cells``, both of equally many columns.

    With ``n`` of ``N`` predictions in a column, and ``r`` of its ``k`` calibrating labels right, the value is the
    sum of ``n / N  r / k`` (one half where ``k`` is 0). The bounds hold with 95 % the share of right ones among
    ``labels`` of them (all by default): their variance is that of the rates, each by Jeffreys' posterior
    ``Beta(r + 1/2, k - r + 1/2)``, and that of so many draws; what is labelled is taken for a random part.
    """
    counts, known, right = cells[PREDICTED::CELLS], calibration[LABELLED::CELLS], calibration[RIGHT::CELLS]
    total, learned = sum(counts), sum(known)
    if not total or learned < LEARNED:
        return Estimate(nan, nan, nan, total, learned)
    value = of_rates = within = squares = 0.0
    for count, k, r in zip(counts, known, right, strict=True):
        weight, rate, likely = count / total, r / k if k else 0.5, (r + 0.5) / (k + 1.0)
        spread = likely * (1.0 - likely)
        value += weight * rate
        of_rates += weight * weight * spread / (k + 2.0)
        within += weight * spread
        squares += weight * rate * rate
    drawn = total if labels is None else labels
    between = max(squares - value * value, 0.0) * max(1.0 - drawn / total, 0.0)
    error = Z * sqrt(of_rates + (within + between) / drawn) if drawn else nan
    return Estimate(value, max(value - error, 0.0), min(value + error, 1.0), total, learned)
