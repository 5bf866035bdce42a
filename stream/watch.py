"""Shell. What the stream worker tells its metrics and its log while it folds."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import structlog

from stream.events import Event, Finding
from stream.fold import InputFold, importance, watermark
from stream.join import Joined, Reason
from stream.telemetry import ModelRow, PartitionRow, Telemetry

PRODUCER_BUDGET = 50
"""Producers named as a label; the rest are "other"."""
LOG = structlog.get_logger("tidewatch.worker")


class FoldWatch:
    """Counts what folds do; the fold does not depend on it."""

    def __init__(self, telemetry: Telemetry) -> None:
        self._telemetry = telemetry
        self._producers: set[str] = set()

    def folded(self, event: Event) -> None:
        """Count an event by type."""
        self._telemetry.events.labels(type(event).__name__.lower()).inc()

    def joined(self, joined: Joined, reason: str) -> None:
        """Count what became of it, and how long its label took."""
        if reason == Reason.WAITING:
            return
        self._telemetry.joined.labels(reason).inc()
        if reason == Reason.MATCHED and joined.served is not None:
            self._telemetry.label_delay.observe(max(0.0, joined.outcome_at - joined.served.at))

    def refused(self, reason: str) -> None:
        """Count a dead letter."""
        self._telemetry.dead_letters.labels(reason).inc()

    def misrouted(self, producer: str) -> None:
        """Count a record in the wrong partition, by the producer's CloudEvents source."""
        known = producer in self._producers or len(self._producers) < PRODUCER_BUDGET
        self._producers |= {producer} if known else set()
        self._telemetry.misrouted.labels(producer if known else "other").inc()

    def found(self, finding: Finding) -> None:
        """Count and log a finding."""
        self._telemetry.findings.labels(finding.state).inc()
        LOG.info("finding", id=finding.id, state=finding.state, summary=finding.summary)


def model_rows(folds: Callable[[], Mapping[int, InputFold]]) -> Callable[[], Iterator[ModelRow]]:
    """Return a view of all series of the folds, the most important first."""

    def rows() -> Iterator[ModelRow]:
        series = [row for fold in folds().values() for row in fold.series()]
        for model, version, name, one, degraded in sorted(series, key=importance):
            yield ModelRow(
                model,
                version,
                name,
                one.metric,
                one.rollout(),
                one.recent(),
                one.predictions,
                one.outcomes,
                degraded,
                one.newest_at,
            )

    return rows


def partition_rows(folds: Callable[[], Mapping[int, InputFold]]) -> Callable[[], Iterator[PartitionRow]]:
    """Return a view of the folds, by partition."""

    def rows() -> Iterator[PartitionRow]:
        for number, fold in sorted(folds().items()):
            yield PartitionRow(number, watermark(fold), fold.join.pending, len(fold.monitors))

    return rows
