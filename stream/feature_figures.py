"""Shell. How far the inputs of models lie from their reference, as a scrape shows it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector


class FeatureRow(NamedTuple):
    """One watched input as a scrape shows it."""

    model: str
    version: str
    feature: str
    psi: float
    """Of the newest whole window (at least a day) against the reference."""


class FeatureFigures(Collector):
    """How far inputs lie from their reference. ``rows`` yields the farthest first; ``budget`` cuts the others."""

    def __init__(self, rows: Callable[[], Iterable[FeatureRow]], budget: int) -> None:
        self._rows = rows
        self._budget = budget

    def describe(self) -> Iterable[Metric]:
        """Name nothing in advance."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """Yield the family, and how many inputs the budget cut."""
        psi = GaugeMetricFamily(
            "tidewatch_feature_psi",
            "Population stability index of the newest window against the reference; 0 is no change.",
            labels=["model", "version", "feature"],
        )
        dropped = 0
        for number, row in enumerate(self._rows()):
            if number < self._budget:
                psi.add_metric([row.model, row.version, row.feature], row.psi)
            else:
                dropped += 1
        yield psi
        yield GaugeMetricFamily(
            "tidewatch_features_dropped", "Features left out of this scrape by the budget.", value=dropped
        )
