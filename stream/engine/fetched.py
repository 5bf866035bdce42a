"""Edge. A fetched record with nothing but what a fold asks for.

aiokafka makes a dataclass of eleven fields of each record, in Python: that took as long as decoding the record's
JSON. And thousands of them wait between fetch and fold, where the garbage collector looked through them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec import Struct

from stream.engine.partition import Header


class Fetched(Struct, frozen=True, gc=False):
    """A ``Record`` of the engine."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[Header]


def slim(fetcher: Any) -> None:
    """Have aiokafka's fetcher make ``Fetched`` of what it holds.

    What comes while it is waited for is of aiokafka's own kind, which a fold takes too: it has less to do then.
    """
    for held in list(fetcher._records.values()):
        unpacking = getattr(held, "_partition_records", None)  # an error has none
        if unpacking is not None:
            unpacking._consumer_record = _fetched


def _fetched(tp: Any, record: Any) -> Fetched:
    headers = tuple(record.headers)
    return Fetched(tp.topic, tp.partition, record.offset, record.timestamp, record.key, record.value, headers)
