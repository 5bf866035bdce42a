"""Core. What is known of the outcomes of one id.

All of it is forgotten by time, never carried on from outcome to outcome: the log of a few horizons tells it.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from typing import NamedTuple

from stream.events import Label

OUTCOMES = 8
"""How many different outcomes of an id a horizon has room for, and repeats of the latest; more are duplicates."""


class Waiting(NamedTuple):
    """An outcome without prediction; ``clock``: the outcomes' clock when it came, itself included."""

    clock: float
    at: float
    outcome: Label
    is_first: bool


class Known:
    """The latest outcome, its repeats, the newest times of different ones in order, and the outcomes that wait."""

    __slots__ = ("at", "outcome", "repeats", "times", "waiting")

    def __init__(
        self, outcome: Label, at: float, repeats: int, times: list[float], waiting: list[Waiting]
    ) -> None:
        self.outcome = outcome
        self.at = at
        self.repeats = repeats
        self.times = times
        self.waiting = waiting

    @property
    def until(self) -> float:
        """Return the newest time."""
        return self.times[-1]

    def is_over(self, outcome: Label, at: float, is_first: bool, since: float) -> bool:
        """Take one more; return whether there was no room for it among those ``since`` this time.

        What is sent again and again does not use up the room for corrections.
        """
        if not is_first and at == self.at and outcome == self.outcome:
            self.repeats += 1
            return self.repeats > OUTCOMES
        seen = len(self.times) - bisect_left(self.times, since)
        self.outcome, self.at, self.repeats = outcome, at, 0
        insort(self.times, at)
        if len(self.times) > OUTCOMES:
            self.times.pop(0)
        return seen >= OUTCOMES
