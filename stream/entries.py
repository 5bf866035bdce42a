"""Core. The join's entries: those in memory, over those in the store.

What changed stays in memory until the store holds it; of the rest only some do, the longest unchanged leave first.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import NamedTuple, Protocol

import msgspec

from stream.due import Index
from stream.entry import DECAYING, OPEN, UNKNOWN, Codec, Entry, index_of

NEVER = float("-inf")
PIECE = 200
"""Entries that are made bytes of at one go: half a millisecond."""


class Changes(NamedTuple):
    """What changed between two freezes, as bytes. ``None`` deletes an entry; ``records`` are sorted.

    The bytes are there once ``Entries.dump`` has come to its end.
    """

    epoch: int
    entries: list[tuple[bytes, bytes | None]]
    records: list[bytes]
    gone: list[bytes]
    position: bytes


class Position(msgspec.Struct, frozen=True, array_like=True):
    """Where a join stood at a freeze."""

    predicted_until: float = NEVER
    known_until: float = NEVER
    pending: int = 0
    entries: int = 0
    open: bytes = OPEN
    unknown: bytes = UNKNOWN
    decaying: bytes = DECAYING


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
        self._undumped: dict[bytes, Entry] = {}
        self._frozen = Changes(0, [], [], [], b"")
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
        """Mark an entry as changed; call before it is."""
        if entry.epoch != self.epoch:
            if self._undumped:
                self._save(entry)
            entry.epoch = self.epoch
            self._changed.append(entry)

    def remove(self, key: bytes, index: tuple[bytes, ...] = ()) -> None:
        """Drop an entry; a second time does nothing. One that is only on disk has these index records there."""
        entry = self.memory.pop(key, None)
        if entry is not None:
            self._save(entry)
            index = entry.index
        elif key in self._gone:
            return
        self._gone[key] = (self.epoch, index)
        self.count -= 1

    def freeze(self, position: bytes) -> Changes:
        """Set apart what changed since the last freeze: it is dumped, as it is now, before it changes again."""
        for _ in self.dump():
            pass
        memory, epoch = self.memory, self.epoch
        self._undumped = {one.key: one for one in self._changed if memory.get(one.key) is one}
        gone = [(key, index) for key, (since, index) in self._gone.items() if since == epoch]
        records_gone = [one for _, index in gone for one in index]
        self._frozen = Changes(epoch, [(key, None) for key, _ in gone], [], records_gone, position)
        self.epoch += 1
        self._changed = []
        return self._frozen

    def dump(self) -> Iterator[None]:
        """Make the bytes of what the last freeze set apart, a piece with each step."""
        while self._undumped:
            for entry in [*islice(self._undumped.values(), PIECE)]:
                self._save(entry)
            yield
        self._frozen.records.sort()

    def _save(self, entry: Entry) -> None:
        """Make the bytes of an entry that is set apart."""
        if self._undumped.pop(entry.key, None) is None:
            return
        frozen = self._frozen
        frozen.entries.append((entry.key, self._codec.dump(entry)))
        index, before = index_of(entry), entry.index
        if index != before:
            frozen.records.extend(index)
            frozen.gone.extend(one for one in before if one not in index)
            entry.index = index

    def written(self, epoch: int) -> None:
        """The store holds all that changed until this freeze: what did not change since may leave memory."""
        self._gone = {key: gone for key, gone in self._gone.items() if gone[0] > epoch}
        self._absent.clear()
        excess = len(self.memory) - self._kept
        if excess > 0:
            clean = (key for key, entry in self.memory.items() if entry.epoch <= epoch)
            for key in [*islice(clean, excess)]:
                del self.memory[key]
