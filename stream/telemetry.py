"""Shell. Every Prometheus metric of the stream worker, besides the engine's: name, help, unit, labels.

Counters with fixed label values start at zero, so a rate exists before the first event. Figures of models are
not kept here: ``ModelFigures`` is a view of live state, made at each scrape and cut at a budget, visibly.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from prometheus_client import CollectorRegistry, Counter, Gauge
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

EVENT_TYPES = ("prediction", "outcome", "rollout")
JOIN_REASONS = (
    "matched",
    "late",
    "corrected",
    "duplicate_prediction",
    "duplicate_outcome",
    "unmatched_prediction",
    "unmatched_outcome",
    "mismatched",
    "evicted",
)
DEAD_LETTER_REASONS = (
    "null_value",
    "oversize",
    "bad_json",
    "not_a_number",
    "unknown_type",
    "missing_field",
    "wrong_type",
    "out_of_range",
    "absurd_time",
)
DELAYS = (0.1, 0.5, 1, 5, 15, 60, 300, 900, 3600, 6 * 3600, 86_400, 3 * 86_400, 7 * 86_400)


class Telemetry:
    """The stream worker's own metrics, registered in ``registry``."""

    def __init__(self, registry: CollectorRegistry) -> None:
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
            "tidewatch_dead_letters", "Records refused, by reason.", "reason", DEAD_LETTER_REASONS
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
    models: int
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
        watermark = GaugeMetricFamily(
            "tidewatch_watermark_timestamp_seconds", "Newest event time folded.", labels=["partition"]
        )
        pending = GaugeMetricFamily(
            "tidewatch_pending_predictions", "Predictions that wait for their outcome.", labels=["partition"]
        )
        models = GaugeMetricFamily("tidewatch_models", "Models seen.", labels=["partition"])
        entries = GaugeMetricFamily(
            "tidewatch_join_entries",
            "Ids that the join remembers: all of them, and those in memory as objects.",
            labels=["partition", "place"],
        )
        store = GaugeMetricFamily(
            "tidewatch_join_store_bytes", "What the join's store takes.", labels=["partition", "place"]
        )
        for row in self._rows():
            labels = [str(row.number)]
            if row.models:
                watermark.add_metric(labels, row.watermark_at)
            pending.add_metric(labels, row.pending)
            models.add_metric(labels, row.models)
            entries.add_metric([*labels, "all"], row.entries)
            entries.add_metric([*labels, "memory"], row.memory_entries)
            store.add_metric([*labels, "disk"], row.disk_bytes)
            store.add_metric([*labels, "memory"], row.memory_bytes)
        yield from (watermark, pending, models, entries, store)


class ModelRow(NamedTuple):
    """One series as a scrape shows it. Undefined values are ``nan`` and make a gap."""

    model: str
    version: str
    slice: str
    metric: str
    """``accuracy`` or ``mae``."""
    rollout: float
    """The metric since the version's first event."""
    recent: float
    """The metric over the newest events."""
    predictions: int
    outcomes: int
    degraded: bool
    newest_at: float


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


class ModelFigures(Collector):
    """Model figures at scrape time. ``rows`` yields most important first; past ``budget`` rows are cut."""

    def __init__(self, rows: Callable[[], Iterable[ModelRow]], budget: int) -> None:
        self._rows = rows
        self._budget = budget

    def describe(self) -> Iterable[Metric]:
        """Name nothing in advance: the families exist only while there are models."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """Yield the families, and how many series the budget cut."""
        names = ["model", "version", "slice"]
        accuracy = GaugeMetricFamily(
            "tidewatch_model_accuracy_ratio", "Share of right predictions.", labels=[*names, "window"]
        )
        mae = GaugeMetricFamily(
            "tidewatch_model_mae", "Mean absolute error, in the prediction's unit.", labels=[*names, "window"]
        )
        predictions = CounterMetricFamily("tidewatch_model_predictions", "Predictions.", labels=names)
        outcomes = CounterMetricFamily("tidewatch_model_outcomes", "Joined outcomes.", labels=names)
        degraded = GaugeMetricFamily(
            "tidewatch_model_degraded", "1 while a finding is open on this series.", labels=names
        )
        newest = GaugeMetricFamily(
            "tidewatch_model_newest_event_timestamp_seconds", "Newest event time of the series.", labels=names
        )
        dropped = 0
        for number, row in enumerate(self._rows()):
            if number >= self._budget:
                dropped += 1
                continue
            labels = [row.model, row.version, row.slice]
            family = accuracy if row.metric == "accuracy" else mae
            family.add_metric([*labels, "rollout"], row.rollout)
            family.add_metric([*labels, "recent"], row.recent)
            predictions.add_metric(labels, row.predictions)
            outcomes.add_metric(labels, row.outcomes)
            degraded.add_metric(labels, float(row.degraded))
            newest.add_metric(labels, row.newest_at)
        yield from (accuracy, mae, predictions, outcomes, degraded, newest)
        yield GaugeMetricFamily(
            "tidewatch_series_dropped", "Series left out of this scrape by the budget.", value=dropped
        )
