"""Shell. How far models are labelled, as a scrape shows it: the figure that early, quick labels don't colour."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from heapq import nlargest
from typing import NamedTuple

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from stream.maturity import Maturity


class MaturityRow(NamedTuple):
    """One model: its cohorts, and how far event time has come (epoch seconds)."""

    model: str
    maturity: Maturity
    now: float


class MaturityFigures(Collector):
    """Shows the ``budget`` models that have most labels; those of which no final share is known have no figure."""

    def __init__(self, rows: Callable[[], Iterable[MaturityRow]], budget: int) -> None:
        self._rows = rows
        self._budget = budget

    def describe(self) -> Iterable[Metric]:
        """Name nothing in advance."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """Yield the families."""
        final = _gauge("labelled_final_ratio", "Share of predictions that have their outcome in the end.")
        loss = _gauge("mature_loss", "Mean loss of what is labelled as far as it will be.")
        known = (row for row in self._rows() if row.maturity.ripe_labelled)
        for row in nlargest(self._budget, known, key=lambda row: row.maturity.ripe_labelled):
            count, total = row.maturity.mature(row.now)
            final.add_metric([row.model], row.maturity.final())
            if count:
                loss.add_metric([row.model], total / count)
        yield from (final, loss)


def _gauge(name: str, text: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"tidewatch_model_{name}", text, labels=["model"])
