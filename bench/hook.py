"""Shell. The webhook receiver of the pager's benchmark: what came, when, and under which ids."""

from __future__ import annotations

import asyncio
import json
import time
from collections import defaultdict
from typing import Any

from aiohttp import web

SECRET = "whsec_YmVuY2gtYmVuY2gtYmVuY2gtYmVuY2gtYmVuY2g="


class Hook:
    """A webhook receiver that remembers when each incident was opened, and under which ids."""

    def __init__(self) -> None:
        self.opened_at: dict[str, float] = {}
        self.ids: dict[str, set[str]] = defaultdict(set)
        self.models: dict[str, str] = {}
        self.repeats = 0
        self.delay_s = 0.0
        self.url = ""

    async def take(self, request: web.Request) -> web.Response:
        """Take one webhook."""
        now = time.time()
        body = json.loads(await request.read())
        incident, name = body["data"]["incident_id"], request.headers["webhook-id"]
        self.repeats += name in self.ids[incident]
        self.opened_at.setdefault(incident, now)
        self.ids[incident].add(name)
        self.models.setdefault(body["data"]["model"], incident)
        await asyncio.sleep(self.delay_s)
        return web.Response(status=204)

    async def start(self) -> web.AppRunner:
        """Listen on a free loopback port; the caller cleans up."""
        app = web.Application()
        app.router.add_post("/{team}", self.take)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        return runner

    def receiver(self, name: str) -> dict[str, Any]:
        """Return its table in an owners file, under this name."""
        url = f"{self.url}/{name}"
        return {"name": name, "kind": "webhook", "url": url, "secret": SECRET, "per_minute": 6_000}
