"""Shell. Estimated accuracy as a scrape shows it, and how the estimates did once the labels were there."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from heapq import nlargest
from math import isnan
from typing import Final, NamedTuple

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from stream.confidence import Confidence

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


class EstimateFigures(Collector):
    """Shows the ``budget`` versions whose estimates were held most often; what is not defined is not shown."""

    def __init__(self, rows: Callable[[], Iterable[EstimateRow]], budget: int) -> None:
        self._rows = rows
        self._budget = budget

    def describe(self) -> Iterable[Metric]:
        """Name nothing in advance."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """Yield the families."""
        newest = [_gauge(f"estimated_accuracy{name}_ratio", text) for name, text in BOUNDS]
        then = _gauge("held_estimate_ratio", "Accuracy estimated of the newest predictions that have labels.")
        realised = _gauge("held_accuracy_ratio", "Accuracy that labels gave those predictions.")
        error = _gauge("held_error_ratio", "Mean size of realised less estimated accuracy.")
        batches = _counter("held_estimates", "Estimates that were held against labels.")
        covered = _counter("held_estimates_covered", "Of these, those whose bounds held what was realised.")
        known = (row for row in self._rows() if row.confidence.classes)
        for row in nlargest(self._budget, known, key=lambda row: row.confidence.held.batches):
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
        yield from (*newest, then, realised, error, batches, covered)


def _gauge(name: str, text: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"tidewatch_model_{name}", text, labels=NAMES)


def _counter(name: str, text: str) -> CounterMetricFamily:
    return CounterMetricFamily(f"tidewatch_model_{name}", text, labels=NAMES)
