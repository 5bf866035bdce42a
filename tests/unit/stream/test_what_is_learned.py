"""References are learned of what was well, and whichever of two topics is read ahead."""

import random
from copy import deepcopy
from dataclasses import replace

import pytest

from stream.events import Instant, Outcome, Prediction
from stream.fold import InputFold
from stream.join import Join
from stream.joined import Reason
from stream.judge.known import known_of
from stream.monitor import Monitor
from stream.pending import MemoryStore
from stream.version import Judgement
from stream.wire import encode
from tests.laws.lives import BEGAN_AT, RULES, Life, Logged

JUDGEMENT = Judgement()
ORDERS = {
    "in step": lambda one: (one.at, isinstance(one, Outcome)),
    "predictions first": lambda one: (isinstance(one, Outcome), one.at),
    "outcomes first": lambda one: (isinstance(one, Prediction), one.at),
}


def events(count, rate, *, step_s=1.0, delay_s=lambda rng, is_wrong: 1.0, version=lambda number: "v", seed=3):
    """Yield predictions in one of four tiers and their outcomes, wrong by ``rate`` of number and tier."""
    rng = random.Random(seed)
    for number in range(count):
        name, at, tier = str(number), BEGAN_AT + step_s * number, rng.choice("abcd")
        is_wrong = rng.random() < rate(number, tier)
        yield Prediction(
            prediction_id=name,
            model="m",
            version=version(number),
            at=Instant(at),
            prediction=True,
            slices={"tier": tier},
        )
        known_at = Instant(at + delay_s(rng, is_wrong))
        yield Outcome(prediction_id=name, model="m", at=known_at, outcome=not is_wrong)


def watched(some, order="in step", *, monitor=None, judgement=JUDGEMENT):
    """Return the monitor, what it told, and how many labels had come when each version was mature."""
    monitor = monitor or Monitor("m")
    join, findings, mature = Join(1e9, 10**6, MemoryStore(), 10**6), [], {}
    for one in sorted(some, key=ORDERS[order]):
        joined = join.predict(one) if isinstance(one, Prediction) else join.know(one)
        if isinstance(one, Prediction):
            monitor.predicted(one, joined[0].served, judgement)
        for result in joined:
            if result.reason is not Reason.WAITING:
                findings += monitor.take(result, judgement, None)[1]
        for name, version in monitor.versions.items():
            if version.is_mature:
                mature.setdefault(name, version.series["all"].outcomes)
    return monitor, findings, mature


def test_no_series_learns_from_harm_that_another_tells():
    monitor, findings, _ = watched(events(1_700, lambda number, _: 0.4 if number >= 700 else 0.05))
    assert [(one.slice, one.state) for one in findings] == [("all", "open")]
    guards = [one.guard for one in monitor.versions["v"].series.values()]
    assert not any(guard.learning for guard in guards)
    assert all(guard.reference().mean < 0.1 for guard in guards if guard.reference().losses)


@pytest.mark.parametrize("seed", range(1, 4))
def test_harm_of_a_slice_is_told_after_one_of_all_and_where_it_is(seed):
    def rate(number, tier):
        return 0.4 if 1_500 <= number < 2_500 else 0.25 if number >= 5_000 and tier == "a" else 0.05

    findings = watched(events(7_500, rate, seed=seed))[1]
    told = [(one.slice, one.state) for one in findings]
    assert told == [("all", "open"), ("all", "closed"), ("tier=a", "open")]


@pytest.mark.parametrize("order", ORDERS)
def test_a_bad_release_is_told_whichever_topic_is_read_first(order):
    some = events(
        2_000,
        lambda number, _: 0.35 if number >= 1_000 else 0.05,
        delay_s=lambda *_: 20.0,
        version=lambda number: "w" if number >= 1_000 else "v",
    )
    findings = watched(some, order)[1]
    assert [(one.version, one.slice, one.state) for one in findings] == [("w", "all", "open")]


def test_a_release_before_there_are_references_of_the_one_before_is_held_against_these():
    some = events(
        2_000,
        lambda number, _: 0.35 if number >= 1_000 else 0.05,
        delay_s=lambda *_: 400.0,
        version=lambda number: "w" if number >= 1_000 else "v",
    )
    findings = watched(some)[1]
    assert [(one.version, one.slice, one.state) for one in findings] == [("w", "all", "open")]


def test_slow_labels_are_waited_for_also_when_predictions_are_read_first():
    def slow(rng, is_wrong):
        return rng.lognormvariate(0.0, 1.0) * (6.0 if is_wrong else 2.0)

    some = [*events(1_000, lambda *_: 0.1, step_s=0.1, delay_s=slow)]
    assert watched(some, "predictions first")[2] == watched(some)[2] != {}


@pytest.mark.parametrize("is_outcome_first", [False, True])
def test_a_prediction_has_a_row_also_if_its_outcome_was_read_first(is_outcome_first):
    fold = InputFold(0, replace(RULES, label_horizon_s=1e6, memory_entries=1_000), Life({}), MemoryStore())
    logged = {True: [], False: []}
    for one in events(400, lambda *_: 0.0):
        record = Logged("t", 0, int(1_000 * one.at), encode(one))
        logged[isinstance(one, Outcome)].append(record)
    for begin in range(0, 400, 100):
        for kind in (is_outcome_first, not is_outcome_first):
            fold.apply(logged[kind][begin : begin + 100])
    assert fold.monitors["m"].versions["v"].rows.taken > 20


def test_a_file_goes_before_what_a_version_that_was_always_bad_has_learned():
    some = [*events(2_000, lambda *_: 0.3, version=lambda number: "vw"[number // 1_000])]
    monitor = watched(some[:2_000])[0]
    assert watched(some[2_000:], monitor=deepcopy(monitor))[1] == []
    well = Judgement(references={"m": {"all": known_of("classification", [1.0, *[0.0] * 19] * 50)}})
    (opened,) = watched(some[2_000:], monitor=monitor, judgement=well)[1]
    assert (opened.version, opened.slice, opened.before) == ("w", "all", 0.95)
