"""Shell. Long work cut into slices, so that heartbeats, ticks and HTTP are answered in between."""

from __future__ import annotations

import asyncio
import time

SLICE_S = 0.01


class Slices:
    """Gives the event loop back whenever a slice of work is over."""

    def __init__(self) -> None:
        self._ends_at = time.monotonic() + SLICE_S

    async def pause(self) -> None:
        """Let others run if this slice is over."""
        if time.monotonic() >= self._ends_at:
            await asyncio.sleep(0)
            self._ends_at = time.monotonic() + SLICE_S
