"""Shell. How far models are labelled, as a scrape shows it: the figure that early, quick labels don't colour."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from prometheus_client.core import GaugeMetricFamily, Metric

from stream.maturity import Maturity
from stream.ranked import Ranked


class MaturityRow(NamedTuple):
    """One model: its cohorts, and how far event time has come (epoch seconds)."""

    model: str
    maturity: Maturity
    now: float


class MaturityFigures(Ranked[MaturityRow]):
    """Shows the models that have most labels; those of which no final share is known have no figure."""

    def rank(self, row: MaturityRow) -> float:
        """Return what puts most labels first."""
        return -row.maturity.ripe_labelled

    def is_known(self, row: MaturityRow) -> bool:
        """Return whether the final share of labels is known."""
        return bool(row.maturity.ripe_labelled)

    def metrics(self, rows: Sequence[MaturityRow], dropped: int) -> Sequence[Metric]:
        """Return the families."""
        final = _gauge("labelled_final_ratio", "Share of predictions that have their outcome in the end.")
        loss = _gauge("mature_loss", "Mean loss of what is labelled as far as it will be.")
        for row in rows:
            count, total = row.maturity.mature(row.now)
            final.add_metric([row.model], row.maturity.final())
            if count:
                loss.add_metric([row.model], total / count)
        return final, loss


def _gauge(name: str, text: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"tidewatch_model_{name}", text, labels=["model"])
