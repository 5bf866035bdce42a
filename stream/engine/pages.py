"""Shell. What a process answers over HTTP: metrics, whether it is alive, and what it owns."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry

from stream.engine.keeper import Keeper
from stream.engine.pace import Verdict, advice
from stream.engine.scrape import Rendered, rendered

if TYPE_CHECKING:
    from stream.engine.app import EngineApp

STALL_S = 60.0
"""Records waiting and none folded for this long means the process is not alive."""


def serve(app: EngineApp, registry: CollectorRegistry, figures: Rendered) -> None:
    """Add the pages to the application; a scrape is told ``registry`` as it is, then ``figures``."""
    keeper: Keeper = app.keeper

    async def metrics(web: Any, _request: Any) -> Any:
        keeper.measure_lag(app.consumer.highwater)
        text = await rendered(registry) + await figures.text()
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
