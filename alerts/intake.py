"""Edge. Records of the findings topic to findings; what is none goes to the dead letters with its reason."""

from __future__ import annotations

from collections.abc import Callable

from alerts.book import Unreadable
from stream.engine.partition import Output, Record
from stream.events import Finding
from stream.wire import DecodeError, dead_letter_headers, decode_finding


def intake(dead_letters: str) -> Callable[[Record], Finding | Unreadable]:
    """Return the reader of records; ``dead_letters`` is the topic for what it can't read."""

    def read(record: Record) -> Finding | Unreadable:
        try:
            return decode_finding(record.value)
        except DecodeError as fault:
            why = dead_letter_headers(fault, record.topic, record.partition, record.offset)
            letter = Output(dead_letters, record.key, record.value, (*record.headers, *why))
            return Unreadable(fault.reason, letter)

    return read
