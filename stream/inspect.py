"""Shell. The figures as the checkpoints hold them: ``tidewatch figures``.

Reads the ``checkpoints`` topic as a restore would, beside the workers and without disturbing them, so it tells
what would survive if every worker died now.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from stream.engine.connection import client_options
from stream.settings import Settings, load

if TYPE_CHECKING:
    from aiokafka import AIOKafkaConsumer

    from stream.fold import InputFold
    from stream.series import Series

COUNTS = ("predictions", "outcomes", "late", "duplicates", "corrected", "unmatched", "loss_total")


@click.command()
@click.option("--config", type=click.Path(path_type=Path), help="Settings file; the environment comes first.")
def figures(config: Path | None) -> None:
    """Print what the checkpoints hold: one JSON object a line for each partition, model and series."""
    asyncio.run(_print(load(config)))


async def _print(settings: Settings) -> None:
    async for row in rows(settings):
        click.echo(msgspec.json.encode(row))


async def rows(settings: Settings) -> AsyncIterator[dict[str, Any]]:
    """Yield a ``partition`` row with its offsets, then its ``model`` and ``series`` rows, by partition.

    Raises:
        CheckpointError, StateError: a record has a schema that this release does not read.
    """
    from stream.engine.checkpoint import reader

    async with reader(client_options(settings.kafka)) as consumer:
        for number in range(settings.topics.partitions):
            offsets, fold = await restored(consumer, settings, number)
            yield {"kind": "partition", "partition": number, "offsets": offsets, "models": len(fold.monitors)}
            for row in _rows_of(fold):
                yield row


async def restored(
    consumer: AIOKafkaConsumer, settings: Settings, number: int
) -> tuple[dict[str, int], InputFold]:
    """Return the input offsets and the fold of one partition's newest committed checkpoint."""
    from aiokafka import TopicPartition
    from prometheus_client import CollectorRegistry

    from stream.app import rules_of
    from stream.engine.checkpoint import MARKER, Marker, read_range
    from stream.fold import InputFold
    from stream.telemetry import Telemetry
    from stream.watch import FoldWatch

    tp = TopicPartition(settings.topics.checkpoints, number)
    start = (await consumer.beginning_offsets([tp]))[tp]
    end = (await consumer.end_offsets([tp]))[tp]
    newest: dict[bytes, bytes | None] = {}
    async for batch in read_range(consumer, tp, start, end):
        newest.update((record.key, record.value) for record in batch)
    marker = newest.pop(MARKER, None)
    fold = InputFold(number, rules_of(settings), FoldWatch(Telemetry(CollectorRegistry())))
    for key, value in newest.items():
        if value is not None:
            fold.restore(key, value)
    return msgspec.json.decode(marker, type=Marker).offsets if marker else {}, fold


def _rows_of(fold: InputFold) -> Iterator[dict[str, Any]]:
    for model, monitor in sorted(fold.monitors.items()):
        yield {"kind": "model", "model": model, "counts": dict(sorted(monitor.counts.items()))}
    for model, version, name, series, degraded in sorted(fold.series(), key=lambda row: row[:3]):
        yield {"kind": "series", "model": model, "version": version, "slice": name} | _counts(
            series, degraded
        )


def _counts(series: Series, degraded: bool) -> dict[str, Any]:
    figure = series.rollout()
    return {
        "metric": series.metric,
        "figure": None if math.isnan(figure) else figure,
        "degraded": degraded,
        **{name: getattr(series, name) for name in COUNTS if hasattr(series, name)},
    }
