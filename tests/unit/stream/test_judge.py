"""The judge's parts: the budget, a guard's reference, maturity, divergence."""

import msgspec
import numpy as np
import pytest

from stream.detectors import CLOCK
from stream.events import Instant, Prediction
from stream.joined import Joined, Reason, Served
from stream.judge import budget
from stream.judge.guard import HALF, Guard
from stream.judge.known import guards, known_of
from stream.judge.level import MOST, Level, memory
from stream.monitor import Monitor
from stream.onset import nats
from stream.references import read_references, write_references
from stream.series import new_series
from stream.settings import SettingsError
from stream.version import Judgement, Version


def fed(losses):
    guard = Guard(HALF)
    alarms = [guard.take(float(loss), 1e6, 0.2) for loss in losses]
    return guard, alarms


def test_budget_is_shared_among_a_teams_labels():
    # 50 models, 70,000 labels a week each, 4 series a label: 14 million losses a week for one page
    assert budget.run_length(10_000, budget.WEEK_S / 7, 4, 50, 1.0) == pytest.approx(14e6)
    assert budget.run_length(10_000, budget.WEEK_S / 7, 4, 50, 2.0) == pytest.approx(7e6)


def test_run_length_has_a_floor_and_no_time_asks_for_the_longest():
    assert budget.run_length(5, budget.WEEK_S, 1, 1, 1.0) == budget.FEWEST
    assert budget.run_length(5, 0.0, 1, 1, 1.0) == budget.MOST


def test_reference_grows_by_doubling_and_is_then_frozen():
    rng = np.random.default_rng(1)
    seen = []
    guard = Guard(HALF)
    for lost in (rng.random(MOST + 500) < 0.1).tolist():
        guard.take(float(lost), 1e6, 0.2)
        if guard.known not in seen:
            seen.append(guard.known)
    assert seen == [0, 250, 500, 1_000, 2_000, 4_000, 5_000]
    assert not guard.learning
    assert guard.reference().mean == pytest.approx(0.1, abs=0.02)


