"""What every figure must be, worked out from the log alone; shares no code with the service.

The answer is a function of each topic partition's own order: how predictions and outcomes interleave on the way
into a worker must not matter. See ``docs/testing-by-chaos.md`` for the rules in words.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import Any, NamedTuple

Event = dict[str, Any]
LONG_AGO = float("-inf")


class Series(NamedTuple):
    """Model, version, slice."""

    model: str
    version: str
    slice: str


Pair = tuple[Event, Event]
"""A prediction and the outcome that counts."""


class Expected(NamedTuple):
    """Counts by series and by model, and what was joined; every count is by name, an absent one is zero."""

    series: dict[Series, Counter[str]]
    models: dict[str, Counter[str]]
    joined: dict[Series, list[Pair]]

    def add(self, other: Expected) -> None:
        """Take in another partition's counts; a model lives in one partition only."""
        self.series.update(other.series)
        self.models.update(other.models)
        self.joined.update(other.joined)


def nothing() -> Expected:
    """Return the counts of no events."""
    return Expected(defaultdict(Counter), defaultdict(Counter), defaultdict(list))


def expected(predictions: Iterable[bytes], outcomes: Iterable[bytes], horizon_s: float) -> Expected:
    """Return the counts of one partition; both inputs in the order of their topic partition."""
    ledger = _Ledger(horizon_s)
    for value in predictions:
        ledger.predict(json.loads(value))
    for value in outcomes:
        ledger.know(json.loads(value))
    return ledger.close()


def passed_on(rollouts: Iterable[bytes]) -> Counter[tuple[str, str, str]]:
    """Return how often each model, version and stage is told: one that a version came to, not one it was at.

    The rollouts are those of one partition, in its order; an older one than is known is passed over.
    """
    stages: dict[tuple[str, str], tuple[float, str]] = {}
    told: Counter[tuple[str, str, str]] = Counter()
    for event in map(json.loads, rollouts):
        version = event["model"], event["version"]
        at, stage = stages.get(version, (LONG_AGO, ""))
        if event["at"] >= at:
            told[*version, event["stage"]] += stage != event["stage"]
            stages[version] = event["at"], event["stage"]
    return +told


class _Ledger:
    def __init__(self, horizon_s: float) -> None:
        self._horizon_s = horizon_s
        self._result = nothing()
        self._served: dict[tuple[str, str], tuple[Event, float]] = {}
        self._known: dict[tuple[str, str], list[tuple[Event, float]]] = defaultdict(list)
        self._predicted_until = LONG_AGO
        self._known_until = LONG_AGO

    def predict(self, event: Event) -> None:
        self._predicted_until = max(self._predicted_until, event["at"])
        key = event["model"], event["prediction_id"]
        if key in self._served:
            self._count(self._served[key][0], "duplicate_prediction")
        else:
            self._served[key] = event, self._predicted_until
            self._count(event, "predictions")

    def know(self, event: Event) -> None:
        self._known_until = max(self._known_until, event["at"])
        self._known[event["model"], event["prediction_id"]].append((event, self._known_until))

    def close(self) -> Expected:
        for key, (prediction, clock) in self._served.items():
            answers = self._known.pop(key, [])
            met = [answer for answer in answers if self._concern(prediction, clock, *answer)]
            self._unanswered(
                key[0], len(answers) - len(met), is_first=bool(answers) and answers[0] not in met
            )
            self._settle(prediction, met)
        for (model, _), answers in self._known.items():
            self._unanswered(model, len(answers), is_first=True)
        return self._result

    def _concern(self, prediction: Event, clock: float, outcome: Event, known_until: float) -> bool:
        """Neither is given up when the other has come: one horizon for an outcome, two for a prediction."""
        horizon_s = self._horizon_s
        return clock <= outcome["at"] + horizon_s and known_until <= prediction["at"] + 2 * horizon_s

    def _unanswered(self, model: str, outcomes: int, *, is_first: bool) -> None:
        self._result.models[model]["unmatched_outcome"] += is_first
        self._result.models[model]["duplicate_outcome"] += outcomes - is_first

    def _settle(self, prediction: Event, answers: list[tuple[Event, float]]) -> None:
        """Settle one prediction: the first outcome decides, later ones correct it or are duplicates."""
        ends_at = prediction["at"] + self._horizon_s
        held: Event | None = None
        for number, (answer, known_until) in enumerate(answers):
            in_time = known_until <= ends_at
            if number == 0:
                self._count(prediction, "matched" if in_time else "late", _loss(prediction, answer) * in_time)
                held = answer if in_time else None
            elif held and in_time and answer["outcome"] != held["outcome"] and answer["at"] >= held["at"]:
                self._count(prediction, "corrected", _loss(prediction, answer) - _loss(prediction, held))
                held = answer
            else:
                self._count(prediction, "duplicate_outcome")
        if held is None:
            self._count(prediction, "unmatched_prediction")
            return
        for where in _series(prediction):
            self._result.joined[where].append((prediction, held))

    def _count(self, prediction: Event, name: str, loss: float = 0.0) -> None:
        if name != "predictions":
            self._result.models[prediction["model"]][name] += 1
        for where in _series(prediction):
            counts = self._result.series[where]
            counts[name] += 1
            counts["loss_total"] += loss  # type: ignore[assignment]  # multiples of 0.25: exact in any order


def _series(prediction: Event) -> list[Series]:
    slices = (f"{key}={value}" for key, value in prediction["slices"].items())
    return [Series(prediction["model"], prediction["version"], where) for where in ("all", *slices)]


def _loss(prediction: Event, outcome: Event) -> float:
    said, was = prediction["prediction"], outcome["outcome"]
    return abs(said - was) if isinstance(said, float) else float(said != was)
