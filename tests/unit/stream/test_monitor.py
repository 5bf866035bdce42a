"""Judging, without Kafka: seeded streams in, findings out."""

import numpy as np
import pytest

from stream import state
from stream.events import Instant, Outcome, Prediction, RolledOut, Rollout
from stream.join import Join
from stream.joined import Joined, Reason, Served
from stream.judge.known import Known
from stream.monitor import Monitor
from stream.pending import MemoryStore
from stream.version import Judgement

HURT = range(3_000, 4_500)


def play(wrong, *, monitor=None, start=0, events=6_000, number=False, seed=7):
    """Fold a stream of one model; ``wrong(i, tier)`` is the error rate, or the mean absolute error."""
    rng = np.random.default_rng(seed)
    monitor, join, judgement = (
        monitor or Monitor("m"),
        Join(1e9, 100_000, MemoryStore(), 100_000),
        Judgement(),
    )
    findings = []
    for i in range(events):
        tier = ("airport", "standard", "premium")[rng.integers(3)]
        level, draw, sign = wrong(i, tier), rng.random(), rng.integers(2) * 2 - 1
        outcome = 100.0 + sign * level * rng.exponential() if number else bool(draw >= level)
        if i < start:
            continue
        said = 100.0 if number else True
        one = Prediction(
            prediction_id=str(i),
            model="m",
            version="v1",
            at=Instant(i),
            prediction=said,
            slices={"tier": tier},
        )
        monitor.predicted(one, join.predict(one)[0].served, judgement)
        (known,) = join.know(Outcome(prediction_id=str(i), model="m", at=Instant(i + 1), outcome=outcome))
        findings += monitor.take(known, judgement, None)[1]
    return findings, monitor


def healthy(i, tier):
    return 0.08


def airport_hurts(i, tier):
    return 0.5 if i in HURT and tier == "airport" else 0.08


def all_hurt(i, tier):
    return 0.35 if i in HURT else 0.08


@pytest.mark.parametrize("seed", range(5))
def test_healthy_model_has_no_finding(seed):
    assert play(healthy, seed=seed)[0] == []


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(("wrong", "where"), [(airport_hurts, "tier=airport"), (all_hurt, "all")])
def test_harm_is_found_once_in_its_slice_and_closed_after_recovery(wrong, where, seed):
    findings, _ = play(wrong, seed=seed)
    assert [(one.state, one.slice) for one in findings] == [("open", where), ("closed", where)]
    opened, closed = findings
    assert opened.id == closed.id
    assert opened.after < opened.before
    assert abs(opened.onset_at - HURT.start) < 300
    assert HURT.start < opened.detected_at < HURT.stop < closed.closed_at


def test_regression_is_judged_in_its_own_unit():
    findings, _ = play(lambda i, tier: 12.0 if i in HURT else 4.0, number=True)
    opened = findings[0]
    assert (opened.metric, opened.slice) == ("mae", "all")
    assert opened.before == pytest.approx(4.0, rel=0.2)
    assert opened.after == pytest.approx(12.0, rel=0.4)


def test_sharp_harm_in_a_slice_is_found_whenever_it_begins():
    for onset in range(1_012, 1_064, 4):
        findings, _ = play(
            lambda i, tier, since=onset: 0.95 if i >= since and tier == "airport" else 0.05,
            events=onset + 400,
        )
        assert [(one.state, one.slice) for one in findings] == [("open", "tier=airport")], onset


def test_regression_seven_times_worse_stays_open_until_it_recovers():
    findings, _ = play(lambda i, tier: 4.0 if i in HURT else 0.5, number=True)
    (opened, closed) = [one for one in findings if one.slice == "all"]
    assert opened.detected_at < HURT.stop < closed.closed_at