def clumped(rng, losses, rate):
    """Return losses of 0 and 1 that come in clumps of twenty."""
    return np.repeat(rng.random(losses // 20) < rate, 20)


def test_dependence_that_is_clear_is_taken_as_it_is():
    rng = np.random.default_rng(1)
    clumps, alone = Level(), Level()
    for one, other in zip(clumped(rng, 4_000, 0.1), rng.random(4_000) < 0.1, strict=True):
        clumps.add(bool(one))
        alone.add(bool(other))
    assert 14.0 < clumps.inflation < 45.0, "of clumps of twenty"
    assert alone.inflation < 1.5


@pytest.mark.parametrize(("rate", "known"), [(0.02, True), (0.1, False)])
def test_reference_of_lucky_first_losses_gives_way_to_what_clumps_explain(rate, known):
    """The first thousand are good; then the bad ones come in clumps, or all the time."""
    rng = np.random.default_rng(3)
    rest = clumped(rng, 6_000, rate) if known else rng.random(6_000) < rate
    guard, _ = fed([*np.zeros(1_000), *rest])
    assert not guard.learning
    assert (guard.known >= MOST) is known
    if known:
        assert guard.reference().mean == pytest.approx(rate, rel=0.5)


def test_reference_that_is_not_whole_is_learned_further_once_harm_is_over():
    rng = np.random.default_rng(6)
    guard, _ = fed(rng.random(600) < 0.1)
    guard.freeze()
    assert (guard.known, guard.learning) == (500, False)
    guard.resume()
    for lost in rng.random(1_000) < 0.1:
        guard.take(float(lost), 1e6, 0.2)
    assert guard.known == 1_000
    (given,) = guards(
        {"m": {"all": known_of("classification", [0.0] * 90 + [1.0] * 10)}}, "m", "classification", 0.2
    ).values()
    given.resume()
    assert not given.learning, "a file is the owner's word"
    given.is_seasoned = False  # as a version's first week has it
    heir = given.heir()
    heir.resume()
    assert not heir.learning


def test_reference_that_is_not_whole_goes_on_in_the_next_version():
    rng = np.random.default_rng(7)
    guard, _ = fed(rng.random(1_100) < 0.1)
    guard.freeze()
    heir = guard.heir()
    assert (heir.known, heir.learning, heir.due) == (1_000, True, 2_000)


def test_reference_of_a_file_in_an_older_state_stays_the_files():
    made = known_of("classification", [0.0] * 90 + [1.0] * 10)
    guard = guards({"m": {"all": made}}, "m", "classification", 0.2)["all"]
    guard.due = 250
    again = msgspec.msgpack.decode(msgspec.msgpack.encode(guard), type=Guard)
    again.resume()
    assert not again.learning


def test_reference_that_was_put_off_for_good_is_learned_further_once_no_finding_is_open():
    rng = np.random.default_rng(2)
    guard, _ = fed([*(rng.random(4_000) < 0.1), *(rng.random(1_000) < 0.4)])
    assert (guard.known, guard.learning) == (4_000, False)
    series = new_series("classification", 1e-4)
    series.guard = guard
    Version("classification", {"all": series}).heed_findings()
    assert (guard.known, guard.learning, guard.due) == (4_000, True, 8_000)


def test_harm_does_not_become_the_reference():
    rng = np.random.default_rng(2)
    healthy, hurt = rng.random(300) < 0.1, rng.random(400) < 0.4
    guard, alarms = fed([*healthy, *hurt])
    assert any(alarms)
    assert guard.known == 250


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_series_guard_learns_what_a_guard_does_that_takes_each_loss_itself(task):
    rng, series = np.random.default_rng(5), new_series(task, 0.002)
    alone = Guard(series.guard.cut)
    for i, loss in enumerate(rng.gamma(1.0, 1.0, 12_000)):
        loss = float(loss > 2.3) if task == "classification" else float(loss)
        series.learn(float(i), loss, str(i), 200, 1e6, 0.2, is_mature=True)
        alone.take(loss, 1e6, 0.2)
    assert alone.harm is not None
    assert not alone.learning
    assert msgspec.msgpack.encode(series.guard) == msgspec.msgpack.encode(alone)


def learned(losses, is_mature, warmup=200):
    """Return at which losses a series without a reference wants to be judged."""
    series = new_series("classification", 0.002)
    return [
        number
        for number, loss in enumerate(losses)
        if series.learn(float(number), loss, "p", warmup, 1e6, 0.2, is_mature(number))
    ]


WORSE_AT = 100
RISE = [0.0] * WORSE_AT + [1.0] * 140


def test_a_rise_that_no_fair_label_showed_is_judged_at_the_first_fair_one():
    at_once = learned(RISE, lambda _: True, warmup=10)
    fair_at = at_once[0] + 10
    assert learned(RISE, lambda number: number >= fair_at, warmup=10)[0] == fair_at


def test_a_rise_that_is_not_told_is_judged_again_now_and_then():
    first, *again = learned(RISE, lambda _: True, warmup=10)
    assert again == [*range(first + CLOCK, len(RISE), CLOCK)]


def test_a_rise_before_there_are_enough_losses_is_judged_once_there_are():
    assert learned(RISE, lambda _: True)[0] == 199


def test_a_rise_that_was_over_before_a_fair_label_is_not_judged():
    over = [*RISE, *[0.0] * 200]
    assert not learned(over, lambda number: number >= len(over) - 10)


def test_cut_of_a_regression_is_a_quantile_of_its_first_errors():
    rng = np.random.default_rng(3)
    guard = Guard()
    for loss in rng.exponential(2.0, 3_000).tolist():
        guard.take(loss, 1e6, 0.2)
    assert guard.level.rate == pytest.approx(0.1, abs=0.04)
    assert guard.reference().mean == pytest.approx(2.0, rel=0.1)


def test_heir_has_the_reference_and_no_evidence():
    rng = np.random.default_rng(4)
    guard, _ = fed(rng.random(1_000) < 0.1)
    heir = guard.heir()
    assert (heir.known, heir.known_total) == (guard.known, guard.known_total)
    assert (heir.level, heir.harm.losses) == (guard.level, 0)
    assert heir.level is not guard.level
    assert Guard(HALF).heir() is None


def test_longer_run_length_takes_an_alarm_back():
    rng = np.random.default_rng(5)
    guard, _ = fed(rng.random(1_000) < 0.1)
    while not guard.take(float(rng.random() < 0.4), 1e6, 0.2):
        pass
    assert guard.is_due(1e6)
    assert not guard.is_due(1e9)


def labelled(monitor, i, wrong, delay, judgement):
    served = Served(str(i), "m", "v", float(i), True, False, ("all",))
    one = Prediction(prediction_id=str(i), model="m", version="v", at=Instant(i), prediction=True)
    monitor.predicted(one, served, judgement)
    return monitor.take(Joined(Reason.MATCHED, "m", served, not wrong, i + delay), judgement, None)[1]


def test_first_labels_are_not_judged_until_slow_ones_have_come():
    monitor, judgement, rng = Monitor("m"), Judgement(), np.random.default_rng(6)
    guarded = []
    for i in range(3_000):
        labelled(monitor, i, rng.random() < 0.1, float(rng.choice([10.0, 400.0])), judgement)
        guarded.append(monitor.versions["v"].series["all"].guard.level.losses)
    began = next(place for place, losses in enumerate(guarded) if losses)
    assert 2 * 205 + 6 * 195 - 100 < began < 2 * 205 + 6 * 195 + 300


def test_labels_that_come_when_the_traffic_has_stopped_are_not_judged():
    monitor, judgement, rng = Monitor("m"), Judgement(), np.random.default_rng(6)
    for i in range(2_000):
        labelled(monitor, i, rng.random() < 0.1, 10.0, judgement)
    series = monitor.versions["v"].series["all"]
    outcomes, judged = series.outcomes, series.guard.harm.losses
    served = Served("late", "m", "v", 1_999.0, True, False, ("all",))
    for _ in range(100):
        assert not monitor.take(Joined(Reason.MATCHED, "m", served, False, 2_100.0), judgement, None)[1]
    assert series.outcomes == outcomes + 100
    assert series.guard.harm.losses == judged


def wandering(follow, count, seed):
    """Return absolute errors whose signed ones forget geometrically."""
    rng, now, found = np.random.default_rng(seed), 0.0, []
    for _ in range(count):
        now = follow * now + (1 - follow**2) ** 0.5 * rng.standard_normal()
        found.append(float(np.exp(now)))
    return found


def test_memory_of_first_losses_is_seen_where_there_is_one():
    alone = [memory(wandering(0.0, 200, seed)) for seed in range(100)]
    assert sum(found > 1.0 for found in alone) <= 8
    assert max(alone) < 1.3
    assert min(memory(wandering(0.9, 200, seed)) for seed in range(100)) > 1.5
    assert [memory(same) for same in ([], [1.0], [0.0] * 200)] == [1.0] * 3
    rare = (np.random.default_rng(1).random(200) < 0.2).astype(float).tolist()
    assert memory(rare) < 1.3, "what is the same for most of them is no memory"


def test_young_reference_of_a_regression_allows_for_the_memory_of_its_first_losses():
    guard = Guard()
    for loss in wandering(0.9, 200 + 250, seed=1):
        guard.take(loss, 1e6, 0.2)
    assert guard.reference().losses == 250
    assert guard.inflation >= guard.memory > 1.5


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_divergence_grows_with_the_distance_and_is_none_without(task):
    found = [nats(task, mean, 0.2) for mean in (0.2, 0.3, 0.6, 0.99)]
    assert found[0] == 0.0
    assert found == sorted(found)
    assert found[1] > 0


def test_references_survive_their_file(tmp_path):
    rng = np.random.default_rng(7)
    known = {"m": {"all": known_of("classification", (rng.random(400) < 0.1).astype(float).tolist())}}
    path = tmp_path / "r.json"
    path.write_bytes(write_references(known))
    assert read_references(path) == known
    assert guards(known, "m", "classification", 0.2)["all"].known == 400
    assert guards(known, "m", "regression", 0.2) == {}
    assert guards(known, "other", "classification", 0.2) == {}


FIGURES = b'"task":"classification","cut":1,"losses":2,"lost":1,"total":0,"inflation":1'


def beside(name, task, lost=0, beside=b"{}"):
    other = FIGURES.replace(b"classification", task).replace(b'"lost":1', b'"lost":%d' % lost)
    made = b'{"m":{"all":{%b,"beside":{"%b":{%b,"beside":%b}}}}}'
    return made % (FIGURES, name.encode(), other, beside)


@pytest.mark.parametrize(
    "wrong",
    [
        b"{",
        b'{"m": {"all": {}}}',
        b'{"m":{"all":{"task":"regression","cut":1,"losses":1,"lost":2,"total":0,"inflation":1}}}',
        beside("logloss", b"classification"),
        beside("above", b"classification"),
        beside("brier", b"regression"),
        beside("brier", b"classification", lost=3),
        beside("brier", b"classification", beside=b'{"brier":{%b}}' % FIGURES),
    ],
)
def test_broken_references_are_refused_by_name(tmp_path, wrong):
    path = tmp_path / "r.json"
    path.write_bytes(wrong)
    with pytest.raises(SettingsError, match=r"monitor\.reference .*want"):
        read_references(path)


def test_reference_of_nothing_is_refused():
    with pytest.raises(ValueError, match="want at least one"):
        known_of("classification", [])
