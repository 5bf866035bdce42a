"""Core. Who is due, in order of time: in memory until it is written, then read ahead from the store.

A record may be here after its entry has moved on, and in two places while it is being written; whoever takes it
looks at the entry. So taking twice is harmless and nothing is ever searched and removed.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from collections.abc import Iterator, Sequence
from heapq import heappop, heappush
from typing import Protocol

from stream.entry import DECAYING, OPEN, UNKNOWN, instant_of, record

AHEAD = 512
"""Records read from the store at once."""
PIECE = 500
"""Records that are taken at one go: what follows takes some 10 ms."""
NEVER, FOREVER = float("-inf"), float("inf")
Due = tuple[float, bytes]


class Index(Protocol):
    """The time-ordered records on disk."""

    def due(self, since: bytes, limit: int) -> list[bytes]:
        """Return at most ``limit`` records of the kind that ``since`` begins with, from it onward, in order."""
        ...


class Queue:
    """The records of one kind. ``next_at`` is the time of the first, infinity when there is none.

    ``done``: none after this record was ever ``overdue``, so it tells how far they were, also after a restart.
    """

    def __init__(self, kind: bytes, index: Index, since: bytes) -> None:
        self._kind = kind
        self._index = index
        self._fresh: list[Due] = []
        self._frozen: list[tuple[int, list[Due]]] = []
        self._ahead: deque[bytes] = deque()
        self._since = since
        self._is_read = False
        self._refill()
        self.next_at = self._first_at()
        self.done: Due = (NEVER, b"")

    def push(self, at: float, key: bytes) -> None:
        """Add a record that is not on disk yet."""
        heappush(self._fresh, (at, key))
        if at < self.next_at:
            self.next_at = at

    def is_due(self, clock: float, wait_s: float) -> bool:
        """Return whether there is a record for which ``clock > at + wait_s``."""
        return clock > self.next_at + wait_s

    def overdue(self, clock: float, wait_s: float) -> Iterator[list[Due]]:
        """Yield the first that are due, and forget them: all until ``done``, which came late, and a piece more."""
        while found := self.take(clock, wait_s, PIECE):
            yield found
            if found[-1] > self.done:
                self.done = found[-1]
                break
        if not self.is_due(clock, wait_s):
            self.done = max(self.done, (clock - wait_s, b""))

    def take(self, clock: float, wait_s: float, limit: int, last: Due | None = None) -> list[Due]:
        """Return the first records, at most ``limit`` until ``last``, that are due, and forget them."""
        found: list[Due] = []
        while clock > self.next_at + wait_s and len(found) < limit:
            if last is not None and self._first() > last:
                break
            one = self._pop()
            if not found or found[-1] != one:
                found.append(one)
            self.next_at = self._first_at()
        return found

    def _heaps(self) -> list[list[Due]]:
        return [heap for heap in (self._fresh, *(frozen for _, frozen in self._frozen)) if heap]

    def _first_at(self) -> float:
        at = min((heap[0][0] for heap in self._heaps()), default=FOREVER)
        return min(at, instant_of(self._ahead[0][1:9])) if self._ahead else at

    def _first(self) -> Due:
        firsts = [heap[0] for heap in self._heaps()]
        if self._ahead:
            firsts.append((instant_of(self._ahead[0][1:9]), self._ahead[0][9:]))
        return min(firsts)

    def _pop(self) -> Due:
        heap = min(self._heaps(), default=None, key=lambda heap: heap[0])
        if self._ahead:
            first = self._ahead[0]
            one = instant_of(first[1:9]), first[9:]
            if heap is None or one <= heap[0]:
                self._ahead.popleft()
                self._refill()
                return one
        assert heap is not None
        return heappop(heap)

    def _refill(self) -> None:
        if self._ahead or self._is_read:
            return
        self._ahead.extend(self._index.due(self._since, AHEAD))
        self._is_read = len(self._ahead) < AHEAD
        if self._ahead:
            self._since = self._ahead[-1] + b"\0"

    def freeze(self, epoch: int) -> bytes:
        """Set what is in memory apart until it is written; return where to read from once it is."""
        firsts = [record(self._kind, *heap[0]) for heap in self._heaps()]
        firsts.append(self._ahead[0] if self._ahead else self._since)
        if self._fresh:
            self._frozen.append((epoch, self._fresh))
            self._fresh = []
        return min(firsts)

    def written(self, epoch: int, records: Sequence[bytes], gone: Sequence[bytes]) -> None:
        """The records of this freeze, sorted, and those before it are on disk now; ``gone`` are not any more."""
        self._frozen = [one for one in self._frozen if one[0] > epoch]
        after = bytes([self._kind[0] + 1])
        ours = records[bisect_left(records, self._kind) : bisect_left(records, after)]
        if self._ahead:
            first, last = self._ahead[0], self._ahead[-1]
            stale = {one for one in gone if first <= one <= last}
            if stale:
                self._ahead = deque(one for one in self._ahead if one not in stale)
        if ours:
            self._is_read = False
            if ours[0] < self._since:
                self._since = min(self._ahead[0] if self._ahead else self._since, ours[0])
                self._ahead.clear()
        self._refill()
        self.next_at = self._first_at()


class Queues:
    """Those of a join: ``open`` predictions, outcomes of ``unknown`` ones, and entries that nothing waits in."""

    def __init__(self, index: Index, horizon_s: float, since: Sequence[bytes]) -> None:
        self.open, self.unknown, self.decaying = (
            Queue(kind, index, first) for kind, first in zip((OPEN, UNKNOWN, DECAYING), since, strict=True)
        )
        self._all = self.open, self.unknown, self.decaying
        self._horizon_s = horizon_s

    @property
    def done(self) -> tuple[Due, Due]:
        """How far predictions and outcomes were overdue."""
        return self.open.done, self.unknown.done

    def take_up(self, done: tuple[Due, Due]) -> None:
        """Go on from where a checkpoint says that these were."""
        self.open.done, self.unknown.done = done

    def is_due(self, predicted_until: float, known_until: float) -> bool:
        """Return whether a record of any kind is due by the clocks of the two topics."""
        horizon_s, behind = self._horizon_s, min(predicted_until, known_until)
        waits = self.open.is_due(known_until, horizon_s) or self.unknown.is_due(predicted_until, horizon_s)
        return waits or self.decaying.is_due(behind, 2 * horizon_s)

    def oldest(self) -> bytes | None:
        """Take the key of who goes first: of the decided, then the oldest that waits."""
        for queue in (self.decaying, min(self.open, self.unknown, key=lambda queue: queue.next_at)):
            if found := queue.take(FOREVER, 0.0, 1):
                return found[0][1]
        return None

    def freeze(self, epoch: int) -> tuple[bytes, bytes, bytes]:
        """Set what is in memory apart until it is written; return where each is to be read from once it is."""
        return self.open.freeze(epoch), self.unknown.freeze(epoch), self.decaying.freeze(epoch)

    def written(self, epoch: int, records: Sequence[bytes], gone: Sequence[bytes]) -> None:
        """The records of this freeze, sorted, and those before it are on disk now; ``gone`` are not any more."""
        for queue in self._all:
            queue.written(epoch, records, gone)
