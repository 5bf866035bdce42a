"""Shell. A takeover of partitions ends in time: Faust lets go of one that does not, and never folds again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class TookTooLong(TimeoutError):
    """The partitions were not restored in the time that settings leave."""


class Takeover:
    """Limits how long all partitions together may take to be restored."""

    def __init__(self, longest_s: float) -> None:
        self._longest_s = longest_s

    @asynccontextmanager
    async def limited(self) -> AsyncIterator[None]:
        """Let a restore run while there is time.

        Raises:
            TookTooLong: says what to set.
        """
        try:
            async with asyncio.timeout(self._longest_s) as limit:
                yield
        except TimeoutError as fault:
            if not limit.expired():
                raise
            raise TookTooLong(
                f"the assigned partitions were not restored within {self._longest_s:g} s: want a higher"
                " worker.restore_timeout_s (of a pager: pager.restore_timeout_s)"
            ) from fault