def fold(wrong, *, seed, at=lambda i: float(i), judgement=None):
    """Fold labels straight into a monitor; ``wrong[i]`` is the error rate, labels come an hour late."""
    rng, monitor, findings, judgement = (
        np.random.default_rng(seed),
        Monitor("m"),
        [],
        judgement or Judgement(),
    )
    for i, rate in enumerate(wrong):
        served = Served(str(i), "m", "v1", at(i), True, False, ("all",))
        one = Prediction(prediction_id=str(i), model="m", version="v1", at=Instant(at(i)), prediction=True)
        monitor.predicted(one, served, judgement)
        joined = Joined(Reason.MATCHED, "m", served, bool(rng.random() >= rate), i + 3_600.0)
        findings += monitor.take(joined, judgement, None)[1]
    return findings


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("period", [1_000, 5_000, 20_000])
def test_harm_that_comes_and_goes_is_told_once_or_twice(period, seed):
    turns = 0.15 - 0.1 * np.cos(2 * np.pi * np.arange(6 * period) / period)
    findings = fold([*[0.08] * 11_000, *turns], seed=seed)
    assert 1 <= sum(one.state == "open" for one in findings) <= 2


@pytest.mark.parametrize("seed", range(3))
def test_harm_late_in_a_long_life_is_told_once_and_closed_once(seed):
    findings = fold([*[0.1] * 120_000, *[0.2] * 1_500, *[0.1] * 6_000], seed=seed)
    assert [one.state for one in findings] == ["open", "closed"]
    opened, closed = findings
    assert opened.onset_after <= 120_000 <= opened.onset_before
    assert closed.closed_at > 121_500


def test_long_life_on_a_lucky_reference_hides_no_onset():
    lucky = Known(task="classification", cut=0.5, losses=5_000, lost=460, total=460.0, inflation=1.0)
    judgement = Judgement(references={"m": {"all": lucky}})
    (opened,) = fold([*[0.1] * 60_000, *[0.2] * 1_500], seed=1, judgement=judgement)
    assert opened.onset_after <= 60_000 <= opened.onset_before


def test_predictions_of_a_fast_clock_do_not_move_the_onset():
    wrong = [*[0.08] * 20_000, *[0.4] * 300]
    right, ahead = (
        fold(wrong, seed=2, at=lambda i, ahead=ahead: i + ahead * (i % 10 == 0)) for ahead in (0.0, 1e6)
    )
    assert [one.state for one in ahead] == [one.state for one in right] == ["open"]
    assert abs(ahead[0].onset_at - right[0].onset_at) <= 3_600.0


def test_page_before_there_was_a_reference_does_not_keep_it_from_being_learned():
    def wrong(i, tier):
        return 40.0 if 300 <= i < 420 else 4.0

    (opened, *_), early = play(wrong, number=True, events=420)
    assert (opened.state, early.versions["v1"].series["all"].guard.harm) == ("open", None)
    findings, monitor = play(wrong, number=True)
    guard = monitor.versions["v1"].series["all"].guard
    assert [one.state for one in findings if one.slice == "all"] == ["open", "closed"]
    assert guard.harm is not None
    assert guard.reference().mean == pytest.approx(4.0, rel=0.1)


def test_improvement_never_becomes_a_finding():
    assert play(lambda i, tier: 0.4 if i < 3_000 else 0.05)[0] == []


def test_state_that_went_through_bytes_judges_the_same():
    whole, _ = play(airport_hurts)
    first, monitor = play(airport_hurts, events=2_500)
    rest, _ = play(airport_hurts, monitor=state.load(state.dump(monitor)), start=2_500)
    assert first + rest == whole


def test_corrected_outcome_revises_the_accuracy():
    monitor, join, judgement = Monitor("m"), Join(100, 100, MemoryStore(), 100), Judgement()
    one = Prediction(prediction_id="1", model="m", version="v", at=Instant(0), prediction="a")
    monitor.predicted(one, join.predict(one)[0].served, judgement)
    for at, outcome in ((1, "b"), (2, "a")):
        known = Outcome(prediction_id="1", model="m", at=Instant(at), outcome=outcome)
        monitor.take(join.know(known)[0], judgement, None)
    series = monitor.versions["v"].series["all"]
    assert (series.outcomes, series.rollout()) == (1, 1.0)


