"""Core. What a receiver asks the HTTP client to send."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import msgspec

from alerts.answer import Answer, Reply, by_status

READ_S = 5.0
"""As long is waited for a body that counts: asked again, a channel would show the message twice."""
Gate = Callable[[], bool]
"""Asked the instants before a request and its body are written whether they may still leave."""


def always() -> bool:
    """Let everything out."""
    return True


class Request(NamedTuple):
    """One POST; ``body`` is sent as it is, byte for byte. ``read`` understands this receiver's answers.

    As long as ``body_s`` is waited for the body of the answer: longer where more than the status counts.
    """

    url: str
    headers: Mapping[str, str]
    body: bytes
    read: Callable[[Reply], Answer] = by_status
    body_s: float = 0.5

    def __repr__(self) -> str:
        return f"Request({len(self.body)} bytes)"  # URL, headers and body hold secrets


def json_request(url: str, body: object) -> Request:
    """Return the POST of ``body`` as JSON."""
    return Request(url, {"content-type": "application/json"}, msgspec.json.encode(body))


def read_request(url: str, body: object, read: Callable[[Reply], Answer]) -> Request:
    """Return the POST of ``body`` as JSON, to a receiver that says in the answer's body how it went."""
    return json_request(url, body)._replace(read=read, body_s=READ_S)
