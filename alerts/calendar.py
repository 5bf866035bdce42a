"""Core. When somebody is told: quiet hours, silences, and whose turn it is. Instants are epoch seconds."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from fnmatch import fnmatchcase
from typing import Literal, Protocol, get_args
from zoneinfo import ZoneInfo

from msgspec import Struct

from stream.events import Finding

Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
DAYS: tuple[Day, ...] = get_args(Day)
MATCHERS = ("model", "version", "slice", "metric")
"""What a silence may be about."""
ROTA = "rota:"
"""Among receivers, ``rota:NAME`` stands for whoever has the turn."""


class QuietHours(Struct, frozen=True, kw_only=True):
    """From ``start`` to ``end`` of local time in ``zone``, over midnight when ``end`` is not later.

    ``days`` are those on which it starts.
    """

    start: time
    end: time
    zone: str = "UTC"
    days: tuple[str, ...] = DAYS

    def until(self, at: float) -> float | None:
        """Return when the quiet that holds ``at`` ends, or ``None`` when there is none."""
        zone = ZoneInfo(self.zone)
        today = datetime.fromtimestamp(at, zone).date()
        for day in (today - timedelta(days=1), today):
            if DAYS[day.weekday()] not in self.days:
                continue
            last = day if self.end > self.start else day + timedelta(days=1)
            begins = datetime.combine(day, self.start, zone).timestamp()
            ends = datetime.combine(last, self.end, zone).timestamp()
            if begins <= at < ends:
                return ends
        return None


class Silence(Struct, frozen=True, kw_only=True):
    """Somebody's word that trouble is expected. Globs; one left out matches everything.

    With an ``owner`` it holds for that one's incidents only, empty: for all.
    """

    name: str
    author: str
    reason: str
    starts_at: float
    ends_at: float
    model: str = "*"
    version: str = "*"
    slice: str = "*"
    metric: str = "*"
    owner: str = ""

    @property
    def said(self) -> str:
        """What is written on an incident that it keeps quiet."""
        return f"silence {self.name}, by {self.author}: {self.reason}"

    def until(self, finding: Finding, at: float, owner: str) -> float | None:
        """Return when it ends if it holds ``at`` for this finding in an incident of ``owner``, else ``None``."""
        if not self.starts_at <= at < self.ends_at or self.owner not in ("", owner):
            return None
        is_meant = all(fnmatchcase(getattr(finding, name), getattr(self, name)) for name in MATCHERS)
        return self.ends_at if is_meant else None


class Rota(Protocol):
    """Who has the turn."""

    def at(self, instant: float) -> tuple[str, ...]:
        """Return the names of the receivers whose turn it is; empty when it is nobody's."""
        ...
