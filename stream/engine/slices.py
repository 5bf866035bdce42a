"""Shell. Long work cut into slices, so that heartbeats, ticks and HTTP are answered in between."""

from __future__ import annotations

import asyncio
import time

SLICE_S = 0.01


class Slices:
    """Gives the event loop back whenever a slice of work is over; work that nobody waits for rests then.

    ``rest`` is how long, in slices; 0 lets others run once.
    """

    def __init__(self, rest: float = 0.0) -> None:
        self._rest = rest
        self._began_at = time.monotonic()

    async def pause(self) -> None:
        """Let others run if this slice is over."""
        took_s = time.monotonic() - self._began_at
        if took_s >= SLICE_S:
            await asyncio.sleep(self._rest * took_s)
            self._began_at = time.monotonic()
