"""Core. What is promised of a model's errors, and the guard that holds a series to it from its first label."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase
from typing import NamedTuple

from stream.judge import budget
from stream.judge.edetector import edetector
from stream.judge.guard import HALF, PROMISED, Guard
from stream.judge.level import MOST
from stream.judge.mixture import LEAST, rounded

HIGHEST = 0.99
"""No bound is above this share."""


class Objective(NamedTuple):
    """At most this share of ``error`` (0..1), of models by a glob, in one slice.

    ``tolerance``: the relative rise above it that is nobody's business.
    """

    model: str
    slice: str
    error: float
    tolerance: float

    def bound(self) -> float:
        """Return the share lost that harm must be above."""
        return self.error * (1.0 + self.tolerance)


def promised(objectives: Iterable[Objective], model: str) -> dict[str, Guard]:
    """Return the guards of a model's slices by what is promised of them; the first of several counts."""
    found: dict[str, Guard] = {}
    for one in objectives:
        if one.slice not in found and fnmatchcase(model, one.model):
            found[one.slice] = _guard(one)
    return found


def _guard(objective: Objective) -> Guard:
    """Return a guard that counts the promise as a whole reference of independent losses."""
    bound, inflation = rounded(min(max(objective.bound(), LEAST), HIGHEST), 1.0)
    harm = edetector(bound, budget.FEWEST, inflation)
    total = objective.error * MOST
    return Guard(HALF, harm=harm, known=MOST, known_total=total, learning=False, due=PROMISED)
