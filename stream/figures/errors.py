"""Core. Figures of a regression: the size of its errors, their side, and what they leave unexplained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import nan, sqrt

from stream.figures.figure import Figure, Z, mean, normal, undefined
from stream.figures.sums import (
    ABSOLUTE,
    FOURTH,
    MEASURES,
    OUTCOMES,
    RELATIVE,
    RELATIVE_SQUARE,
    SIGNED,
    SQUARE,
    STEPS,
    TRUE,
    TRUE_SQUARE,
    ZEROS,
)

QUANTILES = {"median_error": 0.5, "p90_error": 0.9}
ROUNDING = 2.0**-52
"""Of each addition to a sum of squares, at most: a deviation that is no more than that is none."""


def of_errors(part: Sequence[float]) -> list[Figure]:
    """Return MAE, bias (said less happened) and RMSE of a slice's four cells; its RMSE has no bounds."""
    count, size, square, signed = (part[one] for one in (OUTCOMES, ABSOLUTE, SQUARE, SIGNED))
    if count <= 0.0:
        return [undefined(name) for name in ("mae", "bias", "rmse")]
    rmse = Figure("rmse", "", sqrt(max(square, 0.0) / count), nan, nan, round(count))
    return [mean("mae", size, square, count), mean("bias", signed, square, count), rmse]


def of_whole(
    part: Sequence[float], cells: Sequence[float], first: int, sizes: Mapping[int, int]
) -> list[Figure]:
    """Return all figures of a version: ``part`` are the cells of all slices together, the others its own."""
    mae, bias, rmse = of_errors(part)
    own = cells[first : first + MEASURES] if first >= 0 else [0.0] * MEASURES
    of = mean("mse", part[SQUARE], own[FOURTH], part[OUTCOMES])
    bounded = rmse._replace(lower=sqrt(max(of.lower, 0.0)), upper=sqrt(max(of.upper, 0.0)))
    relative = mean("mape", own[RELATIVE], own[RELATIVE_SQUARE], part[OUTCOMES] - own[ZEROS])
    counts = {step: cells[place] for step, place in sizes.items()}
    return [
        mae,
        bias,
        bounded,
        relative,
        _explained(part, own),
        *(_quantile(name, counts, of) for name, of in QUANTILES.items()),
    ]


def _explained(part: Sequence[float], own: Sequence[float]) -> Figure:
    """Return R2: one less the squared error over the squared deviation; undefined when all outcomes are equal.

    So it is where they lie so close together, and so far from the first of all, that their deviation is rounding.
    The standard error is that of Olkin and Finn (1995) with one predictor. It supposes a value within 0..1;
    below, where the model is worse than the mean, the bounds are nan.
    """
    count, error = part[OUTCOMES], part[SQUARE]
    if count < 2.0:
        return undefined("r2", count=count)
    spread = own[TRUE_SQUARE] - own[TRUE] * own[TRUE] / count
    if spread <= count * ROUNDING * own[TRUE_SQUARE]:
        return undefined("r2", count=count)
    value = 1.0 - error / spread
    if value < 0.0 or count < 4.0:
        return Figure("r2", "", value, nan, nan, round(count))
    wide = 4.0 * value * (1.0 - value) ** 2 * (count - 2.0) ** 2 / ((count * count - 1.0) * (count + 3.0))
    return normal("r2", value, sqrt(wide), count, most=1.0)


def _quantile(name: str, counts: Mapping[int, float], share: float) -> Figure:
    """Return the error that this share of absolute errors stays below, right to a bin: 41 % at most.

    Its bounds are the quantiles of the ranks that chance puts there (normal approximation of the binomial).
    """
    total = sum(max(one, 0.0) for one in counts.values())
    if total <= 0.0:
        return undefined(name)
    half = Z * sqrt(share * (1.0 - share) / total)
    value, lower, upper = (_at(counts, total, rank) for rank in (share, share - half, share + half))
    return Figure(name, "", value, lower, upper, round(total))


def _at(counts: Mapping[int, float], total: float, share: float) -> float:
    """Return the value at a share of all; those in a bin are taken as spread evenly, by their logarithms."""
    wanted = min(max(share, 0.0), 1.0) * total
    below, step = 0.0, 0
    for step, count in sorted(counts.items()):
        if count > 0.0 and below + count >= wanted:
            return float(2.0 ** ((step - 1 + (wanted - below) / count) / STEPS))
        below += max(count, 0.0)
    return float(2.0 ** (step / STEPS))
