"""Core. The clock of one partition: the newest event time of its predictions, whichever model they are of.

What did not come can only be told by a time that goes on without it, and a wall clock would tell it otherwise in a
replay. Time in which no model of the partition was heard says nothing of any one of them (a dead pipe looks the
same), so of each step but ``STEP_S`` are ``lost``. Who is to be looked at when is part of the models' state.
"""

from __future__ import annotations

from collections.abc import Iterator
from heapq import heappop, heappush

import msgspec

from stream.due import NEVER, Due

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
    given_up: tuple[Due | None, Due | None] = (None, None)
    """The last prediction and the last outcome that the join gave up, or could have; older releases said none."""

    def given_up_until(self) -> tuple[Due, Due]:
        """Return these two; an older release had given up all that was due."""
        ends, (prediction, outcome) = (self.predicted_until, self.known_until), self.given_up
        predicted_until, known_until = (NEVER if end is None else end for end in ends)
        return prediction or (known_until, b""), outcome or (predicted_until, b"")

    def acted_until(self, horizon_s: float) -> float | None:
        """Return how far the clock that is behind has been acted on; ``None`` before the first event."""
        if self.predicted_until is None and self.known_until is None:
            return None
        if self.predicted_until is None or self.known_until is None:
            return NEVER  # a topic that has shown no time has let nothing be forgotten
        acted = (one[0] + horizon_s for one in self.given_up if one is not None)
        return min(self.predicted_until, self.known_until, *acted)


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

    def saved(self, predicted_until: float, known_until: float, given_up: tuple[Due, Due]) -> bytes:
        """Return what a checkpoint writes of this clock, and of the join its two and what it gave up last."""
        ends = _finite(predicted_until), _finite(known_until), _finite(self.at)
        prediction, outcome = (one if one[0] > NEVER else None for one in given_up)
        return msgspec.json.encode(Clocks(*ends, self.lost_s, (prediction, outcome)))

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
