"""Shell. What a process answers over HTTP: metrics, whether it is alive, and what it owns."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from stream.engine.keeper import Keeper
from stream.engine.pace import Verdict, advice

if TYPE_CHECKING:
    from stream.engine.app import EngineApp

STALL_S = 60.0
"""Records waiting and none folded for this long means the process is not alive."""


def serve(app: EngineApp, registry: CollectorRegistry, before_scrape: Callable[[], Awaitable[None]]) -> None:
    """Add the pages to the application; ``before_scrape`` brings what ``registry`` shows up to date."""
    keeper: Keeper = app.keeper

    async def metrics(web: Any, _request: Any) -> Any:
        keeper.measure_lag(app.consumer.highwater)
        await before_scrape()
        said = Collected([*registry.collect()])
        text = await asyncio.to_thread(generate_latest, said)  # nothing of it is live any more
        return web.bytes(text, headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def health(web: Any, _request: Any) -> Any:
        said, is_stalled = _health(app)
        return web.json(said, status=503 if is_stalled else 200)

    async def ready(web: Any, _request: Any) -> Any:
        owned = sorted(keeper.folds())
        return web.json({"partitions": owned}, status=200 if owned else 503)

    app.page("/metrics")(metrics)
    app.page("/healthz")(health)
    app.page("/readyz")(ready)


def _health(app: EngineApp) -> tuple[dict[str, Any], bool]:
    keeper: Keeper = app.keeper
    waiting = keeper.measure_lag(app.consumer.highwater)
    idle_s = time.monotonic() - keeper.progressed_at
    is_moving = keeper.restoring or app.rebalancing
    is_stalled = bool(waiting) and idle_s > STALL_S and not is_moving
    said: dict[str, Any] = {"stalled": is_stalled, "waiting": waiting, "pace": app.pace.verdict}
    if app.pace.verdict is Verdict.FALLS_BEHIND:
        said["advice"] = advice(len(keeper.folds()))
    return said, is_stalled


class Collected(Collector):
    """Metrics as they were when collected."""

    def __init__(self, metrics: Sequence[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> Sequence[Metric]:
        """Return them."""
        return self._metrics
