"""Edge. A rota from an iCalendar: an event's summary names the receiver whose turn it is."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import recurring_ical_events
from icalendar import Calendar
from icalendar.cal import Component

from alerts.calendar import Rota

EVENTS = 5_000
"""Events of a calendar at most: each is looked at when somebody is to be told."""
TOO_OFTEN = frozenset({"SECONDLY", "MINUTELY", "HOURLY"})
"""Rules that would make a look-up slow without end."""


FAULTS = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
"""What the library raises at a calendar that makes no sense."""


class IcalRota:
    """Turns from the events of one calendar, recurring ones and their exceptions included."""

    def __init__(self, calendar: Calendar) -> None:
        self._events = recurring_ical_events.of(calendar)

    def at(self, instant: float) -> tuple[str, ...]:
        """Return the summaries of the events that hold the instant, in alphabetical order; often one."""
        found = self._events.at(datetime.fromtimestamp(instant, UTC))
        return tuple(sorted({str(event.get("SUMMARY", "")).strip() for event in found}))


class SureRota:
    """A rota in which it is always somebody's turn: ``otherwise``, when the calendar says nobody's.

    A turn of a name that is none of ``receivers`` is nobody's, and so is all while there is no calendar, or one
    whose rules can't be worked out.
    """

    def __init__(
        self, receivers: Collection[str], otherwise: tuple[str, ...], rota: Rota | None = None
    ) -> None:
        self._receivers = frozenset(receivers)
        self._otherwise = otherwise
        self.rota = rota

    def at(self, instant: float) -> tuple[str, ...]:
        """Return the names of the receivers whose turn it is."""
        try:
            turns = () if self.rota is None else self.rota.at(instant)
        except FAULTS:
            turns = ()
        return tuple(name for name in turns if name in self._receivers) or self._otherwise

    def strangers(self, calendar: Calendar) -> tuple[str, ...]:
        """Return every name that the calendar gives a turn to and that no receiver has."""
        return tuple(name for name in summaries(calendar) if name not in self._receivers)


def summaries(calendar: Calendar) -> tuple[str, ...]:
    """Return every name that the calendar gives a turn to, in alphabetical order."""
    return tuple(sorted({str(event.get("SUMMARY", "")).strip() for event in calendar.walk("VEVENT")}))


def read(path: Path) -> Calendar:
    """Return the calendar in a file.

    Raises:
        ValueError: the file can't be read, or is no iCalendar; names it.
    """
    try:
        return parsed(path.read_bytes())
    except OSError as fault:
        raise ValueError(f"file {str(path)!r}: {fault.strerror}") from None
    except ValueError as fault:
        raise ValueError(f"file {str(path)!r}: {fault}") from None


def parsed(content: bytes) -> Calendar:
    """Return the calendar in these bytes.

    Raises:
        ValueError: they are no iCalendar, one without events, or one that would be slow to look into.
    """
    try:
        calendar = Calendar.from_ical(content)
        events = calendar.walk("VEVENT")
        rules = {str(often).upper() for event in events for often in _frequencies(event)}
        if not 1 <= len(events) <= EVENTS:
            raise ValueError(f"{len(events)} events: want 1 to {EVENTS}")
        if TOO_OFTEN & rules:
            raise ValueError("RRULE: want turns that recur daily or more rarely")
        IcalRota(calendar).at(0.0)
    except FAULTS as fault:
        raise ValueError(f"no calendar of turns: {fault}") from None
    return calendar


def _frequencies(event: Component) -> Iterator[Any]:
    found = event.get("RRULE", [])
    for rule in found if isinstance(found, list) else [found]:
        yield from rule.get("FREQ", [])
