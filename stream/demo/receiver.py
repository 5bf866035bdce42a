"""Shell. The teams' side: one real HTTP server that plays every team's webhook and PagerDuty."""

from __future__ import annotations

import base64
import secrets
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import tomli_w
from aiohttp import web
from standardwebhooks import Webhook

from stream.demo.recording import Teams
from stream.demo.verdict import Received


class Receivers:
    """What came, in order, and the secrets that webhooks must be signed with."""

    def __init__(self, teams: Teams) -> None:
        self._teams = teams
        names = (*teams.models, teams.default)
        self.secrets = {team: f"whsec_{base64.b64encode(secrets.token_bytes(32)).decode()}" for team in names}
        self.keys = {team: secrets.token_hex(16) for team in names}
        self.received: list[Received] = []
        self.url = ""

    async def webhook(self, request: web.Request) -> web.Response:
        """Take one webhook; a bad signature is refused and remembered."""
        team, body = request.match_info["team"], await request.read()
        hook = Webhook(self.secrets[team])
        try:
            content, signed = hook.verify(body, dict(request.headers)), True
        except Exception:  # the library raises its own error, and plain ones for a malformed header
            content, signed = {}, False
        self.received.append(Received(team, "webhook", time.time(), content, signed))
        return web.Response(status=204 if signed else 401)

    async def enqueue(self, request: web.Request) -> web.Response:
        """Take one PagerDuty event; the routing key says whose it is."""
        body = await request.json()
        team = next((team for team, key in self.keys.items() if key == body.get("routing_key")), "nobody")
        self.received.append(Received(team, "pagerduty", time.time(), body, signed=team != "nobody"))
        answer = {"status": "success", "message": "Event processed", "dedup_key": body.get("dedup_key")}
        return web.json_response(answer, status=202)

    def pages(self, kind: str) -> Sequence[Received]:
        """Return the webhooks of one type, such as ``incident.opened``."""
        return [one for one in self.received if one.kind == "webhook" and one.body.get("type") == kind]

    def report(self) -> dict[str, Any]:
        """Return what came as data: pages, resolves, and each page's latency from its proving event."""
        pages, resolves = self.pages("incident.opened"), self.pages("incident.resolved")
        proven = [(one.at, one.body["data"]["proven_at"]) for one in pages]
        return {
            "pages": [{"team": one.team, "accepted_at": one.at, **one.body["data"]} for one in pages],
            "resolves": [{"team": one.team, "accepted_at": one.at, **one.body["data"]} for one in resolves],
            "latency_s": [None if by is None else round(at - by, 3) for at, by in proven],
        }

    @asynccontextmanager
    async def serve(self) -> AsyncIterator[None]:
        """Listen on a free loopback port."""
        app = web.Application()
        app.router.add_post("/hooks/{team}", self.webhook)
        app.router.add_post("/v2/enqueue", self.enqueue)
        runner = web.AppRunner(app)
        await runner.setup()
        try:
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
            yield
        finally:
            await runner.cleanup()

    def write_owners(self, path: Path) -> None:
        """Write the owners file that sends every team's incidents here."""
        receivers: list[dict[str, str]] = []
        for team, key in self.keys.items():
            url, secret = f"{self.url}/hooks/{team}", self.secrets[team]
            receivers.append({"name": f"{team}-hook", "kind": "webhook", "url": url, "secret": secret})
            receivers.append(
                {"name": f"{team}-pd", "kind": "pagerduty", "base_url": self.url, "routing_key": key}
            )
        owners = [
            {"name": team, "models": list(models), "receivers": [f"{team}-hook", f"{team}-pd"]}
            for team, models in self._teams.models.items()
        ]
        name = self._teams.default
        default = {"name": name, "receivers": [f"{name}-hook", f"{name}-pd"]}
        # a story plays months in seconds: there is no "soon" after which a relapse is the same trouble
        rules = {"network": {"allow": ["127.0.0.0/8"]}, "grouping": {"reopen_s": 0}}
        tables = {**rules, "receiver": receivers, "owner": owners}
        path.write_text(tomli_w.dumps(tables | {"default_owner": default}))
