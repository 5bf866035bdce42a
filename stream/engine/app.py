"""Shell. The Faust application around a keeper of folds: agent, checkpoints, metrics and health."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, cast
from uuid import uuid4

import faust
from faust.types import TP
from prometheus_client import CollectorRegistry
from yarl import URL

from stream.engine.connection import client_options, ssl_context
from stream.engine.custody import Custody
from stream.engine.driver import BatchSchema, Consumer, Transport
from stream.engine.hanging import LOOK_S
from stream.engine.held_back import HeldBack
from stream.engine.keeper import Keeper
from stream.engine.liveness import Liveness
from stream.engine.looks import measure
from stream.engine.pace import Pace
from stream.engine.pages import serve
from stream.engine.partition import PartitionFactory
from stream.engine.probe import probe
from stream.engine.scrape import Rendered
from stream.engine.skew import Skew
from stream.engine.takeover import Takeover
from stream.engine.telemetry import EngineTelemetry
from stream.engine.throttling import Throttling
from stream.garbage import out_of_sight
from stream.settings import KafkaSettings

AHEAD = 4
"""Fetched batches that wait for the fold: enough that it never waits for Kafka, few enough to stay small."""
TICK_S, URGENT_PAUSE_S = 0.1, 0.02
FENCED_SESSIONS = 1.5
"""A process that is still fenced after so many sessions, and that the group counts on, was fenced by one that came
too late: nobody folds for it."""
RESTORES = 2.0
"""How many times the longest restore Faust and aiokafka wait for one: it ends itself before, and says why."""
FENCED = (
    "fenced, and no rebalance since: start again to take part anew; if it comes again, another deployment has"
    " the group {!r} too, which names the transactions (want one each), or Kafka is slow: see the log"
)


class Fenced(Exception):
    """Another process took a partition over, and the group gave it back to nobody. Start this one again."""


async def _nothing() -> None: ...


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What an engine process is made of.

    ``inputs`` have the same partition count as ``checkpoints``; folds write to ``outputs``.
    """

    kafka: KafkaSettings
    group: str
    inputs: Sequence[str]
    outputs: Sequence[str]
    checkpoints: str
    factory: PartitionFactory
    registry: CollectorRegistry
    host: str
    port: int
    checkpoint_interval_s: float
    restore_timeout_s: float
    batch_size: int = 1_000
    instance: str | None = None
    skew: Skew = field(default_factory=Skew)
    figures: CollectorRegistry = field(default_factory=CollectorRegistry)
    before_figures: Callable[[], Awaitable[None]] = _nothing
    """Awaited before ``figures`` are made, which are costly; must give the loop back every few milliseconds."""


class EngineApp(faust.App):
    """A Faust application that knows the keeper of its folds, and keeps nothing in folders of its own."""

    keeper: Keeper
    takeover: Takeover
    pace: Pace
    liveness: Liveness
    held_back: HeldBack[TP]
    custody: Custody

    def _create_directories(self) -> None:
        """Leave the current folder alone: Faust's folders are for its tables, and there are none."""

    async def on_stop(self) -> None:
        """Give a restore up first: the last checkpoint would wait for its end."""
        self.takeover.void()
        await super().on_stop()

    def look_alive(self) -> tuple[int, bool]:
        """Return how many records wait, and whether some of them wait in vain."""
        consumer, now = cast(Consumer, self.consumer), time.monotonic()
        lags = self.keeper.measure_lag(consumer.end)
        is_kept = self.custody.throttling.keeps(now) or consumer.fetching.is_away(now)
        is_kept = is_kept or self.keeper.restoring or self.rebalancing
        is_stalled = self.liveness.look(lags, now, is_kept=is_kept)
        return sum(lag.waiting for lag in lags.values()), is_stalled


def build(plan: Plan) -> EngineApp:
    """Return the application; ``run`` starts it. Its ``keeper`` holds the live folds."""
    app = EngineApp(plan.group, **_options(plan))
    app.transport = Transport(app.conf.broker, app)
    telemetry = EngineTelemetry(plan.registry)
    app.custody = _custody(plan, telemetry)
    telemetry.clock_skew.set_function(lambda: plan.skew.shown)
    app.keeper, app.takeover = Keeper(app.custody, telemetry), Takeover(plan.restore_timeout_s)
    app.pace, app.liveness, app.held_back = Pace(), Liveness(), HeldBack()
    _feed(app, plan.inputs)
    _tick(app, FENCED_SESSIONS * plan.kafka.session_timeout_s)
    _follow(app)
    measure(app, telemetry)
    made = telemetry.figures_made_at.set
    figures = Rendered(plan.figures, plan.before_figures, epoch=lambda: app.keeper.epoch, made=made)
    serve(app, plan.registry, figures)
    return app


