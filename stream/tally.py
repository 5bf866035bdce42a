"""Core. What one batch did, counted while it is folded and told once: a metric an event would cost too much."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from stream.events import Finding
from stream.joined import Joined, Reason

MATCHED = Reason.MATCHED  # in Python 3.11 a member costs more through its class than as a name


@dataclass(slots=True)
class Tally:
    """Counts of one batch. ``delays`` are seconds from prediction to outcome; ``misrouted`` names producers."""

    predictions: int = 0
    outcomes: int = 0
    rollouts: int = 0
    joined: dict[str, int] = field(default_factory=dict)
    delays: list[float] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    misrouted: list[str] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    def join(self, reason: str, joined: Joined) -> None:
        """Count what became of an event."""
        self.joined[reason] = self.joined.get(reason, 0) + 1
        if reason is MATCHED and joined.served is not None:
            self.delays.append(joined.outcome_at - joined.served.at)


class Onlooker(Protocol):
    """Who is told what a fold did; it can't change it."""

    def folded(self, tally: Tally) -> None:
        """One batch was folded."""
        ...
