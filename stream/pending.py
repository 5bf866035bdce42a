"""Edge. Where the join's entries are kept: in memory, or on disk in RocksDB.

On disk, one database a partition: entries by key in the default column family, beside them the position and the
offsets; the time-ordered records in ``due``. What a checkpoint changed is one write, so a killed process
leaves a store as of some checkpoint. A killed machine may leave an older one, since nothing waits for the disk.
"""

from __future__ import annotations

import shutil
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping
from itertools import groupby, islice
from pathlib import Path
from typing import Any, cast

import msgspec
import structlog
from rocksdict import (
    BlockBasedIndexType,
    BlockBasedOptions,
    Cache,
    DBCompressionType,
    Options,
    Rdict,
    WriteBatch,
)

from stream.entries import Changes, Size

MIB = 1 << 20
HELD = "rocksdb.cur-size-all-mem-tables", "rocksdb.estimate-table-readers-mem"
DUE = "due"
POSITION, OFFSETS, FORM = b"!position", b"!offsets", b"!form"
"""No entry's key begins like these: it begins with a digit."""
WRITTEN_FORM = b"3"
"""Of the entries' bytes. A store of another form is forgotten: the log has it all. So is a damaged one."""
DAMAGED = "Corruption", "IO error: No such file"
"""How RocksDB's word on a store begins that it can't read; of one that somebody else uses it is another one."""
LOG = structlog.get_logger()


class MemoryStore:
    """All in memory: for what is over before a disk would be needed, as a test or a replay.

    A write touches only the stretches of the sorted records in which it changes any: a long file's are many.
    """

    def __init__(self) -> None:
        self.entries: dict[bytes, bytes] = {}
        self.records: list[bytes] = []
        self._offsets: dict[str, int] = {}
        self._position = b""

    def get_many(self, keys: list[bytes]) -> list[bytes | None]:
        """Return the entries of these keys, in their order; ``None`` for a key without one."""
        return [self.entries.get(key) for key in keys]

    def due(self, since: bytes, limit: int) -> list[bytes]:
        """Return at most ``limit`` records of the kind that ``since`` begins with, from it onward, in order."""
        first = bisect_left(self.records, since)
        return [one for one in self.records[first : first + limit] if one[:1] == since[:1]]

    def write(self, changes: Changes, offsets: Mapping[str, int]) -> None:
        """Take over the changes and the offsets that they bring it to."""
        entries, records = self.entries, self.records
        for key, value in changes.entries:
            if value is None:
                entries.pop(key, None)
            else:
                entries[key] = value
        for gone in _by_kind(sorted(changes.gone)):
            first, end = bisect_left(records, gone[0]), bisect_right(records, gone[-1])
            records[first:end] = _without(gone, records[first:end])
        for new in _by_kind(changes.records):
            first, end = bisect_left(records, new[0]), bisect_right(records, new[-1])
            records[first:end] = sorted([*_without(new, records[first:end]), *new])
        self._offsets, self._position = dict(offsets), changes.position

    def offsets(self) -> dict[str, int]:
        """Return the offsets last written; empty when new."""
        return dict(self._offsets)

    def position(self) -> bytes:
        """Return the position last written; empty when new."""
        return self._position

    def size(self) -> Size:
        """Return nothing for the disk, and the bytes of the entries."""
        return Size(0, sum(map(len, self.entries.values())))

    def close(self) -> None:
        """Keep what was written."""

    def wipe(self) -> None:
        """Forget everything."""
        self.entries, self.records = {}, []
        self._offsets, self._position = {}, b""


