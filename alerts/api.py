"""Shell. The pager's HTTP API and the page that a notification's link opens, on aiohttp, which Faust brings.

There are no cookies: an API call carries a bearer token, a page its own signed pass, and the page's form another
one that only acknowledges. So a foreign site has nothing to abuse.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Any, get_args

import structlog
from aiohttp import web

from alerts.asked import (
    LONGEST_S,
    NAME,
    TEXT,
    answered,
    body_of,
    failed,
    form_of,
    limit_of,
    only,
    seconds_of,
    text_of,
)
from alerts.badge import FORM_S, WINDOW_S, Badges, Failures, Purpose, Token
from alerts.command import Command, Kind
from alerts.incident import STATES, Incident
from alerts.kept import Kept, NotWritten
from alerts.links import Links
from alerts.openapi import ASKED, document
from alerts.page import STYLE_HASH, render
from alerts.quiet import Quiet
from alerts.shown import brief, whole
from alerts.wording import cut

log = structlog.get_logger("tidewatch.pager")
BODY_BYTES = 16_384
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

    def __init__(self, incidents: Kept, badges: Badges, failures: Failures, links: Links) -> None:
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
        quiet = Quiet(self._incidents, self._holder, self._await_whole)
        app.router.add_get("/api/silences", quiet.list)
        app.router.add_post("/api/silences", quiet.set)
        app.router.add_post("/api/silences/{id}/end", quiet.end)
        app.router.add_get("/incidents/{id}", self.page)
        app.router.add_post("/incidents/{id}/acknowledge", self._commanding_on_page("acknowledge"))
        app.router.add_post("/incidents/{id}/rollback", self._commanding_on_page("rollback"))
        return app

    @web.middleware
    async def _guarded(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        response = await _answer(request, handler)
        if response.status in (401, 403):  # all who come through a proxy have one address: the others go in
            response = self._turned_away(request.remote or "", response)
        response.headers.update(HEADERS)
        return response

    def _turned_away(self, peer: str, response: web.StreamResponse) -> web.StreamResponse:
        """Count a wrong token or pass; return the answer to it, which says no more when there were too many."""
        now = time.monotonic()
        if not self._failures.is_shut(peer, now):
            self._failures.note(peer, now)
            return response
        slower = failed(429, "a wrong token or link, and too many of those from this address; wait a minute")
        slower.headers["Retry-After"] = f"{WINDOW_S:.0f}"
        return slower

    async def openapi(self, _request: web.Request) -> web.Response:
        """Return the OpenAPI document."""
        return answered(document())

    async def list(self, request: web.Request) -> web.Response:
        """Return incidents, unresolved ones first."""
        holder = self._holder(request)
        only(request.query, ("state", "owner", "limit"))
        state, owner = request.query.get("state"), request.query.get("owner")
        if state is not None and state not in STATES:
            raise web.HTTPBadRequest(reason=f"state: want one of {', '.join(STATES)}")
        limit = limit_of(request.query.get("limit", "100"))
        self._await_whole()
        found = [
            one
            for one in self._incidents.listed()
            if holder.opens(one.owner) and state in (None, one.state) and owner in (None, one.owner)
        ]
        return answered({"count": len(found), "incidents": [brief(one) for one in found[:limit]]})

    async def show(self, request: web.Request) -> web.Response:
        """Return one incident with its history."""
        return answered(whole(self._open_to(request)))

    def _commanding(self, kind: Kind) -> Handler:
        async def handle(request: web.Request) -> web.Response:
            incident, holder = self._open_to(request), self._holder(request)
            asked = await body_of(request)
            only(asked, ("by", *ASKED[kind]))
            command = Command(
                kind=kind,
                incident=incident.id,
                by=text_of(asked, "by", NAME, holder.name),
                text=text_of(asked, "text", TEXT, None) if kind in ("comment", "silence") else "",
                until=time.time() + seconds_of(asked, "for_s", 1, LONGEST_S) if kind == "silence" else 0.0,
                **_suspect(incident, asked, kind),
            )
            return self._told(await self._incidents.order(command, _done(command)))

        return handle

    @staticmethod
    def _told(shown: Incident | None) -> web.Response:
        """Return 202 when the command is written and its effect doesn't show yet: no pager is active, say."""
        return answered({"accepted": True}, 202) if shown is None else answered(whole(shown))

    async def page(self, request: web.Request) -> web.Response:
        """Return the incident's page to whoever has its pass, or a token."""
        incident = self._by_pass(request, request.query.get("pass", ""), "view")
        return self._shown(incident, is_pending=False)

    def _commanding_on_page(self, kind: Kind) -> Handler:
        """Return the handler that obeys whoever has the form's pass, and leads back to the page.

        So that going back, or opening the tab again, asks for nothing twice.
        """

        async def handle(request: web.Request) -> web.Response:
            form = await form_of(request)
            incident = self._by_pass(request, str(form.get("pass", "")), kind)
            by = str(form.get("by", "")).strip()[:NAME] or "somebody with the link"
            command = Command(kind=kind, incident=incident.id, by=by, **_suspect(incident, form, kind))
            if await self._incidents.order(command, _done(command)) is None:
                return self._shown(incident, is_pending=True)
            ticket = self._badges.sign("view", incident.id, time.time() + FORM_S)
            # relative, as a proxy before the pager may have a path of its own
            place = f"../{incident.id}" + (f"?pass={ticket}" if ticket else "")
            return web.Response(status=303, headers={"Location": place})

        return handle

    def _shown(self, incident: Incident, *, is_pending: bool) -> web.Response:
        now = time.time()
        wishes: tuple[Purpose, ...] = ("acknowledge", "rollback")
        tickets = {wish: self._badges.sign(wish, incident.id, now + FORM_S) for wish in wishes}
        quiet = [one for one in self._incidents.silences() if one.until(incident.lead, now, incident.owner)]
        text = render(incident, tickets, now, self._links, quiet, is_pending=is_pending)
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
            raise web.HTTPForbidden(reason=self._shut(purpose))
        self._await_whole()
        incident = self._incidents.get(name)
        if incident is None:
            raise web.HTTPNotFound(reason="no such incident")
        return incident

    def _shut(self, purpose: str) -> str:
        """Say why a pass doesn't open, and what does."""
        if not self._badges.signs:
            return "links open nothing here, as [api] has no link_key: want a bearer token"
        if purpose == "view":
            return "this link is wrong or has run out; open a newer notification's"
        return "this page is older than an hour, so nothing was done: open it again from the notification"

    def _await_whole(self) -> None:
        if not self._incidents.is_whole:
            raise web.HTTPServiceUnavailable(reason="still reading the incidents; try again")


