"""Core. What becomes of an event in the join.

Every reason but ``waiting`` is counted the same however the two topics interleave.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from math import inf
from typing import Final

from msgspec import Struct

from stream.events import ALL, Label, Slices


class Reason(StrEnum):
    """What became of one event in the join; the metric label of the same name."""

    WAITING = "waiting"
    MATCHED = "matched"
    LATE = "late"
    CORRECTED = "corrected"
    DUPLICATE_PREDICTION = "duplicate_prediction"
    DUPLICATE_OUTCOME = "duplicate_outcome"
    UNMATCHED_PREDICTION = "unmatched_prediction"
    UNMATCHED_OUTCOME = "unmatched_outcome"
    EVICTED = "evicted"


MISMATCHED: Final = "mismatched"
"""The outcome is not of the prediction's kind, or the prediction not of its version's."""


def slice_names(slices: Slices) -> tuple[str, ...]:
    """Return a prediction's slices: ``"all"``, then ``"name=value"`` by name; true and false in JSON's words."""
    return (ALL, *(f"{name}={_text(value)}" for name, value in sorted(slices.items())))


def _text(value: bool | int | str) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


class Served(Struct, frozen=True, gc=False):
    """What the join remembers of a prediction; ``slices`` begins with ``"all"``, then ``"name=value"``.

    ``bins`` are those of its inputs (``stream.rows``), empty for most predictions of a busy version.
    """

    prediction_id: str
    model: str
    version: str
    at: float
    prediction: Label
    has_scores: bool
    slices: tuple[str, ...]
    bins: bytes = b""
    scores: float | Mapping[str, float] | None = None
    """Those of the prediction, unless they are of too many classes; see ``stream.entry``."""
    shape: bytes = b""
    """Version, ``has_scores`` and slices as bytes, of which all who are alike share one object; may be empty."""


class Joined(Struct, frozen=True, gc=False):
    """One step's result. ``served`` is ``None`` for an outcome whose prediction is unknown."""

    reason: Reason
    model: str
    served: Served | None = None
    outcome: Label | None = None
    outcome_at: float = float("nan")
    previous: Label | None = None
    has_waited: bool = False
    """Whether the outcome was read before its prediction."""
    previous_at: float = inf
    """Event time of ``previous``."""