def test_corrections_close_a_finding_that_rests_on_wrong_labels():
    findings, monitor, join, judgement = [], *correctable()
    for i in range(2_600):
        findings += told(monitor, join, judgement, i, i >= 2_000 or i % 12 == 0, i + 1)
    assert [one.state for one in findings] == ["open"]
    for i in range(2_000, 2_600):
        findings += corrected(monitor, join, judgement, i, i % 12 == 0)
    assert [one.state for one in findings] == ["open", "closed"]
    assert findings[1].causes == ("labels by which this was opened have been corrected",)
    series = monitor.versions["v"].series["all"]
    assert series.finding is None
    assert series.rollout() == pytest.approx(1 - 217 / 2_600)


@pytest.mark.parametrize(("until", "states"), [(2_600, ["open", "closed"]), (2_400, ["open"])])
def test_a_finding_whose_labels_are_corrected_is_closed_though_chance_leaves_the_rest_above(until, states):
    findings, monitor, join, judgement = [], *correctable()
    for i in range(2_600):
        findings += told(monitor, join, judgement, i, i >= 2_000 or i % 12 == 0, i + 1)
    for i in range(2_000, until):  # a third more than before stays wrong
        findings += corrected(monitor, join, judgement, i, i % 9 == 0)
    assert [one.state for one in findings] == states


def test_corrections_of_labels_before_the_onset_close_nothing():
    findings, monitor, join, judgement = [], *correctable()
    for i in range(2_600):
        findings += told(monitor, join, judgement, i, (i >= 2_000 and i % 3 == 0) or i % 12 == 0, i + 1)
    for i in range(1_500):
        findings += corrected(monitor, join, judgement, i, False)
    assert [one.state for one in findings] == ["open"]


def test_corrections_open_a_finding_again_that_was_closed_by_wrong_labels():
    findings, monitor, join, judgement = [], *correctable()
    for i in range(4_000):
        findings += told(
            monitor, join, judgement, i, (2_000 <= i < 2_600 and i % 2 == 0) or i % 12 == 0, i + 1
        )
    opened, closed = findings
    assert (opened.state, closed.state) == ("open", "closed")
    for i in range(2_600, 4_000):
        findings += corrected(monitor, join, judgement, i, i % 2 == 0 or i % 12 == 0)
    again = findings[2]
    assert [one.state for one in findings] == ["open", "closed", "open"]
    assert (again.episode, again.slice, again.onset_at) == (2, "all", opened.onset_at)
    assert again.id != opened.id
    assert "corrected" in again.causes[0]


def test_corrections_open_nothing_again_of_a_retired_version():
    findings, monitor, join, judgement = [], *correctable()
    for i in range(4_000):
        findings += told(
            monitor, join, judgement, i, (2_000 <= i < 2_600 and i % 2 == 0) or i % 12 == 0, i + 1
        )
    assert [one.state for one in findings] == ["open", "closed"]
    monitor.rolled_out(Rollout(model="m", version="v", at=Instant(4_000), stage="retired"))
    for i in range(2_600, 4_000):
        findings += corrected(monitor, join, judgement, i, i % 2 == 0 or i % 12 == 0)
    assert len(findings) == 2


def correctable():
    return Monitor("m"), Join(1e9, 100_000, MemoryStore(), 100_000), Judgement()


def told(monitor, join, judgement, i, wrong, at):
    one = Prediction(prediction_id=str(i), model="m", version="v", at=Instant(i), prediction=True)
    monitor.predicted(one, join.predict(one)[0].served, judgement)
    return corrected(monitor, join, judgement, i, wrong, at)


