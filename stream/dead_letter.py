"""Edge. A refused record as it goes to the dead letters: whole if it fits, else the first bytes of each part.

A compressed record passes its topic's limit and may be of any size once it is read. The dead letter is written
uncompressed, in the transaction of a checkpoint: too large a one would stop its partition for good.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from stream.engine.partition import Header, Output, Record
from stream.fields import CUT_HEADERS, DEAD_LETTER_HEADERS
from stream.refusal import DecodeError

LETTER_BYTES: Final = 2 << 20
"""What the topic's ``max.message.bytes`` must allow: twice Kafka's default, so what came as it is stays whole."""
RECORD_BYTES: Final = LETTER_BYTES - 16_384
"""Of key, headers and value together; the rest is Kafka's frame and our own headers."""
KEY_BYTES: Final = RECORD_BYTES // 4
HEADERS_BYTES: Final = RECORD_BYTES // 4
FRAME_BYTES: Final = 10
"""At most so many bytes say how long a header's name and value are."""


def dead_letter(record: Record, fault: DecodeError, topic: str) -> Output:
    """Return the record for ``topic``: its own key, headers and value, then headers that say why it was refused.

    A null value becomes no bytes: a tombstone would tell nothing, and a compacted topic would drop it. Our headers
    come last, so that a reader who takes the last of a name is never misled by the record's own.
    """
    source = f"{record.topic}/{record.partition}/{record.offset}"
    why = _named(DEAD_LETTER_HEADERS, (fault.reason, str(fault), source))
    return fitted(topic, record.key, record.value or b"", record.headers, why)


def fitted(
    topic: str, key: bytes | None, value: bytes, headers: Sequence[Header], why: Sequence[Header]
) -> Output:
    """Return a record with ``why`` behind its own headers; cut, and so marked, if it is too large."""
    kept, cut = [*headers], list[Header]()
    sizes = (len(key or b""), headers_bytes(kept), len(value))
    if sum(sizes) > RECORD_BYTES:
        key = key and key[:KEY_BYTES]
        kept = _first(kept)
        value = value[: RECORD_BYTES - len(key or b"") - headers_bytes(kept)]
        cut = _named(CUT_HEADERS, ("/".join(map(str, sizes)),))
    return Output(topic, key, value, [*kept, *why, *cut])


def headers_bytes(headers: Sequence[Header]) -> int:
    """Return what headers take on the wire, rounded up; 0 for none."""
    return sum(len(name.encode()) + len(value or b"") + FRAME_BYTES for name, value in headers)


def _first(headers: Sequence[Header]) -> list[Header]:
    """Return the headers before the first that does not fit."""
    kept: list[Header] = []
    room = HEADERS_BYTES
    for header in headers:
        room -= headers_bytes([header])
        if room < 0:
            break
        kept.append(header)
    return kept


def _named(names: Iterable[str], values: Sequence[str]) -> list[Header]:
    return [(name, value.encode()) for name, value in zip(names, values, strict=True)]
