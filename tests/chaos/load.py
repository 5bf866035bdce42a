"""Every event of a run, made in advance from a seed: what the producer sends, in sending order.

Time in the events is simulated and has *days*, parted by a night longer than the label horizon. Within a day
everything meets, however long an outage holds back a forwarded record; what is late, was missed or comes too
late for a correction crosses a night. The producer waits at each night until the workers have caught up, so that
the outcome of no event hinges on how long a storm lasted.
"""

from __future__ import annotations

import json
import random
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple

from aiokafka.partitioner import murmur2

from tests.chaos.detail import LABELS, ROLLOUTS, detail

HORIZON_S = 900.0
DAY_S = 400.0
SERVING_S = 250.0
"""Predictions are made in the first part of a day, so that their outcomes come before its night."""
NIGHT_S = 1_000.0
COUNTRIES = ("br", "de", "in")
TIERS = ("basic", "premium")
LEGACY = "//legacy/batch-scorer"
"""``ce_source`` of the producer that partitions by CRC32, as librdkafka does unless told otherwise."""


@dataclass(frozen=True)
class Shape:
    """How much, and how untidy; shares are of predictions. ``shuffle_s`` bends the order of sending."""

    events: int = 30_000
    days: int = 3
    partitions: int = 4
    healthy: int = 12
    degraded: int = 6
    legacy: int = 3
    duplicated: float = 0.01
    corrected: float = 0.01
    late: float = 0.01
    missing: float = 0.02
    orphaned: float = 0.005
    tardy: float = 0.004
    poison: float = 0.002
    shuffle_s: float = 2.0
    is_rich: bool = True
    """Whether models that don't degrade have scores and features, and all models have rollouts."""


class Sent(NamedTuple):
    """One record to send. ``day`` is the day it is sent in; ``kind``: event, poison."""

    order: float
    topic: str
    partition: int
    key: bytes
    value: bytes
    timestamp_ms: int
    source: str
    kind: str
    day: int


class Model(NamedTuple):
    """One model of the fleet; one that ``degrades`` has one country and tier: no slice competes with the whole."""

    name: str
    regression: bool
    weight: int = 1
    degrades: bool = False
    legacy: bool = False


def home_of(model: str, partitions: int) -> int:
    """Return the partition that Kafka's own partitioner gives the model."""
    return int(murmur2(model.encode()) & 0x7FFFFFFF) % partitions


def astray(model: str, partitions: int) -> int:
    """Return the partition that librdkafka's ``consistent`` partitioner gives it."""
    return zlib.crc32(model.encode()) % partitions


def fleet(shape: Shape) -> list[Model]:
    """Return the models: degraded ones have the most traffic, every sixth of the healthy ones is legacy."""
    degraded = [
        Model(f"worse-{number}", number % 2 == 0, 4, degrades=True) for number in range(shape.degraded)
    ]
    healthy = [Model(f"well-{number}", number % 2 == 0) for number in range(shape.healthy)]
    names = (f"legacy-{number}" for number in range(1_000))
    wrong = (name for name in names if home_of(name, shape.partitions) != astray(name, shape.partitions))
    legacy = [Model(next(wrong), number % 2 == 0, legacy=True) for number in range(shape.legacy)]
    return degraded + healthy + legacy


def build(seed: int, shape: Shape, base_at: float) -> list[Sent]:
    """Return all records in sending order; the closing ones, a day later, move every clock past everything."""
    rng = random.Random(seed)
    models = fleet(shape)
    total = sum(model.weight for model in models)
    records: list[Sent] = []
    for model in models:
        count = round(shape.events / 2 * model.weight / total)
        history = _History(model, shape, rng, base_at)
        records += [*history.records(count), *(history.rollouts() if shape.is_rich else ())]
    records.sort(key=lambda one: (one.day, one.order))
    return [*records, *closing(shape, base_at)]


