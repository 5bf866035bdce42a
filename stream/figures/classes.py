"""Core. Figures of a classification that need no scores: right or wrong, in all and by class.

Definitions and the treatment of what is undefined are scikit-learn's with ``zero_division=nan``: a class that was
never said has no precision, one that never happened no recall, and neither is in the mean over the classes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import isnan, sqrt

from stream.events import Label
from stream.figures.figure import Figure, normal, share, undefined, wilson
from stream.figures.sums import MISSED, RIGHT, WRONGLY, word

ADDED = 2.0
"""Rows of each kind that are added to a share for its standard error (Agresti and Coull 1998): it is never 0."""


def by_class(cells: Sequence[float], classes: Mapping[Label, int]) -> list[Figure]:
    """Return balanced accuracy (the mean recall), mean precision and F1, then all three of each class.

    A class that neither was said nor happened is left out. F1 is ``2 J / (1 + J)`` for the share ``J`` of right
    ones among all of which it was said or happened, so its bounds are those of ``J``.
    """
    found: dict[str, list[Figure]] = {"precision": [], "recall": [], "f1": []}
    rows = 0.0
    for label, place in sorted(classes.items(), key=lambda one: word(one[0])):
        right, wrongly, missed = (cells[place + part] for part in (RIGHT, WRONGLY, MISSED))
        if right + wrongly + missed <= 0.0:
            continue
        rows += right + missed
        name = word(label)
        found["precision"].append(share("precision", right, right + wrongly, name))
        found["recall"].append(share("recall", right, right + missed, name))
        found["f1"].append(_f1(right, right + wrongly + missed, name))
    return [*_means(found, rows), *(figure for figures in found.values() for figure in figures)]


def _means(found: Mapping[str, Sequence[Figure]], rows: float) -> Iterator[Figure]:
    yield _mean("balanced_accuracy", found["recall"], rows)
    yield _mean("macro_precision", found["precision"], rows)
    yield _mean_f1(found["f1"], rows)


def _f1(right: float, met: float, label: str) -> Figure:
    lower, upper = (2.0 * bound / (1.0 + bound) for bound in wilson(right, met))
    return Figure("f1", label, 2.0 * right / (met + right), lower, upper, round(met))


def _mean(name: str, shares: Sequence[Figure], rows: float) -> Figure:
    """Return the mean of the shares that are defined; given their counts, classes don't depend on each other."""
    known = [one for one in shares if not isnan(one.value)]
    if not known:
        return undefined(name)
    variance = 0.0
    for one in known:
        count = one.rows + 2.0 * ADDED
        rate = (one.value * one.rows + ADDED) / count
        variance += rate * (1.0 - rate) / count
    value = sum(one.value for one in known) / len(known)
    return normal(name, value, sqrt(variance) / len(known), rows, 0.0, 1.0)


def _mean_f1(known: Sequence[Figure], rows: float) -> Figure:
    """Return the mean F1; the means of the bounds are its bounds, however the classes depend on each other."""
    if not known:
        return undefined("macro_f1")
    value, lower, upper = (
        sum(column) / len(known) for column in zip(*(one[2:5] for one in known), strict=True)
    )
    return Figure("macro_f1", "", value, lower, upper, round(rows))
