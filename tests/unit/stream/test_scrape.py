"""What a scrape costs: the figures of thousands of series are not made for each of those who ask."""

from __future__ import annotations

import asyncio
import time

import pytest
from prometheus_client import CollectorRegistry, Gauge, generate_latest

from stream.engine import scrape
from stream.engine.scrape import FRESH_S, Rendered, rendered


def test_text_is_made_once_for_all_who_ask_at_the_same_time() -> None:
    registry = CollectorRegistry()
    made = Gauge("made", "How often.", registry=registry)

    async def before() -> None:
        made.inc()
        await asyncio.sleep(0.01)

    async def ask() -> list[bytes]:
        page = Rendered(registry, before)
        return [*await asyncio.gather(page.text(), page.text()), await page.text()]

    texts = asyncio.run(ask())
    assert all(b"made 1.0" in text for text in texts)


class Clock:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.at = 1_000.0

    def __call__(self) -> float:
        return self.at


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_text_is_made_anew_once_it_is_stale(clock: Clock) -> None:
    registry = CollectorRegistry()
    made = Gauge("made", "How often.", registry=registry)

    async def before() -> None:
        made.inc()

    async def ask() -> list[bytes]:
        page, texts = Rendered(registry, before, clock=clock), []
        for seconds in (0.0, FRESH_S - 1.0, 1.0):
            clock.at += seconds
            texts.append(await page.text())
        return texts

    first, second, third = asyncio.run(ask())
    assert b"made 1.0" in first
    assert second == first
    assert b"made 2.0" in third


def test_failure_before_is_told_and_the_next_one_may_succeed() -> None:
    failures = [OSError("gone")]

    async def before() -> None:
        if failures:
            raise failures.pop()

    async def ask() -> bytes:
        page = Rendered(CollectorRegistry(), before)
        with pytest.raises(OSError, match="gone"):
            await page.text()
        return await page.text()

    assert asyncio.run(ask()) == asyncio.run(rendered(CollectorRegistry()))


def test_who_asks_is_told_how_old_the_figures_are_and_not_kept_waiting() -> None:
    registry, begun = CollectorRegistry(), list[float]()
    made = Gauge("made", "How often.", registry=registry)

    async def ask() -> list[bytes]:
        go_on = asyncio.Event()

        async def before() -> None:
            await go_on.wait()
            made.inc()

        page = Rendered(registry, before, made=begun.append, wait_s=0.01)
        first, told_first = await page.text(), [*begun]
        go_on.set()
        second = await page.text()
        while not second:
            second = await page.text()
        assert told_first == []
        return [first, second]

    began = time.time()
    first, second = asyncio.run(ask())
    assert first == b""
    assert b"made 1.0" in second
    assert len(begun) == 1
    assert began <= begun[0] <= time.time()


def test_what_was_made_before_is_shown_until_the_next_is_made(clock: Clock) -> None:
    registry = CollectorRegistry()
    made = Gauge("made", "How often.", registry=registry)

    async def ask() -> list[bytes]:
        go_on = asyncio.Event()
        go_on.set()

        async def before() -> None:
            await go_on.wait()
            made.inc()

        page = Rendered(registry, before, wait_s=0.5, clock=clock)
        first = await page.text()
        clock.at += 1_000.0
        go_on.clear()
        return [first, await page.text()]

    first, second = asyncio.run(ask())
    assert b"made 1.0" in first
    assert second == first


def test_what_may_be_of_others_by_now_is_not_shown() -> None:
    registry, epoch = CollectorRegistry(), [1]
    Gauge("made", "Something.", registry=registry)

    async def ask() -> list[bytes]:
        go_on = asyncio.Event()
        go_on.set()

        async def before() -> None:
            await go_on.wait()

        page = Rendered(registry, before, epoch=lambda: epoch[0], wait_s=0.05)
        texts = [await page.text()]
        go_on.clear()
        epoch[0] += 1
        texts.append(await page.text())
        epoch[0] += 1  # while it is being made
        go_on.set()
        texts.append(await page.text())
        return [*texts, await page.text()]

    assert [bool(text) for text in asyncio.run(ask())] == [True, False, False, True]


def test_failure_that_nobody_waited_for_is_told_to_the_next() -> None:
    async def ask() -> list[bytes]:
        go_on, failures = asyncio.Event(), [OSError("gone")]

        async def before() -> None:
            await go_on.wait()
            if failures:
                raise failures.pop()

        page = Rendered(CollectorRegistry(), before, wait_s=0.01)
        texts = [await page.text()]
        go_on.set()
        await asyncio.sleep(0.05)  # it fails while nobody waits
        with pytest.raises(OSError, match="gone"):
            await page.text()
        return texts

    assert asyncio.run(ask()) == [b""]


def test_what_takes_long_is_not_made_all_the_time(clock: Clock) -> None:
    registry = CollectorRegistry()
    made = Gauge("made", "How often.", registry=registry)

    async def before() -> None:
        made.inc()
        clock.at += 30.0

    async def ask() -> list[bytes]:
        page, texts = Rendered(registry, before, clock=clock), []
        for seconds in (0.0, 29.0, 1.0):
            clock.at += seconds
            texts.append(await page.text())
        return texts

    first, second, third = asyncio.run(ask())
    assert first == second
    assert b"made 2.0" in third


def test_families_are_in_the_order_of_the_registry_however_many_samples_they_have() -> None:
    registry = CollectorRegistry()
    for name in "abc":
        gauge = Gauge(name, "Numbers.", ["number"], registry=registry)
        for number in range(scrape.PART - 1):
            gauge.labels(number).set(number)
    assert asyncio.run(rendered(registry)) == generate_latest(registry)
