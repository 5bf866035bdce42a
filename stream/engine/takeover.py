"""Shell. A takeover of partitions ends in time: Faust lets go of one that does not, and never folds again.

A rebalance makes it void, and ends it at once: the group waits for all its members, but not for long.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from faust.tables.recovery import RebalanceAgain

VOID: Final = 0.0
"""When the time of a void restore was over."""


class TookTooLong(TimeoutError):
    """The partitions were not restored in the time that settings leave."""


class Takeover:
    """Limits how long all partitions together may take to be restored."""

    def __init__(self, longest_s: float) -> None:
        self._longest_s = longest_s
        self._is_void = False
        self._under_way: set[asyncio.Timeout] = set()

    def void(self) -> None:
        """End the restore under way, and let none begin until the group has decided."""
        self._is_void = True
        for limit in self._under_way:
            if not limit.expired():
                limit.reschedule(VOID)

    def decided(self) -> None:
        """Let a restore begin: what is assigned now is valid."""
        self._is_void = False

    @asynccontextmanager
    async def limited(self) -> AsyncIterator[None]:
        """Let a restore run while there is time.

        Raises:
            RebalanceAgain: it is void; Faust waits for the next assignment then.
            TookTooLong: says what to set.
        """
        if self._is_void:
            raise RebalanceAgain
        limit = asyncio.timeout(self._longest_s)
        try:
            async with limit:
                self._under_way.add(limit)
                yield
        except Exception as fault:
            if limit.when() == VOID:
                raise RebalanceAgain from fault
            if not limit.expired():
                raise
            raise TookTooLong(
                f"the assigned partitions were not restored within {self._longest_s:g} s: want a higher"
                " worker.restore_timeout_s (of a pager: pager.restore_timeout_s); if the log says throttled: a"
                " higher quota"
            ) from fault
        finally:
            self._under_way.discard(limit)