async def _answer(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Return the handler's answer, or one that says what is wrong."""
    try:
        return await handler(request)
    except web.HTTPException as fault:
        response = failed(fault.status, fault.reason)
        if "Allow" in fault.headers:
            response.headers["Allow"] = fault.headers["Allow"]
        return response
    except NotWritten:
        return failed(503, "Kafka doesn't take it; try again")
    except Exception:
        log.exception("request failed")
        return failed(500, "a fault of the pager; its log says more")


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


def _suspect(incident: Incident, asked: dict[str, Any], kind: Kind) -> dict[str, Any]:
    """Return model and version to roll back, one that the incident blames; nothing for another wish."""
    if kind != "rollback":
        return {}
    model, version = asked.get("model", incident.model), asked.get("version")
    if not isinstance(model, str) or not isinstance(version, str):
        raise web.HTTPBadRequest(reason=f"{'version' if isinstance(model, str) else 'model'}: want a text")
    if incident.state == "resolved":
        raise web.HTTPConflict(reason="the incident has resolved: want an open one")
    if incident.rollback_of(model, version) is None:
        known = ", ".join(f"{one.model} {one.version}" for one in incident.rollbacks) or "there is none"
        raise web.HTTPConflict(reason=cut(f"version: want a fresh one that the incident blames: {known}"))
    return {"model": model, "version": version}
