"""Edge. Batches that can't be read: damaged bytes on a broker's disk, which every fetch brings again.

aiokafka tells no offset then, and loses what it has read before them in the same fetch. Here that is handed on,
and the next fetch, which begins with the damage, says where it is.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from aiokafka import TopicPartition
from aiokafka.consumer import fetcher
from aiokafka.errors import CorruptRecordException, UnsupportedCodecError

_Unpacking: type[Any] = fetcher.PartitionRecords


class Damaged(CorruptRecordException):  # type: ignore[misc]
    """Records that can't be read; who gives up all before offset ``end`` can go on."""

    def __init__(self, tp: TopicPartition, start: int, end: int, why: str) -> None:
        super().__init__(
            f"{tp.topic} partition {tp.partition}: offsets {start} to {end - 1} can't be read, their bytes are"
            f" damaged ({why})"
        )
        self.tp = tp
        self.end = end

    def __str__(self) -> str:
        return str(self.args[0])


class Located(_Unpacking):  # type: ignore[misc]
    """The records of a fetch; the damaged ones are told when they come first."""

    def _unpack_records(self) -> Iterator[Any]:
        first = self.next_fetch_offset
        try:
            yield from super()._unpack_records()
        except UnsupportedCodecError:
            raise
        except Exception as fault:
            start = self.next_fetch_offset
            if start == first:
                why = str(fault).removesuffix(f" - {self._tp}")
                raise Damaged(self._tp, start, self._records.end(start), why) from fault


def locate() -> None:
    """Have all consumers of this process say where records are damaged."""
    fetcher.PartitionRecords = Located