def _options(plan: Plan) -> dict[str, Any]:
    patience_s = max(1_000.0, RESTORES * plan.restore_timeout_s)
    connection = {
        "broker": [URL(f"aiokafka://{broker}") for broker in plan.kafka.brokers],
        "broker_client_id": plan.kafka.client_id,
        "broker_credentials": _credentials(plan.kafka),
        "broker_commit_interval": plan.checkpoint_interval_s,
        "broker_max_poll_records": plan.batch_size,
        "broker_session_timeout": plan.kafka.session_timeout_s,
        "broker_heartbeat_interval": plan.kafka.session_timeout_s / 5,
        "broker_request_timeout": patience_s,
        "broker_max_poll_interval": patience_s,
        "consumer_group_instance_id": plan.instance,
    }
    # aiokafka would go on at the log's start without a word; the driver does, and says what is lost
    connection["consumer_auto_offset_reset"] = "none"
    # Kafka gives a static member that starts again the assignment it had, and Faust wants its own address in there
    connection["canonical_url"] = URL("http://worker") / (plan.instance or uuid4().hex)
    web = {"web_host": plan.host, "web_bind": plan.host, "web_port": plan.port}
    features = ("topic_allow_declare", "web_tables_enabled", "web_router_enabled", "web_graph_enabled")
    off = dict.fromkeys((*features, "web_stats_enabled", "worker_redirect_stdouts"), False)
    return {**connection, **web, **off, "stream_buffer_maxsize": AHEAD, "topic_disable_leader": True}


def _custody(plan: Plan, telemetry: EngineTelemetry) -> Custody:
    return Custody(
        options=client_options(plan.kafka),
        group=plan.group,
        inputs=tuple(plan.inputs),
        outputs=tuple(plan.outputs),
        checkpoints=plan.checkpoints,
        factory=plan.factory,
        interval_s=plan.checkpoint_interval_s,
        probe=probe(os.environ),
        throttling=Throttling(telemetry.throttle),
        skew=plan.skew,
    )


def _credentials(kafka: KafkaSettings) -> Any:
    tls = ssl_context(kafka) if kafka.security_protocol.endswith("SSL") else None
    if kafka.security_protocol.startswith("SASL"):
        return faust.SASLCredentials(
            username=kafka.sasl_username,
            password=kafka.password(),
            mechanism=kafka.sasl_mechanism,
            ssl_context=tls,
        )
    return faust.SSLCredentials(tls) if tls else None


def _feed(app: EngineApp, inputs: Sequence[str]) -> None:
    keeper: Keeper = app.keeper

    async def fold(batches: Any) -> None:
        async for batch in batches:
            try:
                for part in batch.parts():
                    is_behind = True
                    while is_behind:
                        while keeper.is_full():
                            await app.consumer.commit()
                        await keeper.precedence.rest()
                        with out_of_sight():
                            is_behind = keeper.apply(part) and not (app.rebalancing or app.should_stop)
                        await asyncio.sleep(0)  # a queue that is not empty never yields
            except Exception as fault:
                # Faust would acknowledge the batch and go on; a hole in the state is worse than a stop.
                keeper.release()
                await app.crash(fault)
                raise

    app.agent(app.topic(*inputs, schema=BatchSchema()))(fold)


def _tick(app: EngineApp, fenced_s: float) -> None:
    keeper: Keeper = app.keeper

    async def checkpoint_when_due() -> None:
        while not app.should_stop:
            with suppress(TimeoutError):
                await asyncio.wait_for(keeper.urgent.wait(), TICK_S)
            await app.consumer.commit()
            if keeper.fenced_at is not None and time.monotonic() - keeper.fenced_at > fenced_s:
                await app.crash(Fenced(FENCED.format(app.conf.id)))
                return
            await asyncio.sleep(URGENT_PAUSE_S)

    app.task(checkpoint_when_due)


def _follow(app: EngineApp) -> None:
    async def tell_who_caught_up() -> None:
        while not app.should_stop:
            await app.keeper.catch_up(cast(Consumer, app.consumer).fetching.fetched)
            await asyncio.sleep(TICK_S)

    async def end_what_is_hidden() -> None:
        while not app.should_stop:
            await app.sleep(LOOK_S)
            if not app.should_stop:
                await app.keeper.end_hidden()

    app.task(tell_who_caught_up)
    app.task(end_what_is_hidden)
