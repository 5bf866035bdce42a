"""Core. Silences that people set through the API: like those of the owners file, but ended by hand too.

The wishes travel on the findings topic, in one order with the findings.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from alerts.calendar import Silence
from alerts.incident import digest
from alerts.ledger import Ledger
from alerts.reason import Decision, Reason

PREFIX = "sil_"
SILENCES_BUDGET = 500
"""How many may be set and not over; past it, none is taken."""


class SetSilence(Struct, frozen=True, kw_only=True, tag_field="type", tag="silence"):
    """Somebody's wish that what matches be quiet; also the form in which a silence is stored."""

    schema: Literal[1] = 1
    silence: Silence

    @property
    def id(self) -> str:
        """The silence's id."""
        return self.silence.name


class EndSilence(Struct, frozen=True, kw_only=True, tag_field="type", tag="silence_end"):
    """Somebody's wish that a silence be over."""

    id: str
    by: str


Wish = SetSilence | EndSilence


def wished(silence: Silence) -> SetSilence:
    """Return the wish for a silence, under the name that its content gives it."""
    parts = (silence.owner, silence.author, silence.reason, repr(silence.starts_at), repr(silence.ends_at))
    matchers = (silence.model, silence.version, silence.slice, silence.metric)
    return SetSilence(silence=replace(silence, name=f"{PREFIX}{digest(*parts, *matchers)}"))


class Silences:
    """Those that are set; owned by exactly one book."""

    def __init__(self) -> None:
        self._held: dict[str, SetSilence] = {}

    def __iter__(self) -> Iterator[Silence]:
        return (one.silence for one in self._held.values())

    def get(self, name: str) -> SetSilence | None:
        """Return the silence, or ``None``."""
        return self._held.get(name)

    def put(self, wish: SetSilence) -> None:
        """Add a silence."""
        self._held[wish.id] = wish

    def drop(self, name: str) -> None:
        """Forget a silence that is over."""
        self._held.pop(name, None)

    def over(self, now: float) -> list[str]:
        """Return the names of those that have ended by ``now``, epoch seconds."""
        return [one.id for one in self._held.values() if one.silence.ends_at <= now]

    def refusal(self, wish: Wish, now: float) -> Reason | None:
        """Return why a wish changes nothing, ``None`` if it does."""
        if isinstance(wish, EndSilence):
            return None if wish.id in self._held else Reason.NO_SUCH_SILENCE
        if wish.id in self._held or wish.silence.ends_at <= now:
            return Reason.REPEAT
        return Reason.TOO_MANY_SILENCES if len(self._held) >= SILENCES_BUDGET else None


def hush(incidents: Ledger, silence: Silence, now: float) -> Decision:
    """Decide what a new silence changes of what is open: nobody is escalated to or told again while it lasts."""
    quiet = tuple(
        replace(incident, muted_by=silence.said, muted_until=silence.ends_at)
        for incident in incidents
        if incident.state == "open"
        and incident.muted_until is None
        and silence.until(incident.lead, now, incident.owner) is not None
    )
    return Decision(quiet, (Reason.SILENCE_SET,))


def free(incidents: Ledger, silence: Silence, now: float) -> Decision:
    """Decide what the end of a silence by hand changes: what it kept quiet is told at once if it is still open."""
    freed = tuple(
        replace(incident, muted_until=now)
        for incident in incidents
        if incident.state != "resolved" and incident.muted_by == silence.said
    )
    return Decision(freed, (Reason.SILENCE_ENDED,))
