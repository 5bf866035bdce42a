"""Shell. Sends a message by the means it asks for."""

from __future__ import annotations

from alerts.answer import Answer, Fetched, Refused, RetryLater
from alerts.http import Http
from alerts.receivers.receiver import Message
from alerts.receivers.request import Gate, Request, always
from alerts.smtp import Smtp


class Courier:
    """HTTP and SMTP behind one ``send``."""

    def __init__(self, http: Http, smtp: Smtp) -> None:
        self._http = http
        self._smtp = smtp

    async def send(self, message: Message, gate: Gate = always) -> Answer:
        """Send once; every failure is an answer, never an exception. ``gate`` as for ``Http``; mail has none."""
        if isinstance(message, Request):
            return await self._http.send(message, gate)
        return await self._smtp.send(message)

    async def fetch(self, url: str) -> Fetched | RetryLater | Refused:
        """GET once; every failure is a reason, never an exception."""
        return await self._http.fetch(url)

    async def close(self) -> None:
        """Close all connections."""
        await self._http.close()
