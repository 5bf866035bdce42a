"""Shell. The pager's HTTP API and the page that a notification's link opens, on aiohttp, which Faust brings.

There are no cookies: an API call carries a bearer token, a page its own signed pass, and the page's form another
one that only acknowledges. So a foreign site has nothing to abuse.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Protocol, get_args

import msgspec
import structlog
from aiohttp import web

from alerts.badge import FORM_S, Badges, Failures, Purpose, Token
from alerts.command import Command, Kind
from alerts.incident import STATES, Incident
from alerts.links import Links
from alerts.openapi import ASKED, document
from alerts.page import STYLE_HASH, render
from alerts.shown import brief, whole
from alerts.wording import cut

log = structlog.get_logger("tidewatch.pager")
MOST = 1_000
BODY_BYTES = 16_384
NAME, TEXT = 100, 4_000
LONGEST_S = 7 * 86_400
"""A silence of more than a week belongs into the owners file."""
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": f"default-src 'none'; style-src '{STYLE_HASH}'; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
}
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Incidents(Protocol):
    """Where incidents are read and commands go."""

    is_whole: bool

    def get(self, incident_id: str) -> Incident | None:
        """Return the incident, or ``None``."""
        ...

    def listed(self) -> list[Incident]:
        """Return all incidents, unresolved ones first."""
        ...

    async def order(self, command: Command, done: Callable[[Incident], bool]) -> Incident | None:
        """Write a command; return the incident once it is ``done``."""
        ...


async def serve(host: str, port: int, api: Api, beside: Awaitable[None]) -> None:
    """Answer for as long as ``beside`` runs."""
    runner = web.AppRunner(api.build(), access_log=None)  # its lines would hold the passes of pages
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
        log.info("api listens", host=host, port=runner.addresses[0][1])
        await beside
    finally:
        await runner.cleanup()


class Api:
    """The handlers; ``build`` makes the aiohttp application of them."""

    def __init__(self, incidents: Incidents, badges: Badges, failures: Failures, links: Links) -> None:
        self._incidents = incidents
        self._links = links
        self._badges = badges
        self._failures = failures

    def build(self) -> web.Application:
        """Return the application."""
        app = web.Application(middlewares=[self._guarded], client_max_size=BODY_BYTES)
        app.router.add_get("/openapi.json", self.openapi)
        app.router.add_get("/api/incidents", self.list)
        app.router.add_get("/api/incidents/{id}", self.show)
        for kind in get_args(Kind):
            app.router.add_post(f"/api/incidents/{{id}}/{kind}", self._commanding(kind))
        app.router.add_get("/incidents/{id}", self.page)
        app.router.add_post("/incidents/{id}/acknowledge", self._commanding_on_page("acknowledge"))
        app.router.add_post("/incidents/{id}/rollback", self._commanding_on_page("rollback"))
        return app

    @web.middleware
    async def _guarded(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        peer, now = request.remote or "", time.monotonic()
        if self._failures.is_shut(peer, now):
            response: web.StreamResponse = _fault(429, "too many failures; wait a minute")
        else:
            try:
                response = await handler(request)
            except web.HTTPException as fault:
                response = _fault(fault.status, fault.reason)
                if "Allow" in fault.headers:
                    response.headers["Allow"] = fault.headers["Allow"]
            if response.status in (401, 403):
                self._failures.note(peer, now)
        response.headers.update(HEADERS)
        return response

    async def openapi(self, _request: web.Request) -> web.Response:
        """Return the OpenAPI document."""
        return _json(document())

    async def list(self, request: web.Request) -> web.Response:
        """Return incidents, unresolved ones first."""
        holder = self._holder(request)
        _only(request.query, ("state", "owner", "limit"))
        state, owner = request.query.get("state"), request.query.get("owner")
        if state is not None and state not in STATES:
            raise web.HTTPBadRequest(reason=f"state: want one of {', '.join(STATES)}")
        limit = _number(request.query.get("limit", "100"))
        self._await_whole()
        found = [
            one
            for one in self._incidents.listed()
            if holder.opens(one.owner) and state in (None, one.state) and owner in (None, one.owner)
        ]
        return _json({"count": len(found), "incidents": [brief(one) for one in found[:limit]]})

    async def show(self, request: web.Request) -> web.Response:
        """Return one incident with its history."""
        return _json(whole(self._open_to(request)))

    def _commanding(self, kind: Kind) -> Handler:
        async def handle(request: web.Request) -> web.Response:
            incident, holder = self._open_to(request), self._holder(request)
            asked = await _body(request)
            _only(asked, ("by", *ASKED[kind]))
            command = Command(
                kind=kind,
                incident=incident.id,
                by=_text(asked, "by", NAME, holder.name),
                text=_text(asked, "text", TEXT, None) if kind in ("comment", "silence") else "",
                until=time.time() + _seconds(asked) if kind == "silence" else 0.0,
                **_suspect(incident, asked, kind),
            )
            return self._told(await self._incidents.order(command, _done(command)))

        return handle

    @staticmethod
    def _told(shown: Incident | None) -> web.Response:
        """Return 202 when the command is written and its effect doesn't show yet: no pager is active, say."""
        return _json({"accepted": True}, 202) if shown is None else _json(whole(shown))

    async def page(self, request: web.Request) -> web.Response:
        """Return the incident's page to whoever has its pass, or a token."""
        incident = self._by_pass(request, request.query.get("pass", ""), "view")
        return self._shown(incident, is_pending=False)

    def _commanding_on_page(self, kind: Kind) -> Handler:
        """Return the handler that obeys whoever has the form's pass, and shows the page again."""

        async def handle(request: web.Request) -> web.Response:
            form = await request.post()
            incident = self._by_pass(request, str(form.get("pass", "")), kind)
            by = str(form.get("by", "")).strip()[:NAME] or "somebody with the link"
            command = Command(kind=kind, incident=incident.id, by=by, **_suspect(incident, dict(form), kind))
            shown = await self._incidents.order(command, _done(command))
            return self._shown(shown or incident, is_pending=shown is None)

        return handle

    def _shown(self, incident: Incident, *, is_pending: bool) -> web.Response:
        now = time.time()
        wishes: tuple[Purpose, ...] = ("acknowledge", "rollback")
        tickets = {wish: self._badges.sign(wish, incident.id, now + FORM_S) for wish in wishes}
        text = render(incident, tickets, now, self._links, is_pending=is_pending)
        return web.Response(text=text, content_type="text/html")

    def _holder(self, request: web.Request) -> Token:
        holder = self._badges.holder(request.headers.get("Authorization", ""))
        if holder is None:
            raise web.HTTPUnauthorized(reason="want a bearer token")
        return holder

    def _open_to(self, request: web.Request) -> Incident:
        """Return the incident; one of another owner is as unknown as none."""
        holder = self._holder(request)
        self._await_whole()
        incident = self._incidents.get(request.match_info["id"])
        if incident is None or not holder.opens(incident.owner):
            raise web.HTTPNotFound(reason="no such incident")
        return incident

    def _by_pass(self, request: web.Request, ticket: str, purpose: Any) -> Incident:
        if request.headers.get("Authorization"):
            return self._open_to(request)
        name = request.match_info["id"]
        if not self._badges.admits(ticket, purpose, name, time.time()):
            raise web.HTTPForbidden(reason="this link is wrong or has run out; open a newer notification's")
        self._await_whole()
        incident = self._incidents.get(name)
        if incident is None:
            raise web.HTTPNotFound(reason="no such incident")
        return incident

    def _await_whole(self) -> None:
        if not self._incidents.is_whole:
            raise web.HTTPServiceUnavailable(reason="still reading the incidents; try again")


