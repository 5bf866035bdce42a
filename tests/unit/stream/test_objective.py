"""Errors held against what is promised, from the first label on."""

import numpy as np
import pytest

from stream import state
from stream.events import Instant, Outcome, Prediction
from stream.join import Join
from stream.judge.known import known_of
from stream.judge.objective import Objective, promised
from stream.monitor import Monitor
from stream.pending import MemoryStore
from stream.version import Judgement

TENTH = Objective("eta*", "all", error=0.1, tolerance=0.2)
JUDGEMENT = Judgement(objectives=(TENTH,))


def play(wrong, *, events, judgement=JUDGEMENT, seed=1, versions=("v",), model="eta.city"):
    """Fold labels of one model, one a minute, wrong in the share ``wrong(i)``; return the monitor and findings."""
    rng = np.random.default_rng(seed)
    monitor, join = Monitor(model), Join(1e9, 100_000, MemoryStore(), 100_000)
    found = []
    for i in range(events):
        city, name = ("lima", "lagos")[i % 2], versions[i * len(versions) // events]
        one = Prediction(
            prediction_id=str(i),
            model=model,
            version=name,
            at=Instant(60.0 * i),
            prediction=True,
            slices={"city": city},
        )
        monitor.predicted(one, join.predict(one)[0].served, judgement)
        happened = bool(rng.random() >= wrong(i))
        known = Outcome(prediction_id=str(i), model=model, at=Instant(60.0 * i + 30), outcome=happened)
        found += monitor.take(join.know(known)[0], judgement, None)[1]
        if i == events // 2:
            monitor = state.load(state.dump(monitor))
    return monitor, found


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_model_that_breaks_its_promise_from_its_first_label_pages(seed):
    _, (page,) = play(lambda i: 0.45, events=150, seed=seed)
    assert (page.severity, page.state, page.slice, page.before) == ("page", "open", "all", pytest.approx(0.9))
    assert play(lambda i: 0.45, events=150, seed=seed, judgement=Judgement())[1] == []
    assert play(lambda i: 0.45, events=150, seed=seed, model="fraud")[1] == []


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_model_that_keeps_its_promise_never_pages(seed):
    assert play(lambda i: 0.09, events=4_000, seed=seed)[1] == []


def test_what_is_tolerated_is_no_page():
    wide = Judgement(objectives=(TENTH._replace(tolerance=1.0),))
    assert play(lambda i: 0.18, events=3_000, judgement=wide)[1] == []
    assert len(play(lambda i: 0.18, events=3_000)[1]) == 1


def test_a_slow_loss_of_quality_is_held_against_the_promise_not_against_what_was_seen():
    _, found = play(lambda i: 0.08 + 0.12 * i / 8_000, events=8_000, seed=3)
    assert found[0].before == pytest.approx(0.9)
    assert 60.0 * 2_000 < found[0].detected_at < 60.0 * 8_000


def test_a_promise_outlives_harm_that_is_over_and_goes_on_with_the_next_version():
    monitor, found = play(lambda i: 0.45 if i < 400 else 0.02, events=3_000, versions=("v", "w"))
    assert [one.state for one in found] == ["open", "closed"]
    for version in monitor.versions.values():
        guard = version.series["all"].guard
        assert guard.is_promised
        assert guard.reference().mean == pytest.approx(0.1)
        assert not guard.learning
    assert not monitor.versions["v"].series["city=lima"].guard.is_promised


def test_without_its_objective_the_next_version_learns():
    monitor, _ = play(lambda i: 0.09, events=200)
    assert monitor.versions["v"].series["all"].guard.heir() is None


def test_a_reference_of_the_same_slice_goes_first():
    losses = [float(i % 2) for i in range(1_000)]
    known = {"eta.city": {"all": known_of("classification", losses)}}
    both = Judgement(objectives=(TENTH, TENTH._replace(slice="city=lima")), references=known)
    monitor, found = play(lambda i: 0.45, events=150, judgement=both)
    assert {one.slice for one in found} <= {"city=lima"}
    series = monitor.versions["v"].series
    assert series["all"].guard.reference().mean == pytest.approx(0.5)
    assert series["city=lima"].guard.is_promised


def test_of_several_objectives_the_first_counts():
    (guard,) = promised((TENTH, Objective("*", "all", 0.3, 0.2)), "eta.city").values()
    assert guard.reference().mean == pytest.approx(0.1)
    assert promised((TENTH,), "fraud") == {}


def test_a_regression_has_no_promise():
    monitor = Monitor("eta.city")
    join = Join(1e9, 100, MemoryStore(), 100)
    one = Prediction(prediction_id="1", model="eta.city", version="v", at=Instant(0.0), prediction=1.5)
    monitor.predicted(one, join.predict(one)[0].served, JUDGEMENT)
    assert not monitor.versions["v"].series["all"].guard.is_promised
