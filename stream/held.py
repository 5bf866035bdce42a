"""Core. Estimates that were made before the labels, held against what the labels said.

Running counts: how often the bounds held the realised accuracy (95 % if what the estimate assumes is true and
labels do not depend on each other), and how far off the estimates were.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import nan
from typing import Any, Final, NamedTuple

from stream.estimate import Estimate


class Comparison(NamedTuple):
    """Predictions made between two instants that have got labels: their estimate beside the realised accuracy."""

    began_at: float
    ended_at: float
    realised: float
    estimate: Estimate

    @property
    def is_covered(self) -> bool:
        """Whether the bounds of the estimate hold what was realised."""
        return self.estimate.lower <= self.realised <= self.estimate.upper


class Held(NamedTuple):
    """Sums over batches; ``error_total`` is of realised less estimated accuracy, ``absolute_total`` of sizes."""

    batches: int = 0
    covered: int = 0
    error_total: float = 0.0
    absolute_total: float = 0.0
    newest: Comparison | None = None

    def with_one(self, one: Comparison) -> Held:
        """Return the sums with one more batch, whose estimate is defined."""
        error = one.realised - one.estimate.value
        return Held(
            self.batches + 1,
            self.covered + one.is_covered,
            self.error_total + error,
            self.absolute_total + abs(error),
            one,
        )

    @property
    def mean_error(self) -> float:
        """How much more accuracy was realised than estimated, in the mean; nan before the first batch."""
        return self.error_total / self.batches if self.batches else nan

    @property
    def mean_absolute_error(self) -> float:
        """How far off estimates were, in the mean; nan before the first batch."""
        return self.absolute_total / self.batches if self.batches else nan


NONE_HELD: Final = Held()


def restored_held(state: Sequence[Any]) -> Held:
    """Return the sums of which these are the fields.

    Raises:
        TypeError, ValueError: too few or too many fields.
    """
    batches, covered, error_total, absolute_total, newest = state
    if not batches:
        return NONE_HELD
    if newest is not None:
        began_at, ended_at, realised, made = newest
        newest = Comparison(began_at, ended_at, realised, Estimate(*made))
    return Held(batches, covered, error_total, absolute_total, newest)
