"""Edge. A rota from an iCalendar: an event's summary names the receiver whose turn it is."""

from __future__ import annotations

import threading
import time
from collections.abc import Collection, Iterable
from datetime import UTC, date, datetime, tzinfo
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo

import recurring_ical_events
from icalendar import Calendar
from icalendar.cal import Component
from icalendar.timezone import tzp

from alerts.calendar import Rota
from alerts.expense import Budget, TooCostly, count, refuse_costly_rules

EVENTS = 5_000
"""Events of a calendar at most."""
DAY_S = 86_400
EDGE_S = 10_800
"""So much of the days beside one is looked into too: about clocks that are put back the library is not exact."""
KEPT = 32
"""Days whose turns are kept: to find those of another one all rules are gone through."""

FAULTS = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
"""What the library raises at a calendar that makes no sense."""


_reading = threading.Lock()
"""The library keeps the zones that calendars define under their names, for all calendars."""


class Turn(NamedTuple):
    """Whose it is, from ``starts_at`` until ``ends_at``, epoch seconds."""

    name: str
    starts_at: float
    ends_at: float


class IcalRota:
    """Turns from the events of one calendar, recurring ones and their exceptions included."""

    def __init__(self, calendar: Calendar) -> None:
        """Go through all rules until now: look-ups near it are quick then.

        Raises:
            ValueError: it would be slow to look into, or makes no sense.
        """
        now, events = time.time(), calendar.walk("VEVENT")
        refuse_costly_rules(events)
        self.names = tuple(sorted({_summary(event) for event in events if _is_on(event)}))
        """Every name that it gives a turn to."""
        self._zone = _zone(calendar)
        if isinstance(self._zone, ZoneInfo):
            calendar["X-WR-TIMEZONE"] = self._zone.key  # the library knows no names of Windows
        self._series = recurring_ical_events.of(calendar).series
        self._budget = Budget()
        self._days: dict[int, list[Turn]] = {}
        count(self._series, self._budget, now)
        for at in (now, now + DAY_S):
            self.at(at)

    def at(self, instant: float) -> tuple[str, ...]:
        """Return the summaries of the events that hold the instant, in alphabetical order; often one."""
        turns = self._turns(int(instant // DAY_S))
        return tuple(sorted({turn.name for turn in turns if turn.starts_at <= instant < turn.ends_at}))

    def _turns(self, day: int) -> list[Turn]:
        """Return the turns that touch a day, counted from 1970 in UTC; a day that can't be worked out has none."""
        if day not in self._days:
            if len(self._days) >= KEPT:
                self._days.clear()
            self._days[day] = []
            self._budget.refill()
            span = day * DAY_S - EDGE_S, (day + 1) * DAY_S + EDGE_S
            starts, ends = (datetime.fromtimestamp(one, self._zone) for one in span)
            found = [turn for series in self._series for turn in series.between(starts, ends)]
            made = [(turn.as_component(False), turn) for turn in found]
            self._days[day] = [
                Turn(_summary(event), self._instant(turn.start), self._instant(turn.end))
                for event, turn in made
                if _is_on(event)
            ]
        return self._days[day]

    def _instant(self, at: date) -> float:
        """Return a day's beginning, or a time without a zone, as in the calendar's own zone, epoch seconds."""
        moment = at if isinstance(at, datetime) else datetime(at.year, at.month, at.day)
        return (moment if moment.tzinfo else moment.replace(tzinfo=self._zone)).timestamp()


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

    def strangers(self, names: Iterable[str]) -> tuple[str, ...]:
        """Return those of the names that no receiver has."""
        return tuple(name for name in names if name not in self._receivers)


def _zone(calendar: Calendar) -> tzinfo:
    """Return the calendar's own zone, in which its whole days lie, as the library takes them from who asks."""
    name = str(calendar.get("X-WR-TIMEZONE", ""))
    zone = tzp.timezone(name) if name else UTC
    if zone is None:
        raise ValueError(f"X-WR-TIMEZONE {name!r}: want a zone of the IANA database")
    return zone


def _refuse_unknown_zones(events: Iterable[Component]) -> None:
    """Refuse times in a zone that nobody knows: taken for another's, they would wake the wrong person."""
    for event in events:
        for field in ("DTSTART", "DTEND"):
            found = event.get(field)
            name = None if found is None else found.params.get("TZID")
            if name and isinstance(found.dt, datetime) and found.dt.tzinfo is None:
                raise ValueError(f"TZID {name!r}: want a zone of the IANA database, or its VTIMEZONE")


def _is_on(event: Component) -> bool:
    return str(event.get("STATUS", "")).upper() != "CANCELLED"


def _summary(event: Component) -> str:
    return str(event.get("SUMMARY", "")).strip()


def read(path: Path) -> IcalRota:
    """Return the turns in a file.

    Raises:
        ValueError: the file can't be read, is no iCalendar, or one that would be slow to look into; names it.
    """
    try:
        return parsed(path.read_bytes())
    except OSError as fault:
        raise ValueError(f"file {str(path)!r}: {fault.strerror}") from None
    except ValueError as fault:
        raise ValueError(f"file {str(path)!r}: {fault}") from None


def parsed(content: bytes) -> IcalRota:
    """Return the turns in these bytes.

    Raises:
        TooCostly: it would be slow to look into.
        ValueError: they are no iCalendar, or one without events.
    """
    try:
        with _reading:
            tzp.use_default()  # what another calendar calls by the same name is forgotten
            calendar = Calendar.from_ical(content)
        events = calendar.walk("VEVENT")
        if not 1 <= len(events) <= EVENTS:
            raise ValueError(f"{len(events)} events: want 1 to {EVENTS}")
        _refuse_unknown_zones(events)
        return IcalRota(calendar)
    except TooCostly:
        raise
    except FAULTS as fault:
        raise ValueError(f"no calendar of turns: {fault}") from None
