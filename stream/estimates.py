"""Core. Estimated accuracy as plain data, for who prints it: ``tidewatch figures`` and the summary of a replay."""

from __future__ import annotations

from typing import Any

from stream.confidence import Confidence
from stream.estimate import Estimate
from stream.held import Comparison


def estimates_of(confidence: Confidence) -> dict[str, Any] | None:
    """Return what is estimated of the newest predictions, and how estimates did; ``None`` without any scores."""
    if not confidence.classes:
        return None
    held, newest = confidence.held, confidence.newest()
    return {
        "estimated": _made(newest) if newest.value == newest.value else None,
        "held": {
            "batches": held.batches,
            "covered": held.covered,
            "mean_error": held.mean_error if held.batches else None,
            "mean_absolute_error": held.mean_absolute_error if held.batches else None,
            "newest": None if held.newest is None else _compared(held.newest),
        },
        "forgotten": confidence.forgotten,
    }


def _made(one: Estimate) -> dict[str, Any]:
    return {
        "accuracy": one.value,
        "lower": one.lower,
        "upper": one.upper,
        "predictions": one.predictions,
        "calibrated_by": one.calibrated_by,
    }


def _compared(one: Comparison) -> dict[str, Any]:
    return {
        "began_at": one.began_at,
        "ended_at": one.ended_at,
        "realised": one.realised,
        "estimated": _made(one.estimate),
    }
