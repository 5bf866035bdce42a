"""Shell. Estimated accuracy as a scrape shows it, and how the estimates did once the labels were there."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from heapq import nlargest
from math import isnan
from typing import Final, NamedTuple

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from stream.confidence import Confidence
from stream.estimate import Estimate

NAMES: Final = ["model", "version"]


class EstimateRow(NamedTuple):
    """One version, and what is counted of its scores."""

    model: str
    version: str
    confidence: Confidence


class EstimateFigures(Collector):
    """Shows the ``budget`` versions whose estimates rest on most labels; what is not defined is not shown."""

    def __init__(self, rows: Callable[[], Iterable[EstimateRow]], budget: int) -> None:
        self._rows = rows
        self._budget = budget

    def describe(self) -> Iterable[Metric]:
        """Name nothing in advance."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """Yield the families."""
        newest = _Bounded("estimated_accuracy", "Accuracy estimated of the newest predictions, before labels")
        held = _Bounded(
            "held_estimate", "Accuracy that was estimated of the newest predictions now held to labels"
        )
        realised = _gauge("held_accuracy_ratio", "Accuracy that labels gave those predictions.")
        error = _gauge("held_error_ratio", "Mean size of realised less estimated accuracy.")
        batches = _counter("held_estimates", "Estimates that were held against labels.")
        covered = _counter(
            "held_estimates_covered", "Of these, those whose bounds held the realised accuracy."
        )
        known = ((row, row.confidence.newest()) for row in self._rows() if row.confidence.classes)
        for row, made in nlargest(self._budget, known, key=lambda one: one[1].calibrated_by):
            names, record = [row.model, row.version], row.confidence.held
            newest.add(names, made)
            batches.add_metric(names, record.batches)
            covered.add_metric(names, record.covered)
            if record.newest is not None:
                held.add(names, record.newest.estimate)
                realised.add_metric(names, record.newest.realised)
                error.add_metric(names, record.mean_absolute_error)
        yield from (*newest.families, *held.families, realised, error, batches, covered)


class _Bounded:
    """Three families: a value and its bounds."""

    def __init__(self, name: str, text: str) -> None:
        self.families = (
            _gauge(f"{name}_ratio", f"{text}."),
            _gauge(f"{name}_lower_ratio", f"{text}: lower 95 % bound."),
            _gauge(f"{name}_upper_ratio", f"{text}: upper 95 % bound."),
        )

    def add(self, names: list[str], made: Estimate) -> None:
        """Add what is defined."""
        if not isnan(made.value):
            for family, value in zip(self.families, made[:3], strict=True):
                family.add_metric(names, value)


def _gauge(name: str, text: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"tidewatch_model_{name}", text, labels=NAMES)


def _counter(name: str, text: str) -> CounterMetricFamily:
    return CounterMetricFamily(f"tidewatch_model_{name}", text, labels=NAMES)