def closing(shape: Shape, base_at: float) -> Iterator[Sent]:
    """Yield a prediction and its outcome for each partition, later than anything waits for."""
    at = base_at + shape.days * (DAY_S + NIGHT_S) + 3 * HORIZON_S
    for partition in range(shape.partitions):
        names = (f"closing-{number}" for number in range(10_000))
        name = next(name for name in names if home_of(name, shape.partitions) == partition)
        model = Model(name, regression=False)
        history = _History(model, shape, random.Random(0), base_at)
        made = history.prediction(f"{model.name}-0", "v1", at, "yes", "de", "basic")
        for topic, event in (
            ("predictions", made),
            ("outcomes", history.outcome(f"{model.name}-0", at, "yes")),
        ):
            yield history.sent(topic, event, at, shape.days)


class _History:
    """Writes what happens around one model."""

    def __init__(self, model: Model, shape: Shape, rng: random.Random, base_at: float) -> None:
        self._model = model
        self._shape = shape
        self._rng = rng
        self._base_at = base_at
        self._credit: dict[tuple[str, ...], float] = {}

    def records(self, count: int) -> Iterator[Sent]:
        for number in range(count):
            day, within = divmod(number * self._shape.days / count, 1.0)
            at = round(self._start(int(day)) + within * SERVING_S + self._rng.random() * 0.5, 3)
            yield from self._life(number, int(day), at)

    def rollouts(self) -> Iterator[Sent]:
        """Yield who serves; the same stage a second time is no news."""
        days = range(self._shape.days)
        for day, within, version, stage in ROLLOUTS:
            if day in days:
                at = self._start(day) + within
                event = {"type": "rollout", "model": self._model.name, "version": version}
                yield self.sent("rollouts", json.dumps(event | {"at": at, "stage": stage}).encode(), at, day)

    def _start(self, day: int) -> float:
        return self._base_at + day * (DAY_S + NIGHT_S)

    def _life(self, number: int, day: int, at: float) -> Iterator[Sent]:
        rng, name = self._rng, f"{self._model.name}-{number}"
        version = "v2" if number % 5 == 4 else "v1"
        country, tier = rng.choice(COUNTRIES), rng.choice(TIERS)
        if self._model.degrades:
            country, tier = COUNTRIES[0], TIERS[0]
        predicted, right, other = self._labels(version, country, tier, day)
        # harm of a degraded model's scores, and what its features do, would be findings of their own
        more = detail(number, predicted) if self._shape.is_rich and not self._model.degrades else {}
        prediction = self.prediction(name, version, at, predicted, country, tier, more)
        known_at = round(at + min(120.0, rng.lognormvariate(3.0, 0.8)), 3)
        outcome = self.outcome(name, known_at, right)
        if rng.random() < self._shape.poison:
            yield self._poison(name, at, day)
        if rng.random() < self._shape.orphaned:
            yield self.sent("outcomes", self.outcome(f"orphan-{name}", known_at, right), known_at, day)
        fate = rng.random()
        for share, write in self._fates(day):
            if fate < share:
                yield from write(name, at, known_at, day, prediction, outcome, other)
                return
            fate -= share
        yield self.sent("predictions", prediction, at, day)
        yield self.sent("outcomes", outcome, known_at, day)

    def _fates(self, day: int):
        shape, more = self._shape, day < self._shape.days - 1
        crossing = more and not self._model.legacy
        return (
            (shape.missing, self._missing),
            (shape.duplicated, self._duplicated),
            (0.0 if self._model.legacy else shape.corrected, self._corrected),
            (shape.late if crossing else 0.0, self._late),
            (shape.tardy if crossing else 0.0, self._tardy),
            (shape.tardy if crossing else 0.0, self._corrected_too_late),
        )

    def _missing(self, name, at, known_at, day, prediction, outcome, other):
        yield self.sent("predictions", prediction, at, day)

    def _duplicated(self, name, at, known_at, day, prediction, outcome, other):
        again = self._rng.random() * 100
        yield self.sent("predictions", prediction, at, day)
        yield self.sent("outcomes", outcome, known_at, day)
        if self._rng.random() < 0.5:
            yield self.sent("predictions", prediction, at + again, day)
        else:
            yield self.sent("outcomes", outcome, known_at + again, day)

    def _corrected(self, name, at, known_at, day, prediction, outcome, other):
        yield self.sent("predictions", prediction, at, day)
        yield self.sent("outcomes", outcome, known_at, day)
        older = self._rng.random() < 0.2
        corrected_at = round(known_at + (-1 if older else 1) * (3 + self._rng.random() * 20), 3)
        when = known_at + 30 + 3 * self._shape.shuffle_s  # certainly after the first, whatever the shuffling
        yield self.sent("outcomes", self.outcome(name, corrected_at, other), when, day)

    def _late(self, name, at, known_at, day, prediction, outcome, other):
        yield self.sent("predictions", prediction, at, day)
        happened_late = self._rng.random() < 0.5
        late_at = round(at + HORIZON_S + 30, 3) if happened_late else known_at
        value = json.loads(outcome)["outcome"]
        when = self._start(day + 1) + 40 + self._rng.random() * 60
        yield self.sent("outcomes", self.outcome(name, late_at, value), when, day + 1)

    def _tardy(self, name, at, known_at, day, prediction, outcome, other):
        yield self.sent("outcomes", outcome, known_at, day)
        when = self._start(day + 1) + 40 + self._rng.random() * 60
        yield self.sent("predictions", prediction, when, day + 1)

    def _corrected_too_late(self, name, at, known_at, day, prediction, outcome, other):
        yield self.sent("predictions", prediction, at, day)
        yield self.sent("outcomes", outcome, known_at, day)
        when = self._start(day + 1) + 40 + self._rng.random() * 60
        yield self.sent("outcomes", self.outcome(name, round(known_at + 50, 3), other), when, day + 1)

    def _labels(self, version: str, country: str, tier: str, day: int) -> tuple[object, object, object]:
        """Return what was predicted, what happened, and another outcome.

        Losses are dealt out evenly within each version x country x tier, not drawn: a healthy series is flat, and
        a degraded model's v1 jumps (from 5 % to 80 % wrong, or from 0.5 to 3.5) for every second day. Detectors
        see losses in the order in which two topics were read, and that order is nobody's promise. A day begins
        when the one before is folded, so whatever the order, all of one level comes before any of the next.
        """
        model = self._model
        bad = model.degrades and version == "v1" and day % 2 == 1
        cell = (version, country, tier)
        if model.regression:
            step = self._credit[cell] = (self._credit.get(cell, 0.0) + 1) % 3
            predicted = self._rng.randrange(400) * 0.25
            error = (3.0 if bad else 0.0) + 0.25 * (step + 1)
            return predicted, predicted + error, predicted + error + 0.5
        credit = self._credit.get(cell, self._rng.random()) + (0.8 if bad else 0.05)
        wrong = credit >= 1.0
        self._credit[cell] = credit - wrong
        predicted = self._rng.choice(LABELS)
        opposite = "no" if predicted == "yes" else "yes"
        return (predicted, opposite, predicted) if wrong else (predicted, predicted, opposite)

    def prediction(
        self,
        name: str,
        version: str,
        at: float,
        predicted: object,
        country: str,
        tier: str,
        more: Mapping[str, object] = MappingProxyType({}),
    ) -> bytes:
        event = {"type": "prediction", "prediction_id": name, "model": self._model.name, "version": version}
        slices = {"country": country, "tier": tier}
        said = {"at": at, "prediction": predicted, "slices": slices}
        return json.dumps(event | said | dict(more)).encode()

    def outcome(self, name: str, at: float, label: object) -> bytes:
        event = {"type": "outcome", "prediction_id": name, "model": self._model.name}
        return json.dumps(event | {"at": at, "outcome": label}).encode()

    def _poison(self, name: str, at: float, day: int) -> Sent:
        bad = self._rng.choice(
            (
                f'{{"type": "prediction", "prediction_id": "poison-{name}"',
                f'{{"type": "poison", "prediction_id": "poison-{name}"}}',
                f'{{"type": "outcome", "prediction_id": "poison-{name}", "model": "m", "outcome": 1}}',
            )
        )
        return self.sent("outcomes", bad.encode(), at, day)._replace(kind="poison")

    def sent(self, topic: str, value: bytes, when: float, day: int) -> Sent:
        name, partitions = self._model.name, self._shape.partitions
        where = astray(name, partitions) if self._model.legacy else home_of(name, partitions)
        late_s = self._rng.expovariate(2 / self._shape.shuffle_s)
        order = when + min(late_s, 3 * self._shape.shuffle_s)
        source = LEGACY if self._model.legacy else ""
        return Sent(order, topic, where, name.encode(), value, int(order * 1000), source, "event", day)
