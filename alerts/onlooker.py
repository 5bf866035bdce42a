"""Core. Who looks on while findings are folded: metrics and log."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from alerts.command import Command
from alerts.incident import Incident
from alerts.reason import Reason
from alerts.silences import Wish
from stream.events import Errors, Finding, Rollout


class Onlooker(Protocol):
    """Called while folding; must not fail."""

    def triaged(self, finding: Finding, incident: Incident | None, reasons: Sequence[Reason]) -> None:
        """Learn what became of a finding."""
        ...

    def worsened(self, errors: Errors, incident: Incident | None, reasons: Sequence[Reason]) -> None:
        """Learn what a model's newest errors changed; ``None``: no incident."""
        ...

    def rolled_out(self, rollout: Rollout, reasons: Sequence[Reason]) -> None:
        """Learn who hears of a rollout."""
        ...

    def ripened(self, incident: Incident, reasons: Sequence[Reason]) -> None:
        """Learn what the passing of time changed of an incident."""
        ...

    def commanded(self, command: Command, reasons: Sequence[Reason]) -> None:
        """Learn what became of somebody's wish."""
        ...

    def silenced(self, wish: Wish, reasons: Sequence[Reason]) -> None:
        """Learn what became of somebody's wish for a silence, or for its end."""
        ...

    def refused(self, reason: str) -> None:
        """Learn that a record on the findings topic was no finding."""
        ...
