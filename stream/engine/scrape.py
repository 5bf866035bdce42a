"""Shell. What a scrape is answered with: a registry as text."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from stream.engine.slices import Slices

FRESH_S = 5.0
"""Between two makings; longer when one takes longer."""
WAIT_S = 2.0
"""What a scrape waits for costly figures: lag is told in time, however much there is to look through."""
REST = 2.0
"""Of the time that it takes to write a part, how long the interpreter is left to others after it."""
PART = 500
"""Samples that are written at one go, when families are small: a family is not divided."""


class Collected(Collector):
    """Metrics as they were when collected."""

    def __init__(self, metrics: Sequence[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> Sequence[Metric]:
        """Return them."""
        return self._metrics


class Rendered:
    """The text of a registry that is costly to collect, made anew when it is asked for and old.

    Thousands of samples take some tenths of a second of the interpreter, and many seconds of a process that folds
    all the time. Who asks waits at most ``wait_s`` for them: until they are made the text before is what there is.
    ``before`` brings what the registry shows up to date. A text is forgotten when ``epoch`` changes: what it is
    of may belong to another process. ``made`` is told the epoch second at which the newest text was begun.
    """

    def __init__(
        self,
        registry: CollectorRegistry,
        before: Callable[[], Awaitable[None]],
        *,
        epoch: Callable[[], int] = lambda: 0,
        made: Callable[[float], None] = lambda at: None,
        wait_s: float = WAIT_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._registry = registry
        self._before = before
        self._epoch, self._made, self._wait_s, self._clock = epoch, made, wait_s, clock
        self._making: asyncio.Task[None] | None = None
        self._failed: Exception | None = None
        self._text, self._text_epoch = b"", epoch()
        self._stale_at = float("-inf")

    async def text(self) -> bytes:
        """Return the newest text; empty while there is none.

        Raises whatever kept it from being made; one who asks is told.
        """
        if self._text_epoch != self._epoch():
            self._text, self._stale_at = b"", float("-inf")
        if self._making is None and self._clock() >= self._stale_at:
            self._making = asyncio.create_task(self._make())
        if self._making is not None:
            await asyncio.wait({self._making}, timeout=self._wait_s)
        failed, self._failed = self._failed, None
        if failed is not None:
            raise failed
        return self._text

    async def _make(self) -> None:
        began, began_at, epoch = self._clock(), time.time(), self._epoch()
        try:
            await self._before()
            text = await rendered(self._registry)
            if epoch == self._epoch():
                self._text, self._text_epoch = text, epoch
                ended = self._clock()
                self._stale_at = ended + max(FRESH_S, ended - began)
                self._made(began_at)
        except Exception as fault:  # who asked may not wait for it any more
            self._failed = fault
        finally:
            self._making = None


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
