"""Edge. A rota from an iCalendar file: an event's summary names the receiver whose turn it is."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import recurring_ical_events
from icalendar import Calendar


class IcalRota:
    """Turns from the events of one calendar, recurring ones and their exceptions included."""

    def __init__(self, calendar: Calendar) -> None:
        self._events = recurring_ical_events.of(calendar)

    def at(self, instant: float) -> tuple[str, ...]:
        """Return the summaries of the events that hold the instant, in alphabetical order; often one."""
        found = self._events.at(datetime.fromtimestamp(instant, UTC))
        return tuple(sorted({str(event.get("SUMMARY", "")).strip() for event in found}))


def summaries(calendar: Calendar) -> tuple[str, ...]:
    """Return every name that the calendar gives a turn to, in alphabetical order."""
    return tuple(sorted({str(event.get("SUMMARY", "")).strip() for event in calendar.walk("VEVENT")}))


def read(path: Path) -> Calendar:
    """Return the calendar in a file.

    Raises:
        ValueError: the file can't be read, or is no iCalendar; names it.
    """
    try:
        calendar = Calendar.from_ical(path.read_bytes())
    except OSError as fault:
        raise ValueError(f"file {str(path)!r}: {fault.strerror}") from None
    except (ValueError, KeyError, IndexError) as fault:
        raise ValueError(f"file {str(path)!r}: no iCalendar: {fault}") from None
    if not calendar.walk("VEVENT"):
        raise ValueError(f"file {str(path)!r}: want at least one event")
    return calendar
