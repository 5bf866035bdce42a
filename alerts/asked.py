"""Edge. What a request asks for, with a fault that says field and wanted, and answers in JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from aiohttp import web

from alerts.wording import cut

MOST = 1_000
NAME, TEXT = 100, 4_000
LONGEST_S = 7 * 86_400
"""A silence of more than a week belongs into the owners file."""


async def body_of(request: web.Request) -> dict[str, Any]:
    """Return the JSON object that a request holds; an empty one for no body; anything else is a fault."""
    try:
        raw = await request.read()
        found = msgspec.json.decode(raw) if raw else {}
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, web.RequestPayloadError):
        found = None
    if not isinstance(found, dict):
        raise web.HTTPBadRequest(reason="body: want a JSON object")
    return found


async def form_of(request: web.Request) -> dict[str, Any]:
    """Return the fields of the form that a request holds; what is no form is a fault."""
    try:
        return dict(await request.post())
    except (ValueError, LookupError, web.RequestPayloadError):
        raise web.HTTPBadRequest(reason="body: want a form in UTF-8") from None


def only(asked: Mapping[str, Any], known: Sequence[str]) -> None:
    """Refuse by name what would be passed over in silence."""
    for name in asked:
        if name not in known:
            raise web.HTTPBadRequest(reason=cut(f"{name}: want only {', '.join(known)}"))


def text_of(asked: dict[str, Any], field: str, limit: int, default: str | None) -> str:
    """Return a field's text, or the default; without either it is a fault."""
    value = asked.get(field, default)
    if not isinstance(value, str) or not value.strip() or len(value) > limit:
        raise web.HTTPBadRequest(reason=f"{field}: want a text of 1 to {limit} characters")
    return value


def seconds_of(
    asked: Mapping[str, Any], field: str, least: int, most: int, default: float | None = None
) -> float:
    """Return a field's seconds within ``least`` to ``most``, or the default; without either it is a fault."""
    value = asked.get(field, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
        raise web.HTTPBadRequest(reason=f"{field}: want a number within {least}..{most}")
    return float(value)


def limit_of(text: str) -> int:
    """Return how many entries a list may have."""
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= MOST):
        raise web.HTTPBadRequest(reason=f"limit: want a number within 1..{MOST}")
    return int(text)


def failed(status: int, reason: str | None) -> web.Response:
    """Return an answer that says what is wrong."""
    return answered({"error": reason or "failed"}, status)


def answered(content: Any, status: int = 200) -> web.Response:
    """Return an answer in JSON."""
    return web.Response(body=msgspec.json.encode(content), status=status, content_type="application/json")
