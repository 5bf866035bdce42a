"""Edge. Records of the findings topic to findings; what is none goes to the dead letters with its reason."""

from __future__ import annotations

from collections.abc import Callable

from alerts.book import Unreadable
from stream.dead_letter import dead_letter
from stream.engine.partition import Record
from stream.events import Finding
from stream.refusal import DecodeError
from stream.wire import decode_finding


def intake(dead_letters: str) -> Callable[[Record], Finding | Unreadable]:
    """Return the reader of records; ``dead_letters`` is the topic for what it can't read."""

    def read(record: Record) -> Finding | Unreadable:
        try:
            return decode_finding(record.value)
        except DecodeError as fault:
            return Unreadable(fault.reason, dead_letter(record, fault, dead_letters))

    return read
