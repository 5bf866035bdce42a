"""What a scrape costs: the figures of thousands of series are not made for each of those who ask."""

from __future__ import annotations

import asyncio

import pytest
from prometheus_client import CollectorRegistry, Gauge

from stream.engine import scrape
from stream.engine.scrape import Rendered, rendered


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


def test_text_is_made_anew_once_it_is_stale(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scrape, "FRESH_S", 0.0)
    registry = CollectorRegistry()
    made = Gauge("made", "How often.", registry=registry)

    async def before() -> None:
        made.inc()

    async def ask() -> list[bytes]:
        page = Rendered(registry, before)
        return [await page.text(), await page.text()]

    first, second = asyncio.run(ask())
    assert b"made 1.0" in first
    assert b"made 2.0" in second


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
