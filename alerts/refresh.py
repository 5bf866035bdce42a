"""Shell. Fetches the rotas that have a URL, and reads those of files again, as long as the pager runs.

What fails leaves the last good ones.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence

import structlog

from alerts.answer import Fetched, Refused, RetryLater
from alerts.feed import FETCHED, Feed
from alerts.telemetry import Telemetry

log = structlog.get_logger("tidewatch.pager")
Fetch = Callable[[str], Awaitable[Fetched | RetryLater | Refused]]


class Refresh:
    """One task for each feed, so that a slow one delays no other."""

    def __init__(self, feeds: Sequence[Feed], fetch: Fetch, telemetry: Telemetry) -> None:
        self._feeds = feeds
        self._fetch = fetch
        self._telemetry = telemetry

    async def run(self) -> None:
        """Refresh until cancelled; the first time at once."""
        async with asyncio.TaskGroup() as tasks:
            for feed in self._feeds:
                tasks.create_task(self._follow(feed), name=f"rota-{feed.name}")

    async def _follow(self, feed: Feed) -> None:
        while True:
            reason, strangers = await refreshed(feed, self._fetch)
            self._telemetry.refreshes.labels(feed.name, reason).inc()
            if reason == FETCHED:
                self._telemetry.rota_fetched_at.labels(feed.name).set(time.time())
            else:
                log.warning(
                    "rota not refreshed", rota=feed.name, reason=reason, has_one=feed.rota.rota is not None
                )
            if strangers:
                log.error("rota gives turns to names that are no receivers", rota=feed.name, names=strangers)
            await asyncio.sleep(feed.refresh_s)


async def refreshed(feed: Feed, fetch: Fetch) -> tuple[str, tuple[str, ...]]:
    """Fetch or read a rota once; return how that ended, and the names in it that no receiver has."""
    if not feed.url:
        return await asyncio.to_thread(feed.look)
    answer = await fetch(feed.url)
    if not isinstance(answer, Fetched):
        return answer.reason, ()
    return await asyncio.to_thread(feed.take, answer.body)
