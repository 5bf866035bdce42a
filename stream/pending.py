"""Edge. Where the join's entries are kept: in memory, or on disk in RocksDB."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Mapping

from stream.entries import Changes


class MemoryStore:
    """All in memory: for tests, and for what needs no disk."""

    def __init__(self) -> None:
        self.entries: dict[bytes, bytes] = {}
        self.records: list[bytes] = []
        self._offsets: dict[str, int] = {}
        self._position = b""

    def get_many(self, keys: list[bytes]) -> list[bytes | None]:
        """Return the entries of these keys."""
        return [self.entries.get(key) for key in keys]

    def due(self, since: bytes, limit: int) -> list[bytes]:
        """Return at most ``limit`` records of the kind that ``since`` begins with, from it onward, in order."""
        first = bisect_left(self.records, since)
        return [one for one in self.records[first : first + limit] if one[:1] == since[:1]]

    def write(self, changes: Changes, offsets: Mapping[str, int]) -> None:
        """Take over the changes and the offsets that they bring it to."""
        for key, value in changes.entries:
            if value is None:
                self.entries.pop(key, None)
            else:
                self.entries[key] = value
        gone = {*changes.gone, *changes.records}
        self.records = [one for one in self.records if one not in gone]
        for one in changes.records:
            insort(self.records, one)
        self._offsets, self._position = dict(offsets), changes.position

    def offsets(self) -> dict[str, int]:
        """Return the offsets last written; empty when new."""
        return dict(self._offsets)

    def position(self) -> bytes:
        """Return the position last written; empty when new."""
        return self._position

    def close(self) -> None:
        """Keep what was written."""

    def wipe(self) -> None:
        """Forget everything."""
        self.__init__()  # type: ignore[misc]
