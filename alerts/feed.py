"""Edge. A rota that is fetched from a URL, with its last good copy on disk, or read from a file now and then."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from alerts.expense import TooCostly
from alerts.ical import SureRota, parsed, read

FETCHED = "fetched"
NO_CALENDAR = "no_calendar"
TOO_COSTLY = "too_costly"
NOT_KEPT = "not_kept"
UNREADABLE = "unreadable"


class Feed(NamedTuple):
    """Where a rota comes from, how often it is asked for, and where its last good copy is kept.

    Without a ``url`` it comes from the file ``copy``, which others write.
    """

    name: str
    url: str
    refresh_s: float
    copy: Path
    rota: SureRota

    def __repr__(self) -> str:
        return f"Feed({self.name})"  # the URL is a secret

    def load(self) -> Feed:
        """Take the copy that an earlier run kept, if there is a good one; return the feed."""
        with suppress(ValueError):
            self.rota.rota = read(self.copy)
        return self

    def look(self) -> tuple[str, tuple[str, ...]]:
        """Read the file again; what is no calendar changes nothing. Return as ``take`` does."""
        try:
            self.rota.rota = rota = parsed(self.copy.read_bytes())
        except OSError:
            return UNREADABLE, ()
        except ValueError as fault:
            return TOO_COSTLY if isinstance(fault, TooCostly) else NO_CALENDAR, ()
        return FETCHED, self.rota.strangers(rota.names)

    def take(self, content: bytes) -> tuple[str, tuple[str, ...]]:
        """Use the fetched calendar and keep it; what is no calendar, or too costly a one, changes nothing.

        Return a reason, and the names that it gives turns to and no receiver has.
        """
        try:
            self.rota.rota = rota = parsed(content)
        except TooCostly:
            return TOO_COSTLY, ()
        except ValueError:
            return NO_CALENDAR, ()
        return (FETCHED if self._keep(content) else NOT_KEPT), self.rota.strangers(rota.names)

    def _keep(self, content: bytes) -> bool:
        """Replace the copy at one stroke; return whether that went well."""
        fresh = self.copy.with_name(f"{self.copy.name}.new")
        try:
            fresh.write_bytes(content)
            fresh.replace(self.copy)
        except OSError:
            return False
        return True
