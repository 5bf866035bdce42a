"""Shell. Sends what is due: send, then record. One task per receiver, so a slow one delays nobody else.

The due state in the book is the durable retry: after a crash it is there again, with the same ids. The waits
of a lane only space the attempts.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Mapping
from random import SystemRandom

import structlog

from alerts.answer import Accepted, Answer, Gone, Refused, RetryLater
from alerts.book import IncidentBook
from alerts.change import DueChange
from alerts.lane import FREE, PACE, Lane, Limit, Pace
from alerts.outbox import Digest, Due, Leaving, parts
from alerts.receivers.herald import Herald
from alerts.receivers.receiver import Digester, Message, Receiver
from alerts.receivers.request import Gate
from alerts.telemetry import Telemetry

log = structlog.get_logger("tidewatch.pager")
_draw = SystemRandom().random
RESOLVED_REFRESH_S = 300.0
"""As long a resolved incident is said again to receivers that forget."""
EXPIRED = "expired"
NOT_MADE = "message_not_made"
NO_RECEIVER = "no_such_receiver"
PULSE_S = 0.1
STALL_S = 0.9
"""A process that stood still for longer, below the shortest session, may have lost the findings meanwhile."""


class Delivery:
    """Delivers from the attached book."""

    def __init__(
        self,
        receivers: Mapping[str, Receiver],
        send: Callable[[Message, Gate], Awaitable[Answer]],
        telemetry: Telemetry,
        pace: Pace = PACE,
        limits: Mapping[str, Limit] | None = None,
        heralds: Mapping[str, Herald] | None = None,
        digest_over: Mapping[str, int] | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._now = now
        self._receivers = receivers
        self._digest_over = digest_over or {}
        self._heralds = heralds or {}
        self._send = send
        self._telemetry = telemetry
        names = (*receivers, *self._heralds)
        self._lanes = {name: Lane(_draw, pace, (limits or {}).get(name, FREE)) for name in names}
        self._gone: dict[str, str] = {}
        self._book: IncidentBook | None = None
        self._felt_at = time.monotonic()
        self._wakes = {name: asyncio.Event() for name in names}
        self._woken = asyncio.Event()
        self._talks = {name: asyncio.Lock() for name in names}

    def attach(self, book: IncidentBook) -> None:
        """Deliver from this book from now on: it is the one whose findings this process owns."""
        self._book = book
        self.wake()

    def book(self) -> IncidentBook | None:
        """Return the book that is delivered from, ``None`` while another pager has the findings, or may have.

        Whoever asks may be the first to run after the process stood still.
        """
        self._feel()
        return self._book if self._book is not None and self._book.is_live else None

    def held(self) -> IncidentBook | None:
        """Return the book, also while it is in doubt; ``None`` once another pager has the findings for sure."""
        return self._book if self._book is not None and not self._book.closed else None

    def wake(self) -> None:
        """Look again for what is due."""
        for event in (self._woken, *self._wakes.values()):
            event.set()

    async def run(self) -> None:
        """Deliver until cancelled; a fault in one receiver's task ends all, so that it can't go unseen.

        What is under way at the end may be repeated later, with the same id.
        """
        self._felt_at = time.monotonic()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._pulse(), name="pulse")
            tasks.create_task(self._let_go(), name="let-go")
            for name in self._lanes:
                tasks.create_task(self._serve(name), name=f"deliver-{name}")
            for name, receiver in self._receivers.items():
                refresh_s: float | None = getattr(receiver, "refresh_s", None)
                if refresh_s is not None:
                    tasks.create_task(self._refresh(name, refresh_s), name=f"refresh-{name}")

    async def _pulse(self) -> None:
        while True:
            self._feel()
            await asyncio.sleep(PULSE_S)

    async def _let_go(self) -> None:
        """Have come to its end what waits for receivers that are in the owners file no more.

        A page of what goes on waits, and is overdue: its receiver may come back, and nobody else would hear of it.
        """
        while True:
            self._woken.clear()
            book = self.book()
            if book is not None:
                for name in book.lanes() - self._lanes.keys():
                    for due in [one for leaving in book.due(name) for one in parts(leaving) if _may_go(one)]:
                        book.refused(due, NO_RECEIVER)
                        self._tell(due, Refused(NO_RECEIVER))
            await self._woken.wait()

    def _feel(self) -> None:
        """Say nothing after the process stood still, until it is known that all is as it was."""
        now = time.monotonic()
        stood_s, self._felt_at = now - self._felt_at, now
        if stood_s > STALL_S and self._book is not None and self._book.is_live:
            log.warning(
                "stood still: asks Kafka whether it is still the active pager, and what was written meanwhile",
                seconds=round(stood_s, 1),
            )
            self._book.doubt()

    def _is_ours(self) -> bool:
        """Return whether a request may be written now: the process may have stood still while it connected."""
        return self.book() is not None

    async def _serve(self, name: str) -> None:
        while True:
            self._wakes[name].clear()
            wait_s = await self._round(name)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait_s):  # wait_for of Python 3.11 may pass over a cancel
                    await self._wakes[name].wait()

    async def _round(self, name: str) -> float | None:
        """Try what is due and whose wait is over; return how long nothing needs to be tried."""
        book, lane = self.book(), self._lanes[name]
        self._telemetry.circuit.labels(name).set(book is not None and lane.is_open)
        if book is None:
            return None
        self._bundle(name, book)
        for due in self._in_turn(self._leaving(name, book), lane):
            self._feel()
            is_free = book.is_live and lane.wait_s(due.notification.id, time.monotonic()) <= 0
            if is_free and book.is_due(due):  # much may have happened while those before it were sent
                answer = await self._attempt(name, book, due)
                lane.note(due.notification.id, due.notification.attempts + 1, answer, time.monotonic())
                self._telemetry.circuit.labels(name).set(lane.is_open)
        if not book.is_live:
            return None
        left = [due.notification.id for due in self._leaving(name, book)]
        lane.keep(frozenset(left))
        now = time.monotonic()
        return min((lane.wait_s(one, now) for one in left), default=None)

    @staticmethod
    def _in_turn(leaving: list[Leaving], lane: Lane) -> list[Leaving]:
        """Let each be the one that a failing receiver is tried with: it may fail at one of them only."""
        return sorted(leaving, key=lambda due: due.notification.attempts) if lane.is_open else leaving

    def _bundle(self, name: str, book: IncidentBook) -> None:
        """Have what waits said in digests when the receiver's limit leaves more waiting than it wants."""
        over = self._digest_over.get(name, 0)
        if over and book.waiting(name) > over + self._lanes[name].room(time.monotonic()):
            book.bundle(name)

    def _leaving(self, name: str, book: IncidentBook) -> list[Leaving]:
        """Return what may leave; one by one what was put into a digest before the receiver stopped taking them."""
        found: list[Leaving] = []
        for due in book.due(name):
            if isinstance(due, Digest) and not isinstance(self._receivers[name], Digester):
                found += {one.incident.id: one for one in reversed(due.dues)}.values()
            else:
                found.append(due)
        return found

    async def _attempt(self, name: str, book: IncidentBook, due: Leaving) -> Answer:
        async with self._talks[name]:
            answer = await self._ask(name, due)
            if isinstance(answer, Accepted):
                book.accepted(due, self._now())
            elif isinstance(answer, Refused | Gone):
                book.refused(due, answer.reason)
            else:
                book.put_off(due, answer.reason)
        self._tell(due, answer)
        return answer

    async def _ask(self, name: str, due: Leaving) -> Answer:
        """Send, unless the receiver has said that it wants nothing any more, or it is too late."""
        if name in self._gone:
            return Gone(self._gone[name])
        expires_at = due.notification.expires_at
        if expires_at is not None and self._now() >= expires_at:
            return Refused(EXPIRED)
        message = self._made(name, due)
        if message is None:
            return RetryLater(NOT_MADE)
        self._lanes[name].take(time.monotonic())
        said = await self._send(message, self._is_ours)
        answer = self._lanes[name].at_last(due.notification.id, said)
        if isinstance(answer, Gone):
            self._gone[name] = answer.reason
            log.error("receiver disabled until the pager starts again", receiver=name, reason=answer.reason)
        return answer

    def _made(self, name: str, due: Leaving) -> Message | None:
        """Return the message, ``None`` when a fault of ours keeps it from being made: others are to leave."""
        try:
            return self._message(name, due, self._now())
        except Exception:
            log.exception("message can't be made", receiver=name, webhook_id=due.notification.id)
            return None

    def _message(self, name: str, due: Leaving, at: float) -> Message:
        if isinstance(due, DueChange):
            return self._heralds[name].message(due.change)
        receiver = self._receivers[name]
        if isinstance(due, Digest):
            assert isinstance(receiver, Digester)
            return receiver.digest(due, at)
        return receiver.message(due.incident, due.notification, at)

    async def _refresh(self, name: str, every_s: float) -> None:
        """Say again what a receiver without memory must hear again; nothing of it is recorded but failures."""
        while True:
            await asyncio.sleep(every_s)
            book = self.book()
            told = iter(()) if book is None else book.told(name, self._now() - RESOLVED_REFRESH_S)
            while self.book() is book:
                async with self._talks[name]:  # else what is over might be said to go on just after its end
                    due = next(told, None)
                    if due is None or not await self._say_again(name, due):
                        break

    async def _say_again(self, name: str, due: Due) -> bool:
        """Say what the receiver has heard last; return whether it took that."""
        message = self._made(name, due)
        if message is None:
            return True
        answer = await self._send(message, self._is_ours)
        self._telemetry.attempts.labels(name, f"refresh_{answer.reason}").inc()
        return isinstance(answer, Accepted)

    def _tell(self, due: Leaving, answer: Answer) -> None:
        latency_s = self._telemetry.attempted(due, answer, self._now())
        what = {"change": "change", "digest": "digest"}.get(due.notification.action, "page")
        facts: dict[str, object] = {
            "receiver": due.notification.receiver,
            "action": due.notification.action,
            **due.facts,
            "webhook_id": due.notification.id,
            "attempt": due.notification.attempts + 1,
        }
        if isinstance(answer, Accepted):
            log.info(f"{what} sent", **facts, latency_s=latency_s)
        elif isinstance(answer, Refused | Gone):
            log.error(f"{what} refused", **facts, reason=answer.reason)
        else:
            log.warning(f"{what} put off", **facts, reason=answer.reason)


def _may_go(due: Due | DueChange) -> bool:
    return (
        isinstance(due, DueChange) or due.notification.action != "trigger" or due.incident.state == "resolved"
    )