class RocksStore:
    """The entries of one partition in the folder ``path``; ``cache`` may be shared by all stores of a process.

    RocksDB is fast but holds the GIL: a write of n changed entries stops the process for about n microseconds.
    """

    def __init__(self, path: Path, cache: Cache | None = None) -> None:
        self._path = path
        self._cache = cache or open_cache()
        self._open()

    def _open(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._entries = self._database()
        except Exception as fault:  # rocksdict raises plain exceptions
            if not str(fault).startswith(DAMAGED):
                raise
            LOG.warning("join's disk damaged", path=str(self._path), fault=str(fault), meaning="made anew")
            shutil.rmtree(self._path)
            self._entries = self._database()
        self._due = self._entries.get_column_family(DUE)
        if self._entries.get(POSITION) and self._entries.get(FORM) != WRITTEN_FORM:
            self.wipe()

    def _database(self) -> Rdict:
        entries, due = (_options(self._cache, table) for table in (_entry_table(), BlockBasedOptions()))
        return Rdict(str(self._path), entries, {DUE: due})

    def get_many(self, keys: list[bytes]) -> list[bytes | None]:
        """Return the entries of these keys, in their order; ``None`` for a key without one."""
        return cast("list[bytes | None]", self._entries.get(cast("list[Any]", keys))) if keys else []

    def due(self, since: bytes, limit: int) -> list[bytes]:
        """Return at most ``limit`` records of the kind that ``since`` begins with, from it onward, in order."""
        found = cast("list[bytes]", [*islice(self._due.keys(from_key=since), limit)])
        return (
            found
            if not found or found[-1][:1] == since[:1]
            else [one for one in found if one[:1] == since[:1]]
        )

    def write(self, changes: Changes, offsets: Mapping[str, int]) -> None:
        """Take over the changes and the offsets that they bring it to."""
        batch, due = WriteBatch(raw_mode=True), self._entries.get_column_family_handle(DUE)
        put, delete = batch.put, batch.delete
        for key, value in changes.entries:
            if value is None:
                delete(key)
            else:
                put(key, value)
        for one in changes.gone:
            delete(one, due)
        for one in changes.records:
            put(one, b"", due)
        put(FORM, WRITTEN_FORM)
        put(POSITION, changes.position)
        put(OFFSETS, msgspec.msgpack.encode(dict(offsets)))
        self._entries.write(batch)

    def offsets(self) -> dict[str, int]:
        """Return the offsets last written; empty when new."""
        written = self._entries.get(OFFSETS)
        return msgspec.msgpack.decode(written, type=dict[str, int]) if written else {}

    def position(self) -> bytes:
        """Return the position last written; empty when new."""
        return cast("bytes", self._entries.get(POSITION) or b"")

    def size(self) -> Size:
        """Return the bytes of the files, and of write buffers and open files' parts outside the cache."""
        files = sum(one.stat().st_size for one in self._path.iterdir() if one.is_file())
        parts = [self._entries, self._due]
        held = (one.property_int_value(name) or 0 for one in parts for name in HELD)
        return Size(files, sum(held))

    def close(self) -> None:
        """Keep what was written."""
        self._due.close()
        self._entries.close()

    def wipe(self) -> None:
        """Forget everything."""
        self.close()
        shutil.rmtree(self._path)
        self._open()


def open_cache() -> Cache:
    """Return a cache of blocks, filters and indices, of at most 64 MiB, for stores to share."""
    return Cache(64 * MIB)


def _options(cache: Cache, table: BlockBasedOptions) -> Options:
    """Bound what RocksDB holds in memory: ``cache`` and 32 MiB of write buffers a store, next to nothing else."""
    table.set_block_cache(cache)
    # filters and indices count within the cache's bound; in small parts, since a shard of it holds no large one
    table.set_cache_index_and_filter_blocks(True)
    table.set_pin_l0_filter_and_index_blocks_in_cache(True)
    table.set_index_type(BlockBasedIndexType.two_level_index_search())
    table.set_pin_top_level_index_and_filter(True)
    table.set_format_version(5)
    options = Options(raw_mode=True)
    options.create_if_missing(True)
    options.create_missing_column_families(True)
    options.set_block_based_table_factory(table)
    options.set_compression_type(DBCompressionType.lz4())
    options.set_write_buffer_size(16 * MIB)
    options.set_max_write_buffer_number(3)
    options.set_db_write_buffer_size(32 * MIB)
    options.set_max_total_wal_size(64 * MIB)
    options.set_max_background_jobs(2)
    options.set_atomic_flush(True)  # a killed machine loses the log's end: what is left is to be of one write
    # a write that waits for compaction would hold the GIL: let level 0 grow instead
    options.set_level_zero_slowdown_writes_trigger(40)
    options.set_level_zero_stop_writes_trigger(80)
    options.set_max_open_files(256)
    options.set_keep_log_file_num(2)
    options.set_stats_dump_period_sec(0)
    return options


def _entry_table() -> BlockBasedOptions:
    """Every new prediction asks whether its id was seen: 10 bits answer 99 % of the noes without a read."""
    table = BlockBasedOptions()
    table.set_bloom_filter(10, False)
    table.set_partition_filters(True)
    return table


def _without(some: list[bytes], records: list[bytes]) -> list[bytes]:
    absent = {*some}
    return [one for one in records if one not in absent]


def _by_kind(records: Iterable[bytes]) -> list[list[bytes]]:
    """Return sorted records as one list for each kind, which is their first byte."""
    return [[*found] for _, found in groupby(records, lambda one: one[:1])]
