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
from stream.estimates import estimates_of
from stream.figures.rows import windows_of
from stream.figures.windows import ROLLOUT
from stream.lineage import told_of
from stream.settings import Settings, load

if TYPE_CHECKING:
    from aiokafka import AIOKafkaConsumer

    from stream.fold import InputFold
    from stream.series import Series

COUNTS = ("predictions", "outcomes", "late", "duplicates", "corrected", "unmatched", "loss_total")


@click.command()
@click.option("--config", type=click.Path(path_type=Path), help="Settings file; the environment comes first.")
def figures(config: Path | None) -> None:
    """Print what the checkpoints hold: a JSON object a line, of partitions, models, versions, series, windows."""
    from stream.engine.checkpoint import CheckpointError
    from stream.state import MonitorStateError
    from stream.topics import demand, named_if_lost

    settings = load(config)
    demand(settings, "tidewatch figures", reads=(settings.topics.checkpoints,))
    try:
        with named_if_lost(settings):
            asyncio.run(_print(settings))
    except (CheckpointError, MonitorStateError) as fault:
        raise click.ClickException(str(fault)) from fault


async def _print(settings: Settings) -> None:
    async for row in rows(settings):
        click.echo(msgspec.json.encode(row))


async def rows(settings: Settings) -> AsyncIterator[dict[str, Any]]:
    """Yield a ``partition`` row with its offsets, then ``model``, ``version``, ``series`` and ``windows`` ones.

    Raises:
        CheckpointError, MonitorStateError: a record has a schema that this release does not read.
    """
    from stream.engine.reading import reader

    async with reader(client_options(settings.kafka)) as consumer:
        for number in range(settings.topics.partitions):
            offsets, fold = await restored(consumer, settings, number)
            yield {"kind": "partition", "partition": number, "offsets": offsets, "models": len(fold.monitors)}
            for row in _rows_of(fold):
                yield row
            fold.close()


async def restored(
    consumer: AIOKafkaConsumer, settings: Settings, number: int
) -> tuple[dict[str, int], InputFold]:
    """Return the input offsets and the fold of one partition's newest committed checkpoint."""
    from aiokafka import TopicPartition
    from prometheus_client import CollectorRegistry

    from stream.app import rules_of
    from stream.engine.checkpoint import read_checkpoint
    from stream.fold import InputFold
    from stream.pending import MemoryStore
    from stream.telemetry import Telemetry
    from stream.watch import FoldWatch

    watch = FoldWatch(Telemetry(CollectorRegistry(), settings.worker.model_budget))
    # what waits for its outcome is on the worker's own disk, and no figure
    fold = InputFold(number, rules_of(settings), watch, MemoryStore())
    tp = TopicPartition(settings.topics.checkpoints, number)
    return (await read_checkpoint(consumer, tp, fold)).offsets, fold


def _rows_of(fold: InputFold) -> Iterator[dict[str, Any]]:
    for model, monitor in sorted(fold.monitors.items()):
        yield {"kind": "model", "model": model, "counts": dict(sorted(monitor.counts.items()))}
        for number, one in sorted(monitor.versions.items()):
            yield {
                "kind": "version",
                "model": model,
                "version": number,
                "estimate": estimates_of(one.confidence),
                "trained_until": monitor.trained.get(number),
            }
    found = (
        (model, version, name, series)
        for model, monitor in fold.monitors.items()
        for version, whole in monitor.versions.items()
        for name, series in whole.series.items()
    )
    for model, version, name, series in sorted(found, key=lambda row: row[:3]):
        monitor = fold.monitors[model]
        is_told = name in told_of(monitor.lineage, version)
        yield {"kind": "series", "model": model, "version": version, "slice": name} | _counts(series, is_told)
        sums = monitor.versions[version].sums
        yield {
            "kind": "windows",
            "model": model,
            "version": version,
            "slice": name,
            "until_at": sums.total(ROLLOUT).until_at,
            "windows": windows_of(sums, series.place, name),
        }


def _counts(series: Series, is_told: bool) -> dict[str, Any]:
    figure = series.rollout()
    return {
        "metric": series.metric,
        "figure": None if math.isnan(figure) else figure,
        "degraded": is_told or series.finding is not None,
        **{name: getattr(series, name) for name in COUNTS},
    }
