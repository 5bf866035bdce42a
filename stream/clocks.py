"""Core. How far event time had come when a checkpoint was written, and from when the log tells the join anew."""

from __future__ import annotations

import msgspec

from stream.join import REBUILT_HORIZONS, Join


class Clocks(msgspec.Struct, frozen=True):
    """Of predictions and of outcomes; ``None`` before the first event."""

    predicted_until: float | None
    known_until: float | None

    def rebuild_since(self, label_horizon_s: float, future_s: float) -> float | None:
        """Return the Kafka time from which the log tells all of the join; ``None`` when there is nothing yet.

        That is four horizons before the clock that is behind (the argument is at ``REBUILT_HORIZONS``), and
        before that what an event's time may be ahead of Kafka's, ``future_s``.
        """
        if self.predicted_until is None and self.known_until is None:
            return None
        if self.predicted_until is None or self.known_until is None:
            return 0.0  # a topic that has shown no time has let nothing be forgotten
        behind = min(self.predicted_until, self.known_until)
        return behind - REBUILT_HORIZONS * label_horizon_s - future_s


def clocks_of(join: Join) -> Clocks:
    """Return the join's clocks now."""
    return Clocks(_finite(join.predicted_until), _finite(join.known_until))


def _finite(at: float) -> float | None:
    return at if at > float("-inf") else None
