"""Core. The join's entries: those in memory, over those in the store.

What changed stays in memory until the store holds it; of the rest only some do, the longest unchanged leave first.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from typing import NamedTuple, Protocol

from stream.due import Index
from stream.entry import Codec, Entry, index_of


class Changes(NamedTuple):
    """What changed between two freezes, as bytes. ``None`` deletes an entry; ``records`` are sorted."""

    epoch: int
    entries: list[tuple[bytes, bytes | None]]
    records: list[bytes]
    gone: list[bytes]
    position: bytes


class Size(NamedTuple):
    """What a store takes, in bytes; ``memory`` without the cache that stores may share."""

    disk: int
    memory: int


class Store(Index, Protocol):
    """Where all entries are kept, as of some offsets of the two topics."""

    def get_many(self, keys: list[bytes]) -> list[bytes | None]:
        """Return the entries of these keys, in their order; ``None`` for a key without one."""
        ...

    def write(self, changes: Changes, offsets: Mapping[str, int]) -> None:
        """Take over the changes and the offsets that they bring it to: all or, after a crash, nothing."""
        ...

    def offsets(self) -> dict[str, int]:
        """Return the offsets last written; empty when new."""
        ...

    def position(self) -> bytes:
        """Return the position last written; empty when new."""
        ...

    def size(self) -> Size:
        """Return what it takes now."""
        ...

    def close(self) -> None:
        """Keep what was written."""
        ...

    def wipe(self) -> None:
        """Forget everything."""
        ...


class Entries:
    """``memory`` holds what changed, and ``kept`` unchanged entries more; ``count`` is that of all."""

    def __init__(self, store: Store, codec: Codec, kept: int, count: int) -> None:
        self.memory: dict[bytes, Entry] = {}
        self.count = count
        self.epoch = 1
        self._store = store
        self._codec = codec
        self._kept = kept
        self._changed: list[Entry] = []
        self._gone: dict[bytes, tuple[int, tuple[bytes, ...]]] = {}
        self._absent: set[bytes] = set()

    def find(self, key: bytes) -> Entry | None:
        """Return an entry from memory, else from the store."""
        entry = self.memory.get(key)
        if entry is None and self.count > len(self.memory) and key not in self._absent:
            self.fetch([key])
            entry = self.memory.get(key)
        return entry

    def fetch(self, keys: list[bytes]) -> None:
        """Bring entries into memory at one go; costs nothing while all are there."""
        memory, gone = self.memory, self._gone
        if self.count <= len(memory):
            return
        cold = [key for key in keys if key not in memory and key not in gone]
        for key, value in zip(cold, self._store.get_many(cold), strict=True):
            if value is None:
                self._absent.add(key)
            elif key not in memory:
                memory[key] = self._codec.load(key, value)

    def forget_absent(self) -> None:
        """Begin a new batch: what was asked for before will not be asked for again."""
        self._absent.clear()

    def add(self, key: bytes) -> Entry:
        """Return a new, empty entry."""
        entry = self.memory[key] = Entry(key, 0, None, float("-inf"))
        self.count += 1
        if self._gone:
            epoch, index = self._gone.pop(key, (0, ()))
            entry.index = index if epoch == self.epoch else ()
        return entry

    def touch(self, entry: Entry) -> None:
        """Mark an entry as changed."""
        if entry.epoch != self.epoch:
            entry.epoch = self.epoch
            self._changed.append(entry)

    def remove(self, key: bytes, index: tuple[bytes, ...]) -> None:
        """Drop an entry that has these index records on disk; a second time does nothing."""
        if self.memory.pop(key, None) is not None or key not in self._gone:
            self._gone[key] = (self.epoch, index)
            self.count -= 1

    def freeze(self, position: bytes) -> Changes:
        """Return what changed since the last freeze."""
        entries: list[tuple[bytes, bytes | None]] = []
        records: list[bytes] = []
        gone: list[bytes] = []
        dump, memory = self._codec.dump, self.memory
        for entry in self._changed:
            if memory.get(entry.key) is not entry:
                continue
            entries.append((entry.key, dump(entry)))
            index, before = index_of(entry), entry.index
            if index != before:
                records += index
                gone += [one for one in before if one not in index]
                entry.index = index
        for key, (epoch, index) in self._gone.items():
            if epoch == self.epoch:
                entries.append((key, None))
                gone += index
        records.sort()
        changes = Changes(self.epoch, entries, records, gone, position)
        self.epoch += 1
        self._changed = []
        return changes

    def written(self, epoch: int) -> None:
        """The store holds all that changed until this freeze: what did not change since may leave memory."""
        self._gone = {key: gone for key, gone in self._gone.items() if gone[0] > epoch}
        self._absent.clear()
        excess = len(self.memory) - self._kept
        if excess > 0:
            clean = (key for key, entry in self.memory.items() if entry.epoch <= epoch)
            for key in [*islice(clean, excess)]:
                del self.memory[key]
