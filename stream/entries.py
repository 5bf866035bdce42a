"""Core. The join's entries: those in memory, over those in the store.

What changed stays in memory until the store holds it; of the rest only some do, those that came first leave first.
In memory an entry is the bytes that the store would hold, but for the batch that asks for it (decision 16).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from itertools import islice
from typing import NamedTuple, Protocol

import msgspec

from stream.due import Due, Index
from stream.entry import DECAYING, OPEN, UNKNOWN, Codec, Entry, index_of

NEVER = float("-inf")
PIECE = 500
"""Entries that are listed at one go: half a millisecond."""


class Changes(NamedTuple):
    """What changed between two freezes, as bytes. ``None`` deletes an entry; ``records`` are sorted.

    The lists are whole once ``Entries.dump`` has come to its end.
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
    done: tuple[Due, Due] = ((NEVER, b""), (NEVER, b""))
    """How far predictions and outcomes were overdue."""


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


Change = tuple[bytes, tuple[bytes, ...], tuple[bytes, ...]]
"""What became of an entry since a freeze: its bytes, its records on disk at that freeze, and those it has now."""


class Entries:
    """``memory`` holds the bytes of what changed, and up to ``kept`` entries in all; ``count`` is that of all.

    An entry is an object from when it is asked for until it is sealed, at the end of a batch: what lies in memory
    for hours is one bytes object, in place of a dozen that a processor's cache would have to fetch one by one.
    """

    def __init__(self, store: Store, codec: Codec, kept: int, count: int) -> None:
        self.memory: dict[bytes, bytes] = {}
        """Of an entry that is new since the last seal the bytes are empty."""
        self.count = count
        self.epoch = 1
        self._store = store
        self._codec = codec
        self._kept = kept
        self._live: dict[bytes, Entry] = {}
        self._touched: list[Entry] = []
        self._changed: dict[bytes, Change] = {}
        self._undumped: Iterator[tuple[bytes, Change]] = iter(())
        self._unwritten: list[tuple[int, Collection[bytes]]] = []
        """Epochs that the store does not hold yet, and the keys that changed in them."""
        self._frozen = Changes(0, [], [], [], b"")
        self._gone: dict[bytes, tuple[int, tuple[bytes, ...]]] = {}
        self._absent: set[bytes] = set()

    def find(self, key: bytes, names: tuple[str, str] | None = None) -> Entry | None:
        """Return an entry from memory, else from the store; it is the same object until the next seal.

        ``names`` are those of the key, if known.
        """
        entry = self._live.get(key)
        if entry is None:
            if key not in self.memory and key not in self._absent:
                self.fetch([key])
            value = self.memory.get(key)
            if value is None:
                return None
            entry = self._live[key] = self._codec.load(key, value, names)
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
            else:
                memory[key] = value

    def forget_absent(self) -> None:
        """Begin a new batch: what was asked for before will not be asked for again."""
        self._absent.clear()

    def add(self, key: bytes) -> Entry:
        """Return a new, empty entry."""
        entry = self._live[key] = Entry(key, None, float("-inf"), is_touched=True)
        self.memory[key] = b""
        self._touched.append(entry)
        self.count += 1
        if self._gone:
            epoch, index = self._gone.pop(key, (0, ()))
            entry.index = index if epoch == self.epoch else ()
        return entry

    def touch(self, entry: Entry) -> None:
        """Mark an entry as changed; call before it is."""
        if not entry.is_touched:
            entry.index = self._index_of(entry)
            entry.is_touched = True
            self._touched.append(entry)

    def _index_of(self, entry: Entry) -> tuple[bytes, ...]:
        """Return the records of the last freeze of an entry that is not touched."""
        change = self._changed.get(entry.key)
        return index_of(entry) if change is None else change[1]

    def remove(self, key: bytes, index: tuple[bytes, ...] = ()) -> None:
        """Drop an entry; a second time does nothing. One that is only on disk has these index records there."""
        if key in self.memory:
            entry = self.find(key)
            assert entry is not None
            index = entry.index if entry.is_touched else self._index_of(entry)
            entry.is_touched = False
            del self.memory[key], self._live[key]
            self._changed.pop(key, None)
        elif key in self._gone:
            return
        self._gone[key] = (self.epoch, index)
        self.count -= 1

    def seal(self) -> None:
        """Make bytes of all entries that changed, and let go of the objects."""
        memory, changed, dump = self.memory, self._changed, self._codec.dump
        for entry in self._touched:
            if entry.is_touched:  # it was not removed
                key = entry.key
                value = memory[key] = dump(entry)
                changed[key] = value, entry.index, index_of(entry)
        self._touched.clear()
        self._live.clear()

    def freeze(self, position: bytes) -> Changes:
        """Set apart what changed since the last freeze, as it is now."""
        for _ in self.dump():
            pass
        self.seal()
        epoch = self.epoch
        gone = [(key, index) for key, (since, index) in self._gone.items() if since == epoch]
        records_gone = [one for _, index in gone for one in index]
        self._frozen = Changes(epoch, [(key, None) for key, _ in gone], [], records_gone, position)
        self._undumped = iter(self._changed.items())
        self._unwritten.append((epoch, self._changed.keys()))
        self._changed = {}
        self.epoch += 1
        return self._frozen

    def dump(self) -> Iterator[None]:
        """List what the last freeze set apart, a piece with each step; whoever is asked last ends it."""
        frozen = self._frozen
        while piece := [*islice(self._undumped, PIECE)]:
            for key, (value, before, after) in piece:
                frozen.entries.append((key, value))
                frozen.records.extend(after)  # all: who takes from the index may have passed an old one
                frozen.gone.extend(one for one in before if one not in after)
            yield
        frozen.records.sort()

    def written(self, epoch: int) -> None:
        """The store holds all that changed until this freeze: what did not change since may leave memory."""
        self._gone = {key: gone for key, gone in self._gone.items() if gone[0] > epoch}
        self._unwritten = [one for one in self._unwritten if one[0] > epoch]
        self._absent.clear()
        excess = len(self.memory) - self._kept
        if excess > 0:
            held = {*self._live, *self._changed}.union(*(keys for _, keys in self._unwritten))
            clean = (key for key in self.memory if key not in held)
            for key in [*islice(clean, excess)]:
                del self.memory[key]
