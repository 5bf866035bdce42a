"""Core. What a receiver asks the HTTP client to send."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import msgspec

from alerts.answer import Answer, Reply, by_status

Gate = Callable[[], bool]
"""Asked the instants before a request and its body are written whether they may still leave."""


def always() -> bool:
    """Let everything out."""
    return True


class Request(NamedTuple):
    """One POST; ``body`` is sent as it is, byte for byte. ``read`` understands this receiver's answers."""

    url: str
    headers: Mapping[str, str]
    body: bytes
    read: Callable[[Reply], Answer] = by_status

    def __repr__(self) -> str:
        return f"Request({len(self.body)} bytes)"  # URL, headers and body hold secrets


def json_request(url: str, body: object, read: Callable[[Reply], Answer] = by_status) -> Request:
    """Return the POST of ``body`` as JSON."""
    return Request(url, {"content-type": "application/json"}, msgspec.json.encode(body), read)
