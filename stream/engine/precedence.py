"""Shell. An urgent checkpoint goes before folding: a page waits for it, and the records can wait.

A checkpoint takes many turns of the event loop, and a busy fold sits between every two of them. So folding rests
from when a checkpoint becomes urgent until it is written, but no longer than ``LONGEST_S`` at a time, and after a
rest it goes on for as long at least: neither a slow broker nor a storm of findings takes more than half its time.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress

LONGEST_S = 0.25


class Precedence:
    """Belongs to one event loop; nothing is urgent at first."""

    def __init__(self) -> None:
        self._over = asyncio.Event()
        self._over.set()
        self._until = 0.0
        self._not_before = 0.0

    def begin(self) -> None:
        """Say that a checkpoint is urgent; while one is already that changes nothing."""
        if self._over.is_set():
            self._over.clear()
            self._until = time.monotonic() + LONGEST_S

    def end(self) -> None:
        """Say that no checkpoint is urgent any more."""
        self._over.set()

    async def rest(self) -> None:
        """Wait until nothing is urgent; at most until the rest is over, and not at all soon after another one."""
        began = time.monotonic()
        if self._over.is_set() or began < self._not_before or began >= self._until:
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(self._until - began):  # wait_for of Python 3.11 may pass over a cancel
                await self._over.wait()
        ended = time.monotonic()
        self._not_before = ended + (ended - began)
