"""Core. The clock of one partition: the newest event time of its predictions, whichever model they are of.

What did not come can only be told by a time that goes on without it, and a wall clock would tell it otherwise in a
replay. Time in which no model of the partition was heard says nothing of any one of them (a dead pipe looks the
same), so of each step but ``STEP_S`` are ``lost``. Who is to be looked at when is part of the models' state.
"""

from __future__ import annotations

from collections.abc import Iterator
from heapq import heappop, heappush

import msgspec

STEP_S = 300.0
"""Of the time between two predictions of a partition, what counts as heard."""
FOREVER = float("inf")


class Clocks(msgspec.Struct, frozen=True):
    """How far event time had come when the checkpoint was written; ``None`` before the first event."""

    predicted_until: float | None
    known_until: float | None
    at: float | None = None
    """Of the partition's clock, which repeated predictions don't move; and what it had lost."""
    lost_s: float = 0.0


def _finite(at: float) -> float | None:
    return at if at > float("-inf") else None


class Clock:
    """``at``: epoch seconds, minus infinity before the first prediction; ``lost_s``: how much of it was lost."""

    __slots__ = ("_due", "at", "due_at", "lost_s")

    def __init__(self) -> None:
        self.at = float("-inf")
        self.lost_s = 0.0
        self._due: list[tuple[float, str]] = []
        self.due_at = FOREVER
        """When the first model is to be looked at."""

    def begin(self, saved: bytes) -> Clocks:
        """Go on where a checkpoint stood; return all that it says.

        Raises:
            msgspec.DecodeError: ``saved`` did not make these bytes.
        """
        clocks = msgspec.json.decode(saved, type=Clocks)
        known = clocks.at if clocks.at is not None else clocks.predicted_until
        self.at = float("-inf") if known is None else known
        self.lost_s = clocks.lost_s
        return clocks

    def saved(self, predicted_until: float, known_until: float) -> bytes:
        """Return what a checkpoint writes of this clock and the two of the join."""
        ends = _finite(predicted_until), _finite(known_until), _finite(self.at)
        return msgspec.json.encode(Clocks(*ends, self.lost_s))

    def move(self, at: float) -> None:
        """Go on to ``at``, which is later."""
        step = at - self.at
        if STEP_S < step < FOREVER:
            self.lost_s += step - STEP_S
        self.at = at

    def call(self, model: str, at: float) -> None:
        """Have a model looked at from ``at`` on."""
        heappush(self._due, (at, model))
        self.due_at = self._due[0][0]

    def due(self) -> Iterator[str]:
        """Yield the models that are to be looked at now, the longest due first; each has to be called again."""
        while self._due and self._due[0][0] <= self.at:
            _, model = heappop(self._due)
            self.due_at = self._due[0][0] if self._due else FOREVER
            yield model


UNTIMED = Clock()
"""A clock that never begins."""
