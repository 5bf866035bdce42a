"""A pager whose machine's clock is wrong goes by Kafka's: it signs, escalates and resolves in time."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine
from types import SimpleNamespace
from typing import Any

from prometheus_client import CollectorRegistry

from alerts.answer import Accepted, Answer
from alerts.clock import clock
from alerts.delivery import Delivery
from alerts.receivers.receiver import Message
from alerts.receivers.request import Gate, Request
from alerts.receivers.webhook import WebhookReceiver
from alerts.telemetry import Telemetry
from stream.engine.skew import Skew
from tests.unit.alerts.samples import SECRET, commit, finding, new_book, record

HOUR_S = 3_600.0


async def for_a_moment(work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(0.4):
            await work()


def ticked(skew: Skew) -> list[float | None]:
    """Return the instants to which a book is advanced."""
    instants: list[float | None] = []
    book: Any = SimpleNamespace(advance=instants.append)
    asyncio.run(for_a_moment(lambda: clock(lambda: book, skew.known)))
    return instants


def test_time_passes_by_kafkas_clock() -> None:
    skew = Skew(clock=lambda: 10_000.0)
    assert set(ticked(skew)) == {None}, "it is not known yet, and what is over soon would be over at once"
    skew.learn(HOUR_S)
    assert set(ticked(skew)) == {10_000.0 - HOUR_S}


def test_a_book_that_does_not_know_the_time_asks_for_a_checkpoint_which_tells_it() -> None:
    urged: list[int] = []
    book = new_book(urge=lambda: urged.append(1))
    book.suspend()
    book.advance(None)
    assert urged == [], "another pager may have the findings"
    commit(book)
    book.caught_up()
    book.advance(None)
    assert urged == [1]


def test_a_page_is_signed_at_kafkas_time_else_its_receiver_refuses_it_for_good() -> None:
    posted: list[Request] = []

    async def send(message: Message, _: Gate) -> Answer:
        assert isinstance(message, Request)
        posted.append(message)
        return Accepted()

    async def deliver() -> None:
        skew, book = Skew(clock=lambda: 10_000.0), new_book()
        skew.learn(HOUR_S)
        receivers = {"maps-hook": WebhookReceiver("https://hook.example", [SECRET])}
        delivery = Delivery(receivers, send, Telemetry(CollectorRegistry(), receivers), now=skew.now)
        book.apply([record(finding("a"))])
        commit(book)
        delivery.attach(book)
        await delivery.run()

    asyncio.run(for_a_moment(deliver))
    (page,) = posted
    assert dict(page.headers)["webhook-timestamp"] == "6400"