def corrected(monitor, join, judgement, i, wrong, at=5_000):
    known = Outcome(prediction_id=str(i), model="m", at=Instant(at), outcome=not wrong)
    return monitor.take(join.know(known)[0], judgement, None)[1]


def test_outcome_of_another_kind_is_counted_as_mismatched():
    monitor, join, judgement = Monitor("m"), Join(100, 100, MemoryStore(), 100), Judgement()
    one = Prediction(prediction_id="1", model="m", version="v", at=Instant(0), prediction=3.5)
    monitor.predicted(one, join.predict(one)[0].served, judgement)
    (known,) = join.know(Outcome(prediction_id="1", model="m", at=Instant(1), outcome="three"))
    assert monitor.take(known, judgement, None) == ("mismatched", ())


def test_slices_past_the_budget_fall_into_other():
    monitor, join, judgement = Monitor("m"), Join(100, 1000, MemoryStore(), 1000), Judgement(slice_budget=5)
    for i in range(50):
        one = Prediction(
            prediction_id=str(i),
            model="m",
            version="v",
            at=Instant(0),
            prediction="a",
            slices={"city": f"c{i}"},
        )
        monitor.predicted(one, join.predict(one)[0].served, judgement)
    slices = monitor.versions["v"].series
    assert len(slices) == 6
    assert sum(one.predictions for name, one in slices.items() if name != "all") == 50


def test_rollout_shortly_before_the_onset_is_named():
    monitor = Monitor("m")
    monitor.rolled_out(Rollout(model="m", version="v1", at=Instant(2_800), stage="live"))
    findings, _ = play(all_hurt, monitor=monitor)
    assert "rollout of v1 to live" in findings[0].causes[0]
    assert findings[0].rollouts == (RolledOut(version="v1", stage="live", at=2_800.0),)


def test_new_version_is_held_against_the_reference_of_the_one_before():
    _, monitor = play(healthy, events=3_000)
    old = monitor.versions["v1"]
    findings, join, judgement = [], Join(1e9, 100_000, MemoryStore(), 100_000), Judgement()
    rng = np.random.default_rng(1)
    for i in range(200):
        one = Prediction(
            prediction_id=f"n{i}", model="m", version="v2", at=Instant(3_000 + i), prediction=True
        )
        monitor.predicted(one, join.predict(one)[0].served, judgement)
        outcome = Outcome(
            prediction_id=f"n{i}", model="m", at=Instant(3_001 + i), outcome=bool(rng.random() > 0.4)
        )
        findings += monitor.take(join.know(outcome)[0], judgement, None)[1]
    assert [(one.version, one.state) for one in findings] == [("v2", "open")]
    assert findings[0].before == pytest.approx(1 - old.series["all"].guard.reference().mean)


def test_rise_below_the_least_one_is_not_a_page():
    assert play(lambda i, tier: 0.30 if i < 6_000 else 0.33, events=16_000)[0] == []


def test_input_that_moved_is_named_as_a_cause_and_one_that_did_not_is_not():
    monitor, judgement, rng = Monitor("m"), Judgement(), np.random.default_rng(3)
    join, findings = Join(1e9, 100_000, MemoryStore(), 100_000), []
    for i in range(4_200):
        hurt = i >= 3_000
        one = Prediction(
            prediction_id=str(i),
            model="m",
            version="v",
            at=Instant(i),
            prediction=True,
            features={"age": float(rng.normal()), "price": float(rng.normal(2.0 if hurt else 0.0))},
        )
        monitor.predicted(one, join.predict(one)[0].served, judgement)
        happened = bool(rng.random() > (0.2 if hurt else 0.05))
        known = join.know(Outcome(prediction_id=str(i), model="m", at=Instant(i + 1), outcome=happened))
        findings += monitor.take(known[0], judgement, None)[1]
    (opened,) = findings
    assert [cause.split(" moved")[0] for cause in opened.causes] == ["feature price"]
