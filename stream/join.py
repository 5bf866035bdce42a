"""Core. A prediction meets its outcome by id, in whatever order the two arrive.

What counts is event time, so the answer does not depend on arrival: an outcome matches when it happened within
the label horizon of its prediction, else it is late. Entries are kept for two horizons, so that late outcomes,
duplicates and corrections are recognised; a budget of entries bounds memory and counts what it evicts.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from enum import StrEnum
from typing import NamedTuple

from stream.events import ALL, Label, Outcome, Prediction


class Reason(StrEnum):
    """What became of one event in the join; the metric label of the same name."""

    WAITING = "waiting"
    MATCHED = "matched"
    LATE = "late"
    CORRECTED = "corrected"
    DUPLICATE_PREDICTION = "duplicate_prediction"
    DUPLICATE_OUTCOME = "duplicate_outcome"
    UNMATCHED_PREDICTION = "unmatched_prediction"
    UNMATCHED_OUTCOME = "unmatched_outcome"
    EVICTED = "evicted"


class Served(NamedTuple):
    """What the join remembers of a prediction; ``slices`` begins with ``"all"``, then ``"name=value"``."""

    prediction_id: str
    model: str
    version: str
    at: float
    prediction: Label
    has_scores: bool
    slices: tuple[str, ...]


class Joined(NamedTuple):
    """One step's result. ``served`` is ``None`` for an outcome whose prediction is unknown."""

    reason: Reason
    model: str
    served: Served | None = None
    outcome: Label | None = None
    outcome_at: float = float("nan")
    previous: Label | None = None


class _Entry:
    __slots__ = ("expired", "model", "outcome", "outcome_at", "served")

    def __init__(self, model: str, served: Served | None, outcome: Label | None, outcome_at: float) -> None:
        self.model = model
        self.served = served
        self.outcome = outcome
        self.outcome_at = outcome_at
        self.expired = False


Key = tuple[str, str]


class Join:
    """The open ends of one partition. ``horizon_s``: how long a prediction waits for its outcome."""

    def __init__(self, horizon_s: float, budget: int) -> None:
        self._horizon_s = horizon_s
        self._budget = budget
        self._entries: dict[Key, _Entry] = {}
        self._expiring: deque[tuple[float, Key]] = deque()
        self._forgetting: deque[tuple[float, Key]] = deque()
        self.pending = 0
        self.predicted_until = float("-inf")
        self.known_until = float("-inf")

    def predict(self, prediction: Prediction) -> Joined:
        """Take a prediction; ``WAITING`` unless its outcome is here already or it was seen before."""
        served = serve(prediction)
        self.predicted_until = max(self.predicted_until, served.at)
        key = (served.model, served.prediction_id)
        entry = self._entries.get(key)
        if entry is None:
            self._entries[key] = _Entry(served.model, served, None, float("nan"))
            self._expiring.append((served.at, key))
            self.pending += 1
            return Joined(Reason.WAITING, served.model, served)
        if entry.served is not None:
            return Joined(Reason.DUPLICATE_PREDICTION, served.model, entry.served)
        entry.served = served
        return self._meet(entry)

    def know(self, outcome: Outcome) -> Joined:
        """Take an outcome; ``WAITING`` when its prediction has not come yet."""
        at = float(outcome.at)
        self.known_until = max(self.known_until, at)
        key = (outcome.model, outcome.prediction_id)
        entry = self._entries.get(key)
        if entry is None:
            self._entries[key] = _Entry(outcome.model, None, outcome.outcome, at)
            self._expiring.append((at, key))
            return Joined(Reason.WAITING, outcome.model)
        if entry.outcome is not None:
            return self._again(entry, outcome.outcome, at)
        entry.outcome, entry.outcome_at = outcome.outcome, at
        if not entry.expired:
            self.pending -= 1
        return self._meet(entry)

    def _meet(self, entry: _Entry) -> Joined:
        served = entry.served
        assert served is not None
        late = entry.expired or entry.outcome_at - served.at > self._horizon_s
        reason = Reason.LATE if late else Reason.MATCHED
        return Joined(reason, entry.model, served, entry.outcome, entry.outcome_at)

    def _again(self, entry: _Entry, outcome: Label, at: float) -> Joined:
        """A second outcome: the one that happened later holds; the same again is a duplicate."""
        if outcome == entry.outcome or at < entry.outcome_at:
            return Joined(Reason.DUPLICATE_OUTCOME, entry.model, entry.served)
        previous, entry.outcome, entry.outcome_at = entry.outcome, outcome, at
        served = entry.served
        if served is None or entry.expired or at - served.at > self._horizon_s:
            return Joined(Reason.DUPLICATE_OUTCOME, entry.model, served)
        return Joined(Reason.CORRECTED, entry.model, served, outcome, at, previous)

    def expire(self) -> Iterator[Joined]:
        """Give up what has waited for a whole horizon, and what is over budget; oldest first.

        A prediction waits on the outcomes' clock and an outcome on the predictions' clock, so a backlog in one
        topic never expires what only the other topic can bring.
        """
        while self._expiring and self._is_over(*self._expiring[0]):
            at, key = self._expiring.popleft()
            entry = self._entries.get(key)
            if entry is None or entry.expired:
                continue
            self._forgetting.append((at, key))
            if entry.served is not None and entry.outcome is not None:
                continue
            entry.expired = True
            if entry.served is not None:
                self.pending -= 1
            unmatched = Reason.UNMATCHED_OUTCOME if entry.served is None else Reason.UNMATCHED_PREDICTION
            yield Joined(unmatched, entry.model, entry.served)
        clock = min(self.predicted_until, self.known_until)
        while self._forgetting and self._forgetting[0][0] + 2 * self._horizon_s < clock:
            self._entries.pop(self._forgetting.popleft()[1], None)
        yield from self._evict()

    def _is_over(self, at: float, key: Key) -> bool:
        entry = self._entries.get(key)
        if entry is None:
            return True
        clock = self.predicted_until if entry.served is None else self.known_until
        return at + self._horizon_s < clock

    def _evict(self) -> Iterator[Joined]:
        while len(self._entries) > self._budget:
            queue = self._forgetting or self._expiring
            entry = self._entries.pop(queue.popleft()[1], None)
            if entry is not None and not entry.expired and (entry.served is None or entry.outcome is None):
                self.pending -= entry.served is not None
                yield Joined(Reason.EVICTED, entry.model, entry.served)

    def __len__(self) -> int:
        return len(self._entries)


def serve(prediction: Prediction) -> Served:
    """Return what the join and the monitors need of a prediction; its slices in the order of their names."""
    slices = (f"{name}={_text(value)}" for name, value in sorted(prediction.slices.items()))
    return Served(
        prediction.prediction_id,
        prediction.model,
        prediction.version,
        float(prediction.at),
        prediction.prediction,
        prediction.scores is not None,
        (ALL, *slices),
    )


def _text(value: bool | int | str) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
