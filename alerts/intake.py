"""Edge. Records of the findings topic to findings and commands; what is none is a dead letter."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from alerts.book import Due, Unreadable
from alerts.command import Command
from stream.engine.partition import Output, Record
from stream.events import Finding
from stream.wire import DecodeError, dead_letter_headers, decode_finding

_decode_command = msgspec.json.Decoder(Command).decode
UNKNOWN_TYPE = "unknown_type"
UNDELIVERED = "undelivered"


def intake(dead_letters: str) -> Callable[[Record], Finding | Command | Unreadable]:
    """Return the reader of records; ``dead_letters`` is the topic for what it can't read."""

    def read(record: Record) -> Finding | Command | Unreadable:
        try:
            return decode_finding(record.value)
        except DecodeError as fault:
            if fault.reason == UNKNOWN_TYPE and (command := _command(record.value)) is not None:
                return command
            why = dead_letter_headers(fault, record.topic, record.partition, record.offset)
            letter = Output(dead_letters, record.key, record.value, (*record.headers, *why))
            return Unreadable(fault.reason, letter)

    return read


def _command(value: bytes | None) -> Command | None:
    try:
        return _decode_command(value or b"")
    except msgspec.DecodeError:
        return None


def undelivered(dead_letters: str) -> Callable[[Due, str], Output]:
    """Return the maker of dead letters for notifications that their receiver refused for good."""

    def letter(due: Due, reason: str) -> Output:
        headers = [
            ("tidewatch_reason", UNDELIVERED.encode()),
            ("tidewatch_detail", reason.encode()),
            ("tidewatch_receiver", due.notification.receiver.encode()),
            ("tidewatch_notification", due.notification.id.encode()),
        ]
        return Output(dead_letters, due.incident.id.encode(), msgspec.json.encode(due.incident), headers)

    return letter