def _done(command: Command) -> Callable[[Incident], bool]:
    if command.kind == "comment":
        return lambda held: any((one.by, one.text) == (command.by, command.text) for one in held.comments)
    if command.kind == "resolve":
        return lambda held: held.state == "resolved"
    if command.kind == "silence":
        return lambda held: held.muted_until == command.until
    if command.kind == "rollback":
        return lambda held: any(
            (one.model, one.version) == (command.model, command.version) and one.asked_at is not None
            for one in held.rollbacks
        )
    return lambda held: held.state != "open"


async def _body(request: web.Request) -> dict[str, Any]:
    raw = await request.read()
    try:
        found = msgspec.json.decode(raw) if raw else {}
    except msgspec.DecodeError:
        found = None
    if not isinstance(found, dict):
        raise web.HTTPBadRequest(reason="body: want a JSON object")
    return found


def _only(asked: Mapping[str, Any], known: Sequence[str]) -> None:
    """Refuse what would be passed over in silence."""
    for name in asked:
        if name not in known:
            raise web.HTTPBadRequest(reason=cut(f"{name}: want only {', '.join(known)}"))


def _suspect(incident: Incident, asked: dict[str, Any], kind: Kind) -> dict[str, Any]:
    """Return model and version to roll back, one that the incident blames; nothing for another wish."""
    if kind != "rollback":
        return {}
    model, version = asked.get("model", incident.model), asked.get("version")
    if not isinstance(model, str) or not isinstance(version, str):
        raise web.HTTPBadRequest(reason=f"{'version' if isinstance(model, str) else 'model'}: want a text")
    if incident.rollback_of(model, version) is None:
        known = ", ".join(f"{one.model} {one.version}" for one in incident.rollbacks) or "there is none"
        raise web.HTTPConflict(reason=cut(f"version: want a fresh one that the incident blames: {known}"))
    return {"model": model, "version": version}


def _text(asked: dict[str, Any], field: str, limit: int, default: str | None) -> str:
    value = asked.get(field, default)
    if not isinstance(value, str) or not value.strip() or len(value) > limit:
        raise web.HTTPBadRequest(reason=f"{field}: want a text of 1 to {limit} characters")
    return value


def _seconds(asked: dict[str, Any]) -> float:
    value = asked.get("for_s")
    if isinstance(value, bool) or not isinstance(value, int | float) or not 1 <= value <= LONGEST_S:
        raise web.HTTPBadRequest(reason=f"for_s: want a number within 1..{LONGEST_S}")
    return float(value)


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= MOST):
        raise web.HTTPBadRequest(reason=f"limit: want a number within 1..{MOST}")
    return int(text)


def _fault(status: int, reason: str | None) -> web.Response:
    return _json({"error": reason or "failed"}, status)


def _json(content: Any, status: int = 200) -> web.Response:
    return web.Response(body=msgspec.json.encode(content), status=status, content_type="application/json")
