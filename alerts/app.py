"""Shell. ``tidewatch pager``: the one place where settings, owners, the engine and the delivery are wired."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click
import faust
import structlog
from prometheus_client import CollectorRegistry

from alerts.book import IncidentBook
from alerts.config import Roster
from alerts.config import load as load_owners
from alerts.delivery import Delivery
from alerts.http import Http
from alerts.intake import intake
from alerts.telemetry import BookFigures, Telemetry
from alerts.watch import FindingWatch
from stream.engine.app import Plan, build, run
from stream.engine.partition import PartitionFactory
from stream.settings import Settings, SettingsError
from stream.settings import load as load_settings
from stream.topics import demand

log = structlog.get_logger("tidewatch.pager")


@click.command()
@click.option("--config", type=click.Path(path_type=Path), metavar="FILE", help="The settings file (TOML).")
def pager(config: Path | None) -> None:
    """Turn findings into incidents and notify their owners."""
    settings, roster = configured(config, os.environ)
    topics = settings.topics
    demand(settings, (topics.findings, topics.incidents, topics.dead_letters), "tidewatch pager")
    run(assemble(settings, roster), started=lambda: _announce(roster))


def configured(config: Path | None, environ: Mapping[str, str]) -> tuple[Settings, Roster]:
    """Return the settings and what the owners file says.

    Raises:
        SettingsError: lists the faults of both; of the owners file too if a variable names it.
    """
    try:
        settings = load_settings(config)
    except SettingsError as faults:
        owners = environ.get("TIDEWATCH_PAGER_OWNERS")
        try:
            load_owners(Path(owners) if owners else None, environ)
        except SettingsError as more:
            raise SettingsError(f"{faults}\n{more}") from None
        raise
    return settings, load_owners(settings.pager.owners, environ)


def assemble(settings: Settings, roster: Roster) -> faust.App:
    """Return the pager's application. Findings come from one partition, so one pager at a time is active."""
    registry = CollectorRegistry()
    receivers = tuple(roster.receivers)
    telemetry = Telemetry(registry, receivers)
    http = Http()
    delivery = Delivery(roster.receivers, http.send, telemetry)
    registry.register(BookFigures(delivery.book, roster.owners.names(), receivers))
    watch = FindingWatch(telemetry)
    read = intake(settings.topics.dead_letters)

    def open_book(number: int, urge: Callable[[], None]) -> IncidentBook:
        book = IncidentBook(roster.owners, read, urge=urge, announce=delivery.wake, watch=watch)
        delivery.attach(book)
        return book

    app = build(_plan(settings, registry, open_book))
    _deliver(app, delivery, http)
    return app


def _plan(settings: Settings, registry: CollectorRegistry, open_book: PartitionFactory) -> Plan:
    return Plan(
        kafka=settings.kafka,
        group=settings.pager.group,
        inputs=(settings.topics.findings,),
        checkpoints=settings.topics.incidents,
        factory=open_book,
        registry=registry,
        host=settings.pager.host,
        port=settings.pager.port,
        checkpoint_interval_s=settings.pager.checkpoint_interval_s,
        restore_timeout_s=settings.pager.restore_timeout_s,
    )


def _deliver(app: Any, delivery: Delivery, http: Http) -> None:
    async def deliver() -> None:
        try:
            await delivery.run()
        except Exception as fault:
            await app.crash(fault)
            raise
        finally:
            await http.close()

    app.task(deliver)


def _announce(roster: Roster) -> None:
    owners = roster.owners
    log.info("pager started", owners=len(owners.owners), receivers=list(roster.receivers))
    for owner in (*owners.owners, owners.default):
        if not owner.receivers:
            log.error("owner has no receivers: its incidents reach nobody", owner=owner.name)
