"""Edge. Records of the findings topic to what the worker tells and to commands; what is none is a dead letter."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from alerts.change import DueChange
from alerts.command import Command
from alerts.outbox import Due
from alerts.silences import Wish
from alerts.unreadable import Unreadable
from stream.dead_letter import dead_letter, fitted
from stream.engine.partition import Output, Record
from stream.events import Told
from stream.refusal import DecodeError, Refusal
from stream.wire import decode_told

_decode_command = msgspec.json.Decoder(Command | Wish).decode
UNDELIVERED = "undelivered"


def intake(dead_letters: str) -> Callable[[Record], Told | Command | Wish | Unreadable]:
    """Return the reader of records; ``dead_letters`` is the topic for what it can't read."""

    def read(record: Record) -> Told | Command | Wish | Unreadable:
        try:
            return decode_told(record.value)
        except DecodeError as fault:
            if fault.reason is Refusal.UNKNOWN_TYPE and (command := _command(record.value)) is not None:
                return command
            return Unreadable(fault.reason, dead_letter(record, fault, dead_letters))

    return read


def _command(value: bytes | None) -> Command | Wish | None:
    try:
        found: Command | Wish = _decode_command(value or b"")
        return found
    except msgspec.DecodeError:
        return None


def undelivered(dead_letters: str) -> Callable[[Due | DueChange, str], Output]:
    """Return the maker of dead letters for notifications that their receiver refused for good."""

    def letter(due: Due | DueChange, reason: str) -> Output:
        headers = [
            ("tidewatch_reason", UNDELIVERED.encode()),
            ("tidewatch_detail", reason.encode()),
            ("tidewatch_receiver", due.notification.receiver.encode()),
            ("tidewatch_notification", due.notification.id.encode()),
        ]
        subject = due.subject
        return fitted(dead_letters, subject.id.encode(), msgspec.json.encode(subject), (), headers)

    return letter
