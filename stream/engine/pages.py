"""Shell. What a process answers over HTTP: metrics, whether it is alive, and what it owns."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, cast

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry

from stream.engine.driver import Consumer
from stream.engine.keeper import Keeper
from stream.engine.pace import Verdict, advice
from stream.engine.scrape import Rendered, rendered

if TYPE_CHECKING:
    from stream.engine.app import EngineApp


def serve(app: EngineApp, registry: CollectorRegistry, figures: Rendered) -> None:
    """Add the pages to the application; a scrape is told ``registry`` as it is, then ``figures``."""

    async def metrics(web: Any, _request: Any) -> Any:
        app.look_alive()
        text = await rendered(registry) + await figures.text()
        return web.bytes(text, headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def health(web: Any, _request: Any) -> Any:
        said = health_of(app)
        return web.json(said, status=503 if said["stalled"] else 200)

    async def ready(web: Any, _request: Any) -> Any:
        folded = folded_by(app.keeper)
        return web.json({"partitions": folded}, status=200 if folded else 503)

    app.page("/metrics")(metrics)
    app.page("/healthz")(health)
    app.page("/readyz")(ready)


def folded_by(keeper: Keeper) -> list[int]:
    """Return the partitions that ``/readyz`` says: those owned, and none before all of them are restored."""
    return [] if keeper.restoring else sorted(keeper.folds())


def health_of(app: EngineApp) -> dict[str, Any]:
    """Return what ``/healthz`` says."""
    waiting, is_stalled = app.look_alive()
    said: dict[str, Any] = {"stalled": is_stalled, "waiting": waiting, "folded": app.keeper.folded}
    said["pace"] = app.pace.verdict
    now = time.monotonic()
    if waits := app.custody.throttling.waits(now):
        said["throttled"] = waits
    if cast(Consumer, app.consumer).fetching.is_away(now):
        said["kafka"] = "away"
    if app.pace.verdict is Verdict.FALLS_BEHIND:
        said["advice"] = advice(len(app.keeper.folds()))
    return said
