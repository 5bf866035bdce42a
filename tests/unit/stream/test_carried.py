"""A drift of an input is told once, whatever versions come and go: predictions and rollouts in, tickets out."""

from dataclasses import replace

import numpy as np
import pytest

from stream import state
from stream.carried import WAITS_S
from stream.drift import DAY_S
from stream.ending import RETIRED
from stream.events import Instant, Prediction, Rollout
from stream.fold import InputFold
from stream.pending import MemoryStore
from stream.room import ROLLOUTS
from stream.wire import encode
from tests.laws.lives import BEGAN_AT, RULES, Logged

DAILY = 600
DRIFTED = 10.0
"""The day from which an input is another."""


def usual(day, version, rng):
    return {"age": float(rng.normal(1.0 if day >= DRIFTED else 0.0)), "price": float(rng.exponential())}


class Life:
    """A model whose versions are rolled out one after the other, each for ``life`` days; ``feed`` gives inputs."""

    def __init__(self, feed=usual, life=2.0, order="retired after", trained=None):
        self.rules = replace(RULES, label_horizon_s=3 * DAY_S)
        self.fold, self.found = InputFold(0, self.rules, self, MemoryStore()), []
        self.feed, self.life, self.order, self.trained = feed, life, order, trained
        self.rng, self.number, self.newest, self.batch, self.size = np.random.default_rng(8), 0, -1, [], 1

    def folded(self, tally):
        self.found += tally.findings

    def take(self, topic, event):
        self.batch.append(Logged(topic, 0, round(1_000 * event.at), encode(event)))
        if len(self.batch) >= self.size:
            self.flush()

    def flush(self):
        self.fold.apply(self.batch)
        self.batch = []

    def rollout(self, version, stage, day, trained=None):
        at = Instant(BEGAN_AT + DAY_S * day)
        trained_until = None if trained is None else Instant(BEGAN_AT + DAY_S * trained)
        self.take(
            "rollouts", Rollout(model="m", version=version, at=at, stage=stage, trained_until=trained_until)
        )

    def predict(self, version, day, model="m", **features):
        at = Instant(BEGAN_AT + DAY_S * day)
        self.take(
            "predictions",
            Prediction(
                prediction_id=f"{model}{version}{self.number}",
                model=model,
                version=version,
                at=at,
                prediction=True,
                features=features,
            ),
        )

    def until(self, days, beside=None):
        """Go on until then; the version ``beside`` has every other prediction."""
        while self.number < days * DAILY:
            day = self.number / DAILY
            if int(day // self.life) > self.newest:
                self.newest += 1
                self.turn(f"v{self.newest}", f"v{self.newest - 1}" if self.newest else None, day)
            version = beside if beside and self.number % 2 else f"v{self.newest}"
            self.predict(version, day, **self.feed(day, version, self.rng))
            self.number += 1
        self.flush()

    def turn(self, new, old, day):
        if old and self.order == "retired before":
            self.rollout(old, "retired", day)
        if self.order != "never told":
            self.rollout(new, "live", day, None if self.trained is None else self.trained(day))
        if old and self.order == "retired after":
            self.predict(new, day, **self.feed(day, new, self.rng))
            self.rollout(old, "retired", day)

    @property
    def told(self):
        return [(one.version, one.feature, one.state) for one in self.found]


@pytest.mark.parametrize(
    ("life", "order"),
    [(0.9, "retired after"), (2.0, "retired before"), (2.0, "never told"), (100.0, "never told")],
)
def test_a_drift_that_stays_is_one_ticket_however_many_versions_come(life, order):
    life = Life(life=life, order=order)
    life.until(19.0)
    (ticket,) = life.found
    assert (ticket.feature, ticket.state) == ("age", "open")
    assert DRIFTED < (ticket.detected_at - BEGAN_AT) / DAY_S <= DRIFTED + 4.0


def test_a_new_version_goes_on_with_the_window_of_the_one_before():
    life = Life(life=1.3)
    life.until(1.305)
    elder, heir = (one.reference.features["price"] for one in life.fold.monitors["m"].versions.values())
    assert (sum(elder.counts), sum(heir.window)) == (80, 580)
    assert heir.drift.began_at == elder.drift.began_at


def passing(day, version, rng):
    return usual(day if day < 15.0 else 0.0, version, rng)


@pytest.mark.parametrize("order", ["retired before", "never told"])
def test_a_drift_that_is_over_closes_the_ticket_of_a_version_long_gone(order):
    life = Life(passing, order=order)
    life.until(20.0)
    opened, closed = life.found
    assert (closed.id, closed.version, closed.state) == (opened.id, opened.version, "closed")
    assert 15.0 < (closed.closed_at - BEGAN_AT) / DAY_S <= 20.0


def test_neither_batches_nor_a_restart_change_what_is_told():
    whole, other = Life(passing, life=0.9), Life(passing, life=0.9)
    whole.until(20.0)
    other.size = 700
    for cut in (7.1, 10.6, 12.0, 16.3, 20.0):
        other.until(cut)
        other.fold.monitors["m"] = state.load(state.dump(other.fold.monitors["m"]))
    assert other.found == whole.found
    assert len(whole.found) == 2


def broken_canary(day, version, rng):
    return {"age": None if version == "canary" else float(rng.normal()), "price": float(rng.exponential())}


def test_a_canary_that_breaks_an_input_takes_its_ticket_with_it():
    life = Life(broken_canary, life=100.0)
    life.until(10.0)
    life.until(16.0, beside="canary")
    assert life.told == [("canary", "age", "open")]
    life.rollout("canary", "retired", 16.0)
    assert life.told == [("canary", "age", "open"), ("canary", "age", "closed")]
    assert life.found[1].closed_at == BEGAN_AT + 16.0 * DAY_S
    life.until(18.0)
    assert len(life.found) == 2


def test_without_rollouts_the_next_window_of_another_version_tells_that_it_was_the_canarys_own():
    life = Life(broken_canary, life=100.0, order="never told")
    life.until(10.0)
    life.until(16.0, beside="canary")
    life.until(20.0)
    assert life.told == [("canary", "age", "open"), ("canary", "age", "closed")]


def worse_canary(day, version, rng):
    return usual(day, version, rng) | ({"age": None} if version == "canary" else {})


def test_what_is_much_farther_than_the_drift_that_is_told_is_told_too():
    life = Life(worse_canary, life=100.0)
    life.until(16.0)
    life.until(21.0, beside="canary")
    assert life.told == [("v0", "age", "open"), ("canary", "age", "open")]
    assert life.found[1].metric == "missing_rate"


def test_a_ticket_ends_with_the_last_version_that_has_the_input():
    def leaner(day, version, rng):
        return {"price": 1.0} if version == "v7" else usual(day, version, rng)

    life = Life(leaner)
    life.until(14.5)
    assert life.told == [("v5", "age", "open"), ("v5", "age", "closed")]
    assert 14.0 <= (life.found[1].closed_at - BEGAN_AT) / DAY_S <= 14.25


def test_a_ticket_of_a_model_that_nobody_serves_any_more_is_closed():
    life = Life(life=100.0)
    life.until(16.0)
    life.rollout("v0", "retired", 16.0)
    assert life.told == [("v0", "age", "open")], "the next version may be on its way"
    for step in range(800):  # another model moves the partition's clock
        life.predict("v1", 16.0 + step / 288, model="n")
        life.number += 1
    _, closed = life.found
    assert (closed.state, closed.causes) == ("closed", (RETIRED,))
    assert WAITS_S <= closed.closed_at - BEGAN_AT - 16.0 * DAY_S <= WAITS_S + DAY_S / 4


def test_a_version_trained_on_what_has_drifted_learns_its_inputs_anew():
    life = Life(trained=lambda day: day - 0.1)
    life.until(29.0)
    opened, closed = life.found
    assert (closed.id, closed.state, closed.causes) == (opened.id, "closed", (RETIRED,))
    assert 7.0 <= (closed.closed_at - opened.onset_at) / DAY_S <= 10.0
    drift = life.fold.monitors["m"].versions["v14"].reference.features["age"].drift
    assert (drift.is_learned, drift.run) == (True, 0)


def test_what_is_learned_anew_is_the_reference_of_those_after_it():
    def twice(day, version, rng):
        return usual(day, version, rng) | ({"age": float(rng.normal(3.0))} if day >= 30.0 else {})

    life = Life(twice, trained=lambda day: min(day - 0.1, 22.0))
    life.until(35.0)
    assert [one.state for one in life.found] == ["open", "closed", "open"]
    assert life.found[2].onset_at >= BEGAN_AT + 28.0 * DAY_S


def test_a_version_trained_before_or_just_after_the_drift_knows_nothing_of_it():
    life = Life(trained=lambda day: min(day - 0.1, DRIFTED + 3.0))
    life.until(22.0)
    assert [one.state for one in life.found] == ["open"]


def test_ends_of_training_are_forgotten_with_the_stages():
    life = Life()
    for number in range(ROLLOUTS + 50):
        life.rollout(f"v{number}", "live", 0.01 * number, trained=0.0)
    monitor = life.fold.monitors["m"]
    assert monitor.trained.keys() == monitor.rollouts.keys()
    assert len(monitor.trained) == ROLLOUTS
