"""Shell. The API's calls about silences: what is quiet, be quiet, and be so no longer."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from aiohttp import web
from msgspec.structs import asdict

from alerts.asked import LONGEST_S, NAME, TEXT, answered, body_of, only, seconds_of, text_of
from alerts.badge import Token
from alerts.calendar import MATCHERS, Silence
from alerts.kept import Kept
from alerts.silences import SILENCES_BUDGET, EndSilence, wished

PATTERN = 200
WANTED = (*MATCHERS, "for_s", "text", "by", "owner", "after_s")
AHEAD_S = 30 * 86_400


class Quiet:
    """Handlers; an owner's token sets and ends its own silences, and sees those of all owners too."""

    def __init__(
        self, kept: Kept, holder: Callable[[web.Request], Token], await_whole: Callable[[], None]
    ) -> None:
        self._kept = kept
        self._holder = holder
        self._await_whole = await_whole

    async def list(self, request: web.Request) -> web.Response:
        """Return the silences that are set and not over."""
        holder = self._holder(request)
        only(request.query, ())
        self._await_whole()
        found = [one for one in self._kept.silences() if not one.owner or holder.opens(one.owner)]
        return answered({"count": len(found), "silences": [shown(one) for one in found]})

    async def set(self, request: web.Request) -> web.Response:
        """Take a wish for a silence."""
        holder = self._holder(request)
        self._await_whole()
        asked = await body_of(request)
        only(asked, WANTED)
        wish = wished(_silence(asked, holder, time.time()))
        if len(self._kept.silences()) >= SILENCES_BUDGET:
            raise web.HTTPConflict(reason=f"{SILENCES_BUDGET} silences are set: want one ended first")
        is_set = await self._kept.wish(
            wish, lambda: any(one.name == wish.id for one in self._kept.silences())
        )
        return answered(shown(wish.silence), 200 if is_set else 202)

    async def end(self, request: web.Request) -> web.Response:
        """Take a wish for the end of a silence."""
        holder, name = self._holder(request), request.match_info["id"]
        self._await_whole()
        held = next((one for one in self._kept.silences() if one.name == name), None)
        if held is None or not holder.opens(held.owner):
            raise web.HTTPNotFound(reason="no such silence that this token may end")
        asked = await body_of(request)
        only(asked, ("by",))
        by = text_of(asked, "by", NAME, holder.name)
        is_over = await self._kept.wish(
            EndSilence(id=name, by=by), lambda: all(one.name != name for one in self._kept.silences())
        )
        return answered(shown(held), 200 if is_over else 202)


def shown(silence: Silence) -> dict[str, Any]:
    """Return a silence as the API answers it; ``owner`` is ``None`` when it holds for all."""
    fields = asdict(silence)
    return {"id": fields.pop("name"), **fields, "owner": silence.owner or None}


def _silence(asked: dict[str, Any], holder: Token, now: float) -> Silence:
    patterns = {name: text_of(asked, name, PATTERN, None) for name in MATCHERS if name in asked}
    if not patterns:
        raise web.HTTPBadRequest(reason=f'want at least one of {", ".join(MATCHERS)}; "*" matches everything')
    owner = text_of(asked, "owner", NAME, holder.owner) if holder.owner or "owner" in asked else ""
    if not holder.opens(owner):
        raise web.HTTPBadRequest(reason="owner: want the token's own, or none")
    starts_at = now + seconds_of(asked, "after_s", 0, AHEAD_S, 0)
    return Silence(
        name="",
        author=text_of(asked, "by", NAME, holder.name),
        reason=text_of(asked, "text", TEXT, None),
        starts_at=starts_at,
        ends_at=starts_at + seconds_of(asked, "for_s", 1, LONGEST_S),
        owner=owner,
        **patterns,
    )
