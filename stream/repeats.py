"""Core. How often in a row a model has said the same, and the ticket about it."""

from __future__ import annotations

from math import inf, nan
from typing import Final

from msgspec import Struct

from stream.drift import DAY_S
from stream.events import Finding, Label

RUN: Final = "\0run"
"""Stands among the inputs to look at for the run of the same answers."""
FEWEST: Final = 500
"""Answers of a run that is worth a look; it must also last for a day."""


class Repeats(Struct, array_like=True, gc=False):
    """The newest run of the same answer. Instants are event time; ``nan`` when a run's beginning was not seen."""

    said: Label | None = None
    run: int = 0
    since: float = nan
    look_at: float = nan
    """When the run is looked at, if it is long enough by then."""
    longest: int = 0
    """The longest run before."""
    finding: Finding | None = None
    episode: int = 0

    def take(self, said: Label, at: float) -> bool:
        """Take one answer; return whether to look at the run: once a day, or when what was told is over."""
        if said == self.said:
            self.run += 1
            return at >= self.look_at and self.run >= FEWEST
        if self.run > self.longest:
            self.longest = self.run
        self.said, self.run, self.since, self.look_at = said, 1, float(at), at + DAY_S
        return self.finding is not None

    def put_off(self, at: float) -> None:
        """Look again in a day, if nothing is told."""
        self.look_at = inf if self.finding is not None else at + DAY_S

    @property
    def words(self) -> str:
        """The run in words."""
        return f"always {self.said!r}, {self.run} times in a row"
