"""Shell. The stream worker: ``tidewatch worker``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

import click
import structlog
from prometheus_client import CollectorRegistry

from stream.settings import Settings, load, strangers

if TYPE_CHECKING:
    from stream.engine.app import EngineApp, Plan
    from stream.engine.partition import PartitionFactory
    from stream.fold import InputFold
    from stream.ranked import Shown
    from stream.rules import Rules

LOG = structlog.get_logger()
GROWN = (
    "the inputs have grown beyond topics.partitions; what is here is forwarded, but the next start is refused:"
    " see Rescale in docs/operations.md"
)


@click.command()
@click.option("--config", type=click.Path(path_type=Path), help="Settings file; the environment comes first.")
def worker(config: Path | None) -> None:
    """Join predictions with outcomes, judge every model, and write findings."""
    from stream.engine.process import run
    from stream.topics import demand

    settings = load(config)
    for line in strangers():
        click.echo(f"tidewatch worker: {line}", err=True)
    demand(settings, "tidewatch worker", **uses(settings))
    run(build(settings))


def uses(settings: Settings) -> dict[str, Sequence[str]]:
    """Return which topics a worker ``reads``, and which it ``writes``."""
    topics = settings.topics
    both = (*topics.inputs(), topics.checkpoints)  # what is in a wrong partition of an input is written anew
    return {"reads": both, "writes": (*both, topics.findings, topics.dead_letters)}


def build(settings: Settings) -> EngineApp:
    """Return the worker's Faust application."""
    from stream.engine import app as engine
    from stream.fold import InputFold
    from stream.stores import Stores
    from stream.telemetry import PartitionFigures, Telemetry
    from stream.topic_watch import topic_watch
    from stream.watch import FoldWatch, partition_rows

    registry = CollectorRegistry()
    telemetry = Telemetry(registry, settings.worker.model_budget)
    watch, rules, stores = FoldWatch(telemetry), rules_of(settings), Stores(settings.worker.data_dir)
    telemetry.cache_bytes.set_function(stores.cache_bytes)

    def factory(number: int, urge: Callable[[], None]) -> InputFold:
        if number >= settings.topics.partitions:
            LOG.warning("more partitions", partition=number, wanted=settings.topics.partitions, meaning=GROWN)
        return InputFold(number, rules, watch, stores.open(number))

    def folds() -> Mapping[int, InputFold]:
        return cast("Mapping[int, InputFold]", made.keeper.folds())

    registry.register(PartitionFigures(partition_rows(folds)))
    figures = _of_models(folds, settings.worker.series_budget)
    of_models = CollectorRegistry()
    for one in figures:
        of_models.register(one)

    async def refresh() -> None:
        for one in figures:
            await one.refresh()

    made = engine.build(
        replace(_plan(settings, factory, registry), figures=of_models, before_figures=refresh)
    )
    made.task(topic_watch(settings, registry, **uses(settings)).run)
    return made


def _of_models(folds: Callable[[], Mapping[int, InputFold]], series_budget: int) -> Sequence[Shown]:
    """Return what is made of models for a scrape, in the order in which it is shown."""
    from stream.estimate_figures import EstimateFigures
    from stream.feature_figures import FeatureFigures
    from stream.maturity_figures import MaturityFigures
    from stream.model_figures import WHOLE, ModelFigures
    from stream.watch import estimate_rows, feature_rows, maturity_rows, model_chunks

    budget = max(series_budget // WHOLE, 1)
    return (
        FeatureFigures(feature_rows(folds), series_budget),
        MaturityFigures(maturity_rows(folds), budget),
        EstimateFigures(estimate_rows(folds), budget),
        ModelFigures(model_chunks(folds), series_budget),
    )


def _plan(settings: Settings, factory: PartitionFactory, registry: CollectorRegistry) -> Plan:
    from stream.engine.app import Plan

    own = settings.worker
    return Plan(
        kafka=settings.kafka,
        group=own.group,
        inputs=settings.topics.inputs(),
        outputs=(*settings.topics.inputs(), settings.topics.findings, settings.topics.dead_letters),
        checkpoints=settings.topics.checkpoints,
        factory=factory,
        registry=registry,
        host=own.host,
        port=own.port,
        checkpoint_interval_s=own.checkpoint_interval_s,
        restore_timeout_s=own.restore_timeout_s,
        batch_size=own.batch_size,
        instance=own.instance,
    )


def rules_of(settings: Settings) -> Rules:
    """Return what a fold needs of the settings."""
    from stream.references import read_references
    from stream.rules import Rules
    from stream.version import Judgement

    return Rules(
        judgement=Judgement(
            delta=settings.monitor.delta,
            warmup=settings.monitor.warmup,
            minimum_increase=settings.monitor.minimum_increase,
            false_pages_per_week=settings.monitor.false_pages_per_week,
            models_per_team=settings.monitor.models_per_team,
            references=read_references(settings.monitor.reference),
            objectives=settings.monitor.objectives(),
            slice_budget=settings.worker.slice_budget,
        ),
        tolerance=settings.worker.tolerance,
        label_horizon_s=settings.worker.label_horizon_s,
        pending_budget=settings.worker.pending_budget,
        memory_entries=settings.worker.memory_entries,
        model_budget=settings.worker.model_budget,
        findings=settings.topics.findings,
        dead_letters=settings.topics.dead_letters,
        partitions=settings.topics.partitions,
    )
