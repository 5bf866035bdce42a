"""Core. What a receiver asks the HTTP client to send."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, Protocol

from alerts.incident import Incident, Notification


class Request(NamedTuple):
    """One POST; ``body`` is sent as it is, byte for byte."""

    url: str
    headers: Mapping[str, str]
    body: bytes

    def __repr__(self) -> str:
        return f"Request({len(self.body)} bytes)"  # URL, headers and body hold secrets


class Receiver(Protocol):
    """A way to reach an owner."""

    def request(self, incident: Incident, notification: Notification, at: float) -> Request:
        """Return the request of one attempt, made ``at`` epoch seconds."""
        ...
