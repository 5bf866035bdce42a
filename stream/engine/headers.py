"""Edge. Records whose headers have keys that are no UTF-8: brokers take them, and aiokafka ends at the first.

Their bytes that are no text are shown as U+FFFD, as Java's client does. Only a batch that has such a key is read
in Python.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from aiokafka.consumer import fetcher
from aiokafka.errors import CorruptRecordException
from aiokafka.record.default_records import _DefaultRecordBatchPy
from aiokafka.record.memory_records import MemoryRecords

_LENGTH = struct.Struct(">i")
_LENGTH_AT, _BEFORE = 8, 12
"""Where a batch says how many bytes follow its length, and how many there are until those."""


class Records:
    """What a fetch brought of a partition, as aiokafka's fetcher asks for it."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0
        self._records = MemoryRecords(data)
        self._newest: Any = None
        self.has_next = self._records.has_next
        self.size_in_bytes = self._records.size_in_bytes

    def next_batch(self) -> _Batch:
        """Return the next batch."""
        start = self._at
        self._at += _BEFORE + _LENGTH.unpack_from(self._data, start + _LENGTH_AT)[0]
        self._newest = None
        self._newest = self._records.next_batch()
        return _Batch(self._newest, memoryview(self._data)[start : self._at])

    def end(self, start: int) -> int:
        """Return the offset behind the newest batch, which begins at ``start`` or before and may be damaged."""
        ends = [] if self._newest is None else [self._newest.next_offset]
        if self.has_next():
            with suppress(CorruptRecordException):
                ends.append(self._records.next_batch().base_offset)
        return min((end for end in ends if end > start), default=start + 1)


class _Batch:
    __slots__ = ("_batch", "_data")

    def __init__(self, batch: Any, data: memoryview) -> None:
        self._batch = batch
        self._data = data

    def __getattr__(self, name: str) -> Any:
        return getattr(self._batch, name)

    def __next__(self) -> Any:
        return next(self._batch)

    def __iter__(self) -> Iterator[Any]:
        try:
            yield from self._batch
        except UnicodeDecodeError:
            yield from _forgiven(self._data)  # from its first on: who reads passes over what it has had


def _forgiven(data: memoryview) -> Iterator[Any]:
    batch = _DefaultRecordBatchPy(data)
    batch._maybe_uncompress()
    batch._buffer = _Lenient(batch._buffer)
    return iter(batch)


class _Lenient(bytearray):
    """Bytes whose parts are decoded whatever they are."""

    def __getitem__(self, at: Any) -> Any:
        found = super().__getitem__(at)
        return _Lenient(found) if isinstance(at, slice) else found

    def decode(self, encoding: str = "utf-8", errors: str = "replace") -> str:
        return super().decode(encoding, "replace")


def forgive() -> None:
    """Have all consumers of this process read such records."""
    fetcher.MemoryRecords = Records
