"""Shell. What the stream worker tells its metrics and its log while it folds."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from math import nan

import structlog

from stream.estimate_figures import EstimateRow
from stream.feature_figures import FeatureRow
from stream.fold import InputFold
from stream.lineage import told_of
from stream.maturity_figures import MaturityRow
from stream.model_figures import Chunk
from stream.monitor import Monitor
from stream.tally import Tally
from stream.telemetry import EVENT_TYPES, PartitionRow, Telemetry

PRODUCER_BUDGET = 50
"""Producers named as a label; the rest are "other"."""
LOG = structlog.get_logger("tidewatch.worker")


class FoldWatch:
    """Tells metrics and log what folds did; the fold does not depend on it."""

    def __init__(self, telemetry: Telemetry) -> None:
        self._telemetry = telemetry
        self._producers: set[str] = set()

    def folded(self, tally: Tally) -> None:
        """Count one batch."""
        told = self._telemetry
        for kind, count in zip(EVENT_TYPES, (tally.predictions, tally.outcomes, tally.rollouts), strict=True):
            told.events.labels(kind).inc(count)
        for reason, count in tally.joined.items():
            told.joined.labels(reason).inc(count)
        told.label_delay.observe(tally.delays)
        for reason in tally.refused:
            told.dead_letters.labels(reason).inc()
        for producer in tally.misrouted:
            told.misrouted.labels(self._known(producer)).inc()
        for finding in tally.findings:
            told.findings.labels(finding.state).inc()
            LOG.info("finding", id=finding.id, state=finding.state, summary=finding.summary)

    def _known(self, producer: str) -> str:
        if producer not in self._producers and len(self._producers) >= PRODUCER_BUDGET:
            return "other"
        self._producers.add(producer)
        return producer


def model_chunks(folds: Callable[[], Mapping[int, InputFold]]) -> Callable[[], Iterator[Chunk]]:
    """Return a view of all series of the folds, a version at a time."""

    def chunks() -> Iterator[Chunk]:
        for _, model, monitor in _monitors(folds()):
            for name, version in [*monitor.versions.items()]:
                trained_until = monitor.trained.get(name, nan)
                told = told_of(monitor.lineage, name)
                yield Chunk(model, name, [*version.series.items()], version.sums, trained_until, told)

    return chunks


def feature_rows(folds: Callable[[], Mapping[int, InputFold]]) -> Callable[[], Iterator[list[FeatureRow]]]:
    """Return a view of all watched inputs of the folds, a version at a time."""

    def rows() -> Iterator[list[FeatureRow]]:
        for _, model, monitor in _monitors(folds()):
            for name, version in [*monitor.versions.items()]:
                yield [FeatureRow(model, name, *one) for one in version.reference.indices()]

    return rows


def estimate_rows(folds: Callable[[], Mapping[int, InputFold]]) -> Callable[[], Iterator[list[EstimateRow]]]:
    """Return a view of the folds' versions and what is counted of their scores, a model at a time."""

    def rows() -> Iterator[list[EstimateRow]]:
        for _, model, monitor in _monitors(folds()):
            yield [EstimateRow(model, name, version.confidence) for name, version in monitor.versions.items()]

    return rows


def maturity_rows(folds: Callable[[], Mapping[int, InputFold]]) -> Callable[[], Iterator[list[MaturityRow]]]:
    """Return a view of the folds' models and how far they are labelled, one at a time."""

    def rows() -> Iterator[list[MaturityRow]]:
        for fold, model, monitor in _monitors(folds()):
            yield [MaturityRow(model, monitor.health.maturity, fold.join.watermark)]

    return rows


def _monitors(folds: Mapping[int, InputFold]) -> Iterator[tuple[InputFold, str, Monitor]]:
    """Yield the folds' models; events may be folded between two of them."""
    for fold in [*folds.values()]:
        for model in [*fold.monitors]:  # made one at a time
            yield fold, model, fold.monitors[model]


def partition_rows(folds: Callable[[], Mapping[int, InputFold]]) -> Callable[[], Iterator[PartitionRow]]:
    """Return a view of the folds, by partition."""

    def rows() -> Iterator[PartitionRow]:
        for number, fold in sorted(folds().items()):
            join, size = fold.join, fold.size()
            models = len(fold.admission.judged), len(fold.admission.rolled_out)
            held = join.memory_entries
            yield PartitionRow(number, join.watermark, join.pending, *models, len(join), held, *size)

    return rows
