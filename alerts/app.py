"""Shell. ``tidewatch pager``: the one place where settings, owners, the engine and the delivery are wired."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import click
import faust
import structlog
from prometheus_client import CollectorRegistry

from alerts.api import Api, serve
from alerts.audit import Audit
from alerts.badge import Failures
from alerts.book import IncidentBook
from alerts.clock import clock
from alerts.config import Roster
from alerts.config import load as load_owners
from alerts.courier import Courier
from alerts.delivery import Delivery
from alerts.doors import Desk
from alerts.edition import Edition
from alerts.http import Http
from alerts.intake import intake, undelivered
from alerts.refresh import Refresh
from alerts.shelf import Shelf
from alerts.smtp import Smtp
from alerts.telemetry import BookFigures, Telemetry
from alerts.watch import FindingWatch
from stream.engine.app import Plan, build
from stream.engine.connection import client_options
from stream.engine.partition import PartitionFactory
from stream.engine.process import run
from stream.engine.skew import Skew
from stream.settings import Settings, SettingsError, strangers
from stream.settings import load as load_settings
from stream.topic_watch import topic_watch
from stream.topics import demand

log = structlog.get_logger("tidewatch.pager")
Work = Callable[[], Coroutine[Any, Any, None]]


@click.command()
@click.option("--config", type=click.Path(path_type=Path), metavar="FILE", help="The settings file (TOML).")
def pager(config: Path | None) -> None:
    """Turn findings into incidents and notify their owners."""
    settings, roster = configured(config, os.environ)
    for line in strangers():
        click.echo(f"tidewatch pager: {line}", err=True)
    demand(settings, "tidewatch pager", **uses(settings, roster))
    run(assemble(settings, roster), started=lambda: _announce(roster))


def uses(settings: Settings, roster: Roster) -> dict[str, Sequence[str]]:
    """Return which topics a pager ``reads``, and which it ``writes``."""
    topics = settings.topics
    asked = () if roster.desk is None else (topics.findings,)  # what people ask for goes there
    return {
        "reads": (topics.findings, topics.incidents),
        "writes": (topics.incidents, topics.dead_letters, *asked),
    }


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
    registry, skew = CollectorRegistry(), Skew()
    receivers = (*roster.receivers, *roster.heralds)
    telemetry = Telemetry(registry, receivers, [feed.name for feed in roster.feeds])
    courier = Courier(Http(guard=roster.guard, ca_file=roster.ca_file), Smtp(ca_file=roster.ca_file))
    delivery = Delivery(
        roster.receivers,
        courier.send,
        telemetry,
        limits=roster.limits,
        heralds=roster.heralds,
        digest_over=roster.digest_over,
        now=skew.now,
    )
    audit = Audit(delivery.book, courier.send, telemetry, roster.heartbeat, skew.now)
    registry.register(BookFigures(delivery.held, roster.owners.names(), receivers))
    watch, read = FindingWatch(telemetry), intake(settings.topics.dead_letters)

    def open_book(number: int, urge: Callable[[], None]) -> IncidentBook:
        book = IncidentBook(
            roster.owners,
            read,
            urge=urge,
            look_again=lambda: app.keeper.look_again(number),
            announce=delivery.wake,
            watch=watch,
            fallbacks=roster.fallbacks,
            letter=undelivered(settings.topics.dead_letters),
        )
        delivery.attach(book)
        return book

    app = build(_plan(settings, registry, open_book, skew))
    ticking = partial(clock, delivery.book, skew.known)
    _run_beside(app, delivery.run, audit.run, ticking)
    _run_beside(app, *_lookouts(settings.pager.owners, roster, courier, telemetry))
    _look_after(app, settings, roster, registry)
    _close_at_the_end(app, courier)
    return app


def _look_after(app: Any, settings: Settings, roster: Roster, registry: CollectorRegistry) -> None:
    """Look at the topics, and answer people, beside the paging."""
    _run_beside(app, topic_watch(settings, registry, **uses(settings, roster)).run)
    if roster.desk is not None:
        _run_beside(app, partial(_answer, settings, roster, roster.desk))


def _plan(settings: Settings, registry: CollectorRegistry, open_book: PartitionFactory, skew: Skew) -> Plan:
    return Plan(
        kafka=settings.kafka,
        group=settings.pager.group,
        inputs=(settings.topics.findings,),
        outputs=(settings.topics.dead_letters,),
        checkpoints=settings.topics.incidents,
        factory=open_book,
        registry=registry,
        host=settings.pager.host,
        port=settings.pager.port,
        checkpoint_interval_s=settings.pager.checkpoint_interval_s,
        restore_timeout_s=settings.pager.restore_timeout_s,
        skew=skew,
    )


def _lookouts(path: Path | None, roster: Roster, courier: Courier, telemetry: Telemetry) -> Iterator[Work]:
    """Yield what looks whether the files and calendars that were read at the start have changed."""
    yield Refresh(roster.feeds, courier.fetch, telemetry).run
    if path is not None:
        yield Edition(path, roster.edition, partial(load_owners, path, os.environ), telemetry).run


def _run_beside(app: Any, *works: Work) -> None:
    """Run each work as long as the application; a fault in one ends it, so that it can't go unseen."""

    def task(work: Work) -> Work:
        async def guarded() -> None:
            try:
                await work()
            except Exception as fault:
                await app.crash(fault)
                raise

        return guarded

    for work in works:
        app.task(task(work))


async def _answer(settings: Settings, roster: Roster, desk: Desk) -> None:
    """Answer people: every pager does, the ones that stand by included."""
    shelf = Shelf(client_options(settings.kafka), settings.topics.incidents, settings.topics.findings)
    try:
        await serve(desk.host, desk.port, Api(shelf, desk.badges, Failures(), roster.links), shelf.run())
    finally:
        await shelf.close()


def _close_at_the_end(app: Any, courier: Courier) -> None:
    async def wait() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await courier.close()

    app.task(wait)


def _announce(roster: Roster) -> None:
    owners = roster.owners
    log.info("pager started", owners=len(owners.owners), receivers=list(roster.receivers))
    for owner in (*owners.owners, owners.default):
        if not owner.receivers:
            log.error("owner has no receivers: its incidents reach nobody", owner=owner.name)
