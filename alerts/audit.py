"""Shell. Watches the pager itself: notifications that are overdue, and a heartbeat while there are none.

The heartbeat is a dead man's switch: whatever watches its URL from outside raises the alarm when it stays away,
because the pager is dead, or can't reach somebody.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import NamedTuple

import structlog

from alerts.answer import Accepted, Answer
from alerts.book import IncidentBook
from alerts.receivers.request import Request, json_request
from alerts.telemetry import Telemetry

log = structlog.get_logger("tidewatch.pager")
OVERDUE_S = 300.0
"""A notification that its receiver hasn't got after this long is overdue."""
LOOK_S = 5.0


class Heartbeat(NamedTuple):
    """Where to POST nothing, and how often."""

    url: str
    every_s: float

    def __repr__(self) -> str:
        return f"Heartbeat(every {self.every_s} s)"  # the URL is a secret


class Audit:
    """Looks at the book that ``book()`` returns: ``None`` while another pager has the findings."""

    def __init__(
        self,
        book: Callable[[], IncidentBook | None],
        send: Callable[[Request], Awaitable[Answer]],
        telemetry: Telemetry,
        heartbeat: Heartbeat | None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._now = now
        self._book = book
        self._send = send
        self._telemetry = telemetry
        self._heartbeat = heartbeat
        self._told: frozenset[str] = frozenset()

    def overdue(self, now: float) -> int:
        """Count what is overdue at ``now`` (epoch seconds), and log each once."""
        book = self._book()
        late = [] if book is None else [n for n in book.pending() if now - n.due_at > OVERDUE_S]
        for notification in late:
            if notification.id not in self._told:
                log.error(
                    "notification overdue",
                    receiver=notification.receiver,
                    webhook_id=notification.id,
                    attempts=notification.attempts,
                    reason=notification.last_error,
                )
        self._told = frozenset(notification.id for notification in late)
        self._telemetry.overdue.set(len(late))
        return len(late)

    async def run(self) -> None:
        """Look until cancelled."""
        beats_at = time.monotonic()
        while True:
            late = self.overdue(self._now())
            beat = self._heartbeat
            if beat is not None and not late and self._book() is not None and time.monotonic() >= beats_at:
                beats_at = time.monotonic() + beat.every_s
                await self._beat(beat)
            await asyncio.sleep(LOOK_S if beat is None else min(LOOK_S, beat.every_s))

    async def _beat(self, heartbeat: Heartbeat) -> None:
        answer = await self._send(json_request(heartbeat.url, {}))
        self._telemetry.heartbeats.labels(answer.reason).inc()
        if not isinstance(answer, Accepted):
            log.warning("heartbeat not accepted", reason=answer.reason)
