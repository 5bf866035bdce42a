"""Shell. What a scrape is answered with: a registry as text."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from stream.engine.slices import Slices

FRESH_S = 5.0
REST = 2.0
"""Of the time that it takes to write a family, how long the interpreter is left to others after it."""


class Collected(Collector):
    """Metrics as they were when collected."""

    def __init__(self, metrics: Sequence[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> Sequence[Metric]:
        """Return them."""
        return self._metrics


class Rendered:
    """A registry's text, made anew when it is asked for and older than ``FRESH_S``.

    Thousands of samples take some tenths of a second of the interpreter: whoever asks more often, or two at the
    same time, get the same text. ``before`` brings what the registry shows up to date.
    """

    def __init__(self, registry: CollectorRegistry, before: Callable[[], Awaitable[None]]) -> None:
        self._registry = registry
        self._before = before
        self._making = asyncio.Lock()
        self._text = b""
        self._stale_at = float("-inf")

    async def text(self) -> bytes:
        """Return the text, at most ``FRESH_S`` old."""
        async with self._making:
            if time.monotonic() >= self._stale_at:
                await self._before()
                self._text = await rendered(self._registry)
                self._stale_at = time.monotonic() + FRESH_S
        return self._text


async def rendered(registry: CollectorRegistry) -> bytes:
    """Return a registry's text as it is now; the event loop goes on meanwhile."""
    said = [*registry.collect()]  # nothing of it is live any more
    text, slices = [], Slices(REST)
    for family in said:
        text.append(await asyncio.to_thread(generate_latest, Collected([family])))
        await slices.pause()
    return b"".join(text)
