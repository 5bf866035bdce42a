"""Shell. Estimated accuracy as a scrape shows it, and how the estimates did once the labels were there."""

from __future__ import annotations

from collections.abc import Sequence
from math import isnan
from typing import Final, NamedTuple

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from stream.confidence import Confidence
from stream.ranked import Ranked

NAMES: Final = ["model", "version"]
BOUNDS: Final = (
    ("", "Accuracy estimated of the newest predictions, before labels."),
    ("_lower", "Its lower 95 % bound."),
    ("_upper", "Its upper 95 % bound."),
)


class EstimateRow(NamedTuple):
    """One version, and what is counted of its scores."""

    model: str
    version: str
    confidence: Confidence


class EstimateFigures(Ranked[EstimateRow]):
    """Shows the versions whose estimates were held most often; what is not defined is not shown."""

    def rank(self, row: EstimateRow) -> float:
        """Return what puts those held most often first."""
        return -row.confidence.held.batches

    def is_known(self, row: EstimateRow) -> bool:
        """Return whether the version has scores."""
        return bool(row.confidence.classes)

    def metrics(self, rows: Sequence[EstimateRow], dropped: int) -> Sequence[Metric]:
        """Return the families."""
        newest = [_gauge(f"estimated_accuracy{name}_ratio", text) for name, text in BOUNDS]
        then = _gauge("held_estimate_ratio", "Accuracy estimated of the newest predictions that have labels.")
        realised = _gauge("held_accuracy_ratio", "Accuracy that labels gave those predictions.")
        error = _gauge("held_error_ratio", "Mean size of realised less estimated accuracy.")
        batches = _counter("held_estimates", "Estimates that were held against labels.")
        covered = _counter("held_estimates_covered", "Of these, those whose bounds held what was realised.")
        for row in rows:
            names, made, held = [row.model, row.version], row.confidence.newest(), row.confidence.held
            if not isnan(made.value):
                for family, value in zip(newest, made[: len(newest)], strict=True):
                    family.add_metric(names, value)
            batches.add_metric(names, held.batches)
            covered.add_metric(names, held.covered)
            if held.newest is not None:
                then.add_metric(names, held.newest.estimate.value)
                realised.add_metric(names, held.newest.realised)
                error.add_metric(names, held.mean_absolute_error)
        return *newest, then, realised, error, batches, covered


def _gauge(name: str, text: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"tidewatch_model_{name}", text, labels=NAMES)


def _counter(name: str, text: str) -> CounterMetricFamily:
    return CounterMetricFamily(f"tidewatch_model_{name}", text, labels=NAMES)
