"""Shell. What a process looks at of itself while it runs, and says: its loop, its pace, its inputs, its Kafka."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, cast

import structlog

from stream.engine.driver import Consumer
from stream.engine.hanging import tell
from stream.engine.keeper import Keeper
from stream.engine.pace import Sight, Verdict, advice
from stream.engine.telemetry import EngineTelemetry
from stream.garbage import ALL_S, collect_all

if TYPE_CHECKING:
    from stream.engine.app import EngineApp

LOG = structlog.get_logger()
NAP_S, PACE_S = 0.01, 5.0


def measure(app: EngineApp, telemetry: EngineTelemetry) -> None:
    """Add the looks to the application's tasks, and to what a scrape asks."""

    async def measure_stalls() -> None:
        while not app.should_stop:
            slept_at = time.monotonic()
            await asyncio.sleep(NAP_S)
            telemetry.loop_stall.observe(max(0.0, time.monotonic() - slept_at - NAP_S))

    async def watch_pace() -> None:
        epoch = -1
        while not app.should_stop:
            await asyncio.sleep(PACE_S)
            epoch = look(app, telemetry, epoch)
            look_back(app, telemetry)
            app.custody.throttling.look(time.monotonic())

    async def collect_now_and_then() -> None:
        while not app.should_stop:
            await app.sleep(ALL_S)
            if not app.should_stop:
                collect_all()

    answered_at = telemetry.kafka_answered_at
    answered_at.set_function(lambda: cast(Consumer, app.consumer).fetching.answered_at())
    app.task(measure_stalls)
    app.task(collect_now_and_then)
    app.task(watch_pace)


def look(app: EngineApp, telemetry: EngineTelemetry, epoch: int) -> int:
    """Judge the pace anew, from the beginning if the assignment is not that of ``epoch``; return its epoch."""
    keeper: Keeper = app.keeper
    if keeper.epoch != epoch or keeper.restoring:
        app.pace.restart()
    before = app.pace.verdict
    waiting, _ = app.look_alive()
    verdict = app.pace.look(Sight(time.monotonic(), waiting, keeper.folded))
    telemetry.falls_behind.set(verdict is Verdict.FALLS_BEHIND)
    if verdict is not before:
        _tell(app, waiting)
    return keeper.epoch


def look_back(app: EngineApp, telemetry: EngineTelemetry) -> None:
    """Show what is held back of the inputs that are folded, and tell of what hangs there."""
    folds, ends = app.keeper.folds(), cast(Consumer, app.consumer).fetching.ends()
    mine = {tp: one for tp, one in ends.items() if tp.partition in folds}
    seen = app.held_back.look(mine, time.monotonic())
    telemetry.held(seen.held_s)
    for hang in seen.hangs:
        tell(hang)


def _tell(app: EngineApp, waiting: int) -> None:
    if app.pace.verdict is Verdict.KEEPS_UP:
        LOG.info("keeps up again", waiting=waiting)
        return
    LOG.warning(
        "cannot keep up",
        waiting=waiting,
        folded_per_s=round(app.pace.rate),
        growth_per_s=round(app.pace.growth),
        advice=advice(len(app.keeper.folds())),
    )
