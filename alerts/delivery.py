"""Shell. Sends what is due: send, then record. One task per receiver, so a slow one delays nobody else.

The due state in the book is the durable retry: after a crash it is there again, with the same ids. The waits
here only space the attempts.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from random import SystemRandom
from typing import NamedTuple

import structlog

from alerts.answer import Accepted, Answer, Gone, Refused, RetryLater
from alerts.book import Due, IncidentBook
from alerts.receivers.receiver import Message, Receiver
from alerts.telemetry import Telemetry

log = structlog.get_logger("tidewatch.pager")
_draw = SystemRandom().random


class Pace(NamedTuple):
    """How attempts are spaced: full jitter under an exponential ceiling."""

    base_s: float = 0.5
    cap_s: float = 60.0

    def wait_s(self, attempts: int, draw: float) -> float:
        """Return the wait after ``attempts`` failures; ``draw`` is within 0..1."""
        return draw * min(self.cap_s, self.base_s * 2.0 ** min(attempts - 1, 30))


PACE = Pace()


class _Waits:
    """Until when one receiver's notifications are left alone."""

    def __init__(self, pace: Pace) -> None:
        self._pace = pace
        self._again_at: dict[str, float] = {}
        self._quiet_until = 0.0

    def left_s(self, due: Due) -> float:
        """Return how long this one still has to wait; at most 0 when it may be tried."""
        return max(self._again_at.get(due.notification.id, 0.0), self._quiet_until) - time.monotonic()

    def note(self, due: Due, answer: Answer) -> None:
        """Learn how an attempt ended. A Retry-After holds for everything that waits for this receiver."""
        if not isinstance(answer, RetryLater):
            self._again_at.pop(due.notification.id, None)
            return
        wait_s = self._pace.wait_s(due.notification.attempts + 1, _draw())
        self._again_at[due.notification.id] = time.monotonic() + wait_s
        if answer.after_s is not None:
            self._quiet_until = max(self._quiet_until, time.monotonic() + answer.after_s)

    def shortest_s(self, left: Sequence[Due]) -> float | None:
        """Return the wait until the next attempt, ``None`` when nothing is left; forget what is gone."""
        here = {due.notification.id for due in left}
        self._again_at = {name: at for name, at in self._again_at.items() if name in here}
        return max(0.0, min(self.left_s(due) for due in left)) if left else None


class Delivery:
    """Delivers from the attached book."""

    def __init__(
        self,
        receivers: Mapping[str, Receiver],
        send: Callable[[Message], Awaitable[Answer]],
        telemetry: Telemetry,
        pace: Pace = PACE,
    ) -> None:
        self._receivers = receivers
        self._send = send
        self._telemetry = telemetry
        self._pace = pace
        self._book: IncidentBook | None = None
        self._wakes = {name: asyncio.Event() for name in receivers}

    def attach(self, book: IncidentBook) -> None:
        """Deliver from this book from now on: it is the one whose findings this process owns."""
        self._book = book
        self.wake()

    def book(self) -> IncidentBook | None:
        """Return the book that is delivered from, ``None`` while another pager has the findings."""
        return None if self._book is None or self._book.closed else self._book

    def wake(self) -> None:
        """Look again for what is due."""
        for event in self._wakes.values():
            event.set()

    async def run(self) -> None:
        """Deliver until cancelled; a fault in one receiver's task ends all, so that it can't go unseen.

        What is under way at the end may be repeated later, with the same id.
        """
        async with asyncio.TaskGroup() as tasks:
            for name in self._receivers:
                tasks.create_task(self._serve(name), name=f"deliver-{name}")

    async def _serve(self, name: str) -> None:
        waits = _Waits(self._pace)
        while True:
            self._wakes[name].clear()
            wait_s = await self._round(name, waits)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wakes[name].wait(), wait_s)

    async def _round(self, name: str, waits: _Waits) -> float | None:
        """Try what is due and whose wait is over; return how long nothing needs to be tried."""
        book = self.book()
        if book is None:
            return None
        for due in list(book.due(name)):
            if not book.closed and waits.left_s(due) <= 0:
                waits.note(due, await self._attempt(name, book, due))
        return waits.shortest_s(list(book.due(name)))

    async def _attempt(self, name: str, book: IncidentBook, due: Due) -> Answer:
        at = time.time()
        answer = await self._send(self._receivers[name].message(due.incident, due.notification, at))
        if isinstance(answer, Accepted):
            book.accepted(due, time.time())
        elif isinstance(answer, Refused | Gone):
            book.refused(due, answer.reason)
        else:
            book.put_off(due, answer.reason)
        self._tell(due, answer)
        return answer

    def _tell(self, due: Due, answer: Answer) -> None:
        latency_s = self._telemetry.attempted(due, answer, time.time())
        facts = {
            "receiver": due.notification.receiver,
            "action": due.notification.action,
            "owner": due.incident.owner,
            "model": due.incident.model,
            "incident": due.incident.id,
            "webhook_id": due.notification.id,
            "attempt": due.notification.attempts + 1,
        }
        if isinstance(answer, Accepted):
            log.info("page sent", **facts, latency_s=latency_s)
        elif isinstance(answer, Refused | Gone):
            log.error("page refused", **facts, reason=answer.reason)
        else:
            log.warning("page put off", **facts, reason=answer.reason)
