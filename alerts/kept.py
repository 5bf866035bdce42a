"""Core. What is durable, as those who answer people read it, and where wishes go."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from alerts.calendar import Silence
from alerts.command import Command
from alerts.incident import Incident
from alerts.silences import Wish


class NotWritten(Exception):
    """Kafka doesn't take it, or didn't say so in time: ask again."""


class Kept(Protocol):
    """Incidents and silences, unless ``is_whole`` says that they are still being read."""

    is_whole: bool

    def get(self, incident_id: str) -> Incident | None:
        """Return the incident, or ``None``."""
        ...

    def listed(self) -> list[Incident]:
        """Return all incidents, unresolved ones first."""
        ...

    async def order(self, command: Command, done: Callable[[Incident], bool]) -> Incident | None:
        """Write a command; return the incident once it is ``done``.

        Raises:
            NotWritten: Kafka doesn't take it.
        """
        ...

    def silences(self) -> list[Silence]:
        """Return the silences that people have set and that are not over, the one that ends first first."""
        ...

    async def wish(self, wish: Wish, done: Callable[[], bool]) -> bool:
        """Write a wish for a silence or its end; return whether it is ``done``, ``False`` if not in time.

        Raises:
            NotWritten: Kafka doesn't take it.
        """
        ...
