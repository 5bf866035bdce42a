"""Shell. Lets time pass for the book: holds that end, silences that run out, steps that are due."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from alerts.book import IncidentBook

TICK_S = 0.25


async def clock(book: Callable[[], IncidentBook | None], now: Callable[[], float | None]) -> None:
    """Tick until cancelled; what a tick does depends only on the state and the instant.

    ``now`` returns it in epoch seconds, ``None`` while it is not known.
    """
    while True:
        held = book()
        if held is not None:
            held.advance(now())
        await asyncio.sleep(TICK_S)
