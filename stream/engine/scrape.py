"""Shell. What a scrape is answered with: a registry as text."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence

from prometheus_client import CollectorRegistry, Gauge, generate_latest
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from stream.engine.slices import Slices

FRESH_S = 5.0
"""Between two makings; longer when one takes longer."""
WAIT_S = 2.0
"""What a scrape waits for figures of models: lag and health are told in time, however many models there are."""
REST = 2.0
"""Of the time that it takes to write a family, how long the interpreter is left to others after it."""


PART = 500
"""Samples that are written at one go: some milliseconds."""


class Collected(Collector):
    """Metrics as they were when collected."""

    def __init__(self, metrics: Sequence[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> Sequence[Metric]:
        """Return them."""
        return self._metrics


class Rendered:
    """A registry's text, made anew when it is asked for and old; who asks waits at most ``WAIT_S`` for that.

    Thousands of samples take some tenths of a second of the interpreter, and many seconds of a process that folds
    all the time: until they are made the text before is what there is, with the instant at which it was made.
    ``before`` brings what the registry shows up to date.
    """

    def __init__(self, registry: CollectorRegistry, before: Callable[[], Awaitable[None]]) -> None:
        self._registry = registry
        self._before = before
        self._making: asyncio.Task[None] | None = None
        self._text = b""
        self._stale_at = float("-inf")

    async def text(self) -> bytes:
        """Return the newest text; empty before the first one."""
        if self._making is None and time.monotonic() >= self._stale_at:
            self._making = asyncio.create_task(self._make())
        if (making := self._making) is not None:
            done, _ = await asyncio.wait({making}, timeout=WAIT_S)
            if done:
                making.result()
        return self._text

    async def _make(self) -> None:
        began, made_at = time.monotonic(), time.time()
        try:
            await self._before()
            text = await rendered(self._registry)
            self._text = text and text + _made(made_at)
            ended = time.monotonic()
            self._stale_at = ended + max(FRESH_S, ended - began)
        finally:
            self._making = None


def _made(at: float) -> bytes:
    text = "When the figures of models were made; older than seconds only while events wait."
    registry = CollectorRegistry()
    Gauge("tidewatch_figures_made_timestamp_seconds", text, registry=registry).set(at)
    return generate_latest(registry)


async def rendered(registry: CollectorRegistry) -> bytes:
    """Return a registry's text as it is now; the event loop goes on meanwhile."""
    text, slices = [], Slices(REST)
    for families in _parts([*registry.collect()]):  # nothing of it is live any more
        text.append(await asyncio.to_thread(generate_latest, Collected(families)))
        await slices.pause()
    return b"".join(text)


def _parts(families: Sequence[Metric]) -> Iterator[list[Metric]]:
    """Put small families together: to come back from a thread takes a turn of the event loop."""
    part: list[Metric] = []
    for family in families:
        part.append(family)
        if sum(len(one.samples) for one in part) >= PART:
            yield part
            part = []
    if part:
        yield part
