"""Shell. Every Prometheus metric of the stream worker, besides the engine's: name, help, unit, labels.

Counters with fixed label values start at zero, so a rate exists before the first event. Figures of models are
not kept here: see ``stream.model_figures``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from math import isfinite
from typing import Final, NamedTuple

import numpy as np
from prometheus_client import CollectorRegistry, Counter, Gauge
from prometheus_client.core import GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from stream.joined import MISMATCHED, Reason
from stream.refusal import Refusal
from stream.room import FORGOTTEN

EVENT_TYPES = ("prediction", "outcome", "rollout")
JOIN_REASONS = (*(one for one in Reason if one is not Reason.WAITING), MISMATCHED, FORGOTTEN)
DELAYS = (0.1, 0.5, 1, 5, 15, 60, 300, 900, 3600, 6 * 3600, 86_400, 3 * 86_400, 7 * 86_400)


class Telemetry:
    """The stream worker's own metrics, registered in ``registry``; ``model_budget`` as the settings say."""

    def __init__(self, registry: CollectorRegistry, model_budget: int) -> None:
        def counter(name: str, text: str, label: str = "", values: Iterable[str] = ()) -> Counter:
            made = Counter(name, text, [label] if label else [], registry=registry)
            for value in values:
                made.labels(value)
            return made

        self.events = counter("tidewatch_events", "Events folded, by type.", "type", EVENT_TYPES)
        self.joined = counter(
            "tidewatch_joined", "What became of events in the join.", "reason", JOIN_REASONS
        )
        self.dead_letters = counter(
            "tidewatch_dead_letters", "Records refused, by reason.", "reason", Refusal
        )
        self.misrouted = counter(
            "tidewatch_misrouted",
            "Records found in a partition that is not their model's, and forwarded.",
            "producer",
        )
        self.findings = counter("tidewatch_findings", "Findings, by state.", "state", ("open", "closed"))
        self.cache_bytes = Gauge(
            "tidewatch_join_cache_bytes",
            "What the cache that the join's stores share holds.",
            registry=registry,
        )
        Gauge("tidewatch_model_budget", "Models that a partition takes at most.", registry=registry).set(
            model_budget
        )
        self.label_delay = Delays()
        registry.register(self.label_delay)


class Delays(Collector):
    """A histogram that takes a whole batch of label delays: one at a time they cost more than the join."""

    def __init__(self) -> None:
        self._counts = np.zeros(len(DELAYS) + 1, np.int64)
        self._total = 0.0

    def observe(self, delays: Sequence[float]) -> None:
        """Take seconds; a negative delay (the outcome happened first) counts as 0."""
        if delays:
            taken = np.maximum(delays, 0.0)
            places = np.searchsorted(DELAYS, taken, side="left")
            self._counts += np.bincount(places, minlength=len(self._counts))
            self._total += float(taken.sum())

    def collect(self) -> Iterator[Metric]:
        """Yield the histogram."""
        bounds = [*(str(float(bound)) for bound in DELAYS), "+Inf"]
        totals = np.cumsum(self._counts).tolist()
        yield HistogramMetricFamily(
            "tidewatch_label_delay_seconds",
            "Event time from prediction to its outcome.",
            buckets=[*zip(bounds, totals, strict=True)],
            sum_value=self._total,
        )


class PartitionRow(NamedTuple):
    """One input partition as a scrape shows it."""

    number: int
    watermark_at: float
    pending: int
    judged: int
    """Models with predictions."""
    rolled_out: int
    """Models of which only rollouts came."""
    entries: int
    """What the join remembers, waiting or not."""
    memory_entries: int
    """Those of them that are in memory as objects."""
    disk_bytes: int
    memory_bytes: int
    """What the join's store on disk takes of the memory, without the cache that all partitions share."""


class PartitionFigures(Collector):
    """What each owned partition holds, at scrape time."""

    def __init__(self, rows: Callable[[], Iterable[PartitionRow]]) -> None:
        self._rows = rows

    def describe(self) -> Iterable[Metric]:
        """Name nothing in advance."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """Yield one sample per family and partition."""
        families = {
            name: GaugeMetricFamily(f"tidewatch_{name}", text, labels=["partition", *more])
            for name, text, more in PARTITION_FAMILIES
        }
        for row in self._rows():
            for name, labels, value in _samples(row):
                families[name].add_metric([str(row.number), *labels], value)
        yield from families.values()


PARTITION_FAMILIES: Final = (
    ("watermark_timestamp_seconds", "Newest event time folded.", ()),
    ("pending_predictions", "Predictions that wait for their outcome.", ()),
    ("models", "Models seen: those with predictions, and those of which only rollouts came.", ("kind",)),
    ("join_entries", "Ids that the join remembers: all of them, and those in memory as objects.", ("place",)),
    ("join_store_bytes", "What the join's store takes.", ("place",)),
)


def _samples(row: PartitionRow) -> Iterator[tuple[str, tuple[str, ...], float]]:
    if isfinite(row.watermark_at):  # no prediction and no outcome came yet
        yield "watermark_timestamp_seconds", (), row.watermark_at
    yield "pending_predictions", (), row.pending
    yield "models", ("judged",), row.judged
    yield "models", ("rolled_out",), row.rolled_out
    yield "join_entries", ("all",), row.entries
    yield "join_entries", ("memory",), row.memory_entries
    yield "join_store_bytes", ("disk",), row.disk_bytes
    yield "join_store_bytes", ("memory",), row.memory_bytes
