"""Shell. How far the inputs of models lie from their reference, as a scrape shows it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from prometheus_client.core import GaugeMetricFamily, Metric

from stream.ranked import Ranked


class FeatureRow(NamedTuple):
    """One watched input as a scrape shows it."""

    model: str
    version: str
    feature: str
    psi: float
    """Of the newest whole window (at least a day) against the reference."""


class FeatureFigures(Ranked[FeatureRow]):
    """How far inputs lie from their reference, the farthest first."""

    def rank(self, row: FeatureRow) -> tuple[float, FeatureRow]:
        """Return what puts the farthest first."""
        return -row.psi, row

    def metrics(self, rows: Sequence[FeatureRow], dropped: int) -> Sequence[Metric]:
        """Return the family, and how many inputs the budget cut."""
        text = "Population stability index of the newest window against the reference; 0 is no change."
        psi = GaugeMetricFamily("tidewatch_feature_psi", text, labels=["model", "version", "feature"])
        for row in rows:
            psi.add_metric([row.model, row.version, row.feature], row.psi)
        text = "Features left out of this scrape by the budget."
        return psi, GaugeMetricFamily("tidewatch_features_dropped", text, value=dropped)
