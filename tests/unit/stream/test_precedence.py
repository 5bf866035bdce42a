"""An urgent checkpoint goes before folding, and never takes more than half of its time."""

from __future__ import annotations

import asyncio
import time

import pytest

from stream.engine import precedence
from stream.engine.precedence import Precedence


async def rested(one: Precedence) -> float:
    began = time.monotonic()
    await one.rest()
    return time.monotonic() - began


def test_folding_rests_until_nothing_is_urgent() -> None:
    async def run() -> tuple[float, float]:
        one = Precedence()
        calm = await rested(one)
        one.begin()
        asyncio.get_running_loop().call_later(0.05, one.end)
        return calm, await rested(one)

    calm, urgent = asyncio.run(run())
    assert calm < 0.02
    assert 0.04 < urgent < precedence.LONGEST_S


def test_rest_ends_however_long_the_checkpoint_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precedence, "LONGEST_S", 0.1)

    async def run() -> list[float]:
        one = Precedence()
        one.begin()
        return [await rested(one), await rested(one)]

    first, second = asyncio.run(run())
    assert first > 0.09
    assert second < 0.02


def test_after_a_rest_folding_goes_on_for_as_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precedence, "LONGEST_S", 0.1)

    async def run() -> list[float]:
        one, found = Precedence(), []
        for wait_s in (0.0, 0.0, 0.12):
            await asyncio.sleep(wait_s)
            one.begin()
            found.append(await rested(one))
            one.end()
        return found

    first, soon, later = asyncio.run(run())
    assert first > 0.09
    assert soon < 0.02
    assert later > 0.09


def test_who_is_stopped_as_its_rest_is_over_ends() -> None:
    one = Precedence()

    async def fold() -> None:
        while True:
            await one.rest()
            await asyncio.sleep(0.01)

    async def run() -> bool:
        one.begin()
        folding = asyncio.create_task(fold())
        await asyncio.sleep(0.01)
        one.end()
        asyncio.get_running_loop().call_soon(folding.cancel)
        return bool((await asyncio.wait({folding}, timeout=0.5))[0])

    assert asyncio.run(run())
