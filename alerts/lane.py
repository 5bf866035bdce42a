"""Core. One receiver's lane: how its attempts are spaced, and when it is left alone.

Three brakes, and the longest holds: a notification that failed waits under full jitter; a receiver that keeps
failing is left alone and then tried with one notification at a time (the circuit); and a receiver is never sent
more than its limit, so that a backlog leaves as a queue and not as a stampede.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import NamedTuple

from alerts.answer import Answer, Refused, RetryLater

TRIP = 3
"""Failures in a row that open the circuit."""


class Pace(NamedTuple):
    """Full jitter under an exponential ceiling."""

    base_s: float = 0.5
    cap_s: float = 60.0

    def wait_s(self, failures: int, draw: float) -> float:
        """Return the wait after ``failures`` in a row, at least 1; ``draw`` is within 0..1."""
        return draw * min(self.cap_s, self.base_s * 2.0 ** min(failures - 1, 30))


class Limit(NamedTuple):
    """At most ``burst`` messages at once and ``per_s`` a second in the long run."""

    per_s: float
    burst: float


PACE = Pace()
FREE = Limit(per_s=50.0, burst=50.0)
CHANGES = Limit(per_s=0.5, burst=5.0)
"""Changes leave slowly: a service counts them against the limit of its pages."""


class Lane:
    """Instants are seconds of one monotonic clock; ``draw()`` gives numbers within 0..1."""

    def __init__(self, draw: Callable[[], float], pace: Pace = PACE, limit: Limit = FREE) -> None:
        self._draw = draw
        self._pace = pace
        self._limit = limit
        self._again_at: dict[str, float] = {}
        self._borne: dict[str, int] = {}
        self._quiet_until = float("-inf")
        self._failures = 0
        self._tokens = limit.burst
        self._filled_at = float("-inf")

    @property
    def is_open(self) -> bool:
        """Whether the circuit is open: the receiver has failed too often in a row."""
        return self._failures >= TRIP

    def wait_s(self, notification_id: str, now: float) -> float:
        """Return how long this one still has to wait; 0 when it may be tried."""
        until = max(self._again_at.get(notification_id, float("-inf")), self._quiet_until)
        lacking = max(0.0, 1.0 - self._level(now))
        return max(0.0, until - now, lacking / self._limit.per_s)

    def room(self, now: float) -> int:
        """Return how many may leave at once."""
        return int(self._level(now))

    def take(self, now: float) -> None:
        """Count one attempt against the limit."""
        self._tokens = self._level(now) - 1.0
        self._filled_at = now

    def note(self, notification_id: str, attempts: int, answer: Answer, now: float) -> None:
        """Learn how attempt number ``attempts`` ended. A Retry-After holds for the whole lane."""
        if not isinstance(answer, RetryLater):
            self._again_at.pop(notification_id, None)
            self._failures = 0
            return
        self._failures += 1
        self._again_at[notification_id] = now + self._pace.wait_s(attempts, self._draw())
        quiet_s = answer.after_s or 0.0
        if self.is_open:
            quiet_s = max(quiet_s, self._pace.wait_s(self._failures, self._draw()))
        self._quiet_until = max(self._quiet_until, now + quiet_s)

    def at_last(self, notification_id: str, answer: Answer) -> Answer:
        """Return the answer, a refusal when it is the last in a row of those that are borne so often only."""
        most = answer.most if isinstance(answer, RetryLater) else None
        times = self._borne.pop(notification_id, 0) + 1
        if most is None:
            return answer
        if times >= most:
            return Refused(answer.reason)
        self._borne[notification_id] = times
        return answer

    def keep(self, notification_ids: Collection[str]) -> None:
        """Forget all notifications but these."""
        self._again_at = {name: at for name, at in self._again_at.items() if name in notification_ids}
        self._borne = {name: times for name, times in self._borne.items() if name in notification_ids}

    def _level(self, now: float) -> float:
        return min(self._limit.burst, self._tokens + max(0.0, now - self._filled_at) * self._limit.per_s)
