"""Core. What is known of the outcomes of one id.

All of it is forgotten by time, never carried on from outcome to outcome: the log of a few horizons tells it.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import NamedTuple

from msgspec import Struct

from stream.events import Label

OUTCOMES = 8
"""How many different outcomes of an id a horizon has room for, and repeats of the latest; more are duplicates."""


class Waiting(NamedTuple):
    """An outcome without prediction; ``clock``: the outcomes' clock when it came, itself included."""

    clock: float
    at: float
    outcome: Label
    is_first: bool


class Known(Struct, array_like=True, gc=False):
    """The latest outcome, its repeats, the newest times of different ones in order, and the outcomes that wait.

    Tuples, because a partition has as many of it as entries, and the garbage collector looks at every list.
    """

    outcome: Label
    at: float
    repeats: int = 0
    times: tuple[float, ...] = ()
    waiting: tuple[Waiting, ...] = ()

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
        self.times = tuple(sorted((*self.times, at)))[-OUTCOMES:]
        return seen >= OUTCOMES
