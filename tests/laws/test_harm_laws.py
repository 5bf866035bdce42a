"""The harm detector against its formula, its simulation, River's protocol, and its promise."""

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.detection import limit
from bench.detection.rare import alarms_per_loss
from bench.detection.streams import Lanes, chained
from stream.judge.edetector import EDetector, edetector
from stream.judge.harm import HarmDetector
from stream.judge.level import FEWEST, Level, bound_of, cut_of, upper
from stream.judge.mixture import limit_for, mixture

bounds = st.floats(0.002, 0.9)
inflations = st.floats(1.0, 20.0)
losses = st.lists(st.sampled_from([0.0, 0.0, 0.0, 1.0]), max_size=300)


def by_formula(bound, inflation, stream):
    """Evidence after each loss, straight from the recurrence."""
    constants = mixture(bound, inflation)
    parts = [one.rest for one in constants.components]
    for x in stream:
        parts = [
            (part + one.weight) * (1 + one.bet * (x - constants.bound)) ** power
            for part, one, power in zip(parts, constants.components, constants.powers, strict=True)
        ]
        yield sum(parts)


@settings(max_examples=150)
@given(bounds, inflations, losses | st.lists(st.floats(0.0, 1.0), max_size=60))
def test_counting_zeros_is_the_recurrence_and_any_loss_within_0_and_1_follows_it(bound, inflation, stream):
    detector = edetector(bound, 1e300, inflation)
    for x, wanted in zip(stream, by_formula(bound, inflation, stream), strict=True):
        detector.step(x)
        assert detector.evidence == pytest.approx(wanted, rel=1e-9)


@given(bounds, inflations)
def test_evidence_over_a_chain_of_losses_keeps_its_mean(bound, inflation):
    """The greatest eigenvalue of the chain's matrix, its columns times the ratios, is 1; greatest after a loss."""
    constants = mixture(bound, inflation)
    rate, follow = constants.bound, (constants.inflation - 1) / (constants.inflation + 1)
    stay_well, stay_lost = 1 - rate * (1 - follow), rate + follow * (1 - rate)
    chain = np.array([[stay_well, 1 - stay_well], [1 - stay_lost, stay_lost]])
    for one, power in zip(constants.components, constants.powers, strict=True):
        assert 0.0 < power <= 1.0
        values, vectors = np.linalg.eig(chain * [one.down, one.up])
        assert max(values) == pytest.approx(1.0, abs=1e-6)
        after_well, after_lost = np.abs(vectors[:, np.argmax(values)])
        assert after_lost >= after_well * (1 - 1e-9)


@given(bounds, inflations, st.floats(0.0, 1.0))
def test_no_bet_wins_on_average_at_the_bound(bound, inflation, spread):
    """Mean ratio at most 1 for any two-point loss whose mean is the bound."""
    constants = mixture(bound, inflation)
    high = constants.bound + spread * (1 - constants.bound)
    low = constants.bound - spread * constants.bound
    chance = (constants.bound - low) / (high - low) if high > low else 0.5
    for one, power in zip(constants.components, constants.powers, strict=True):
        ratio = [(1 + one.bet * (x - constants.bound)) ** power for x in (high, low)]
        assert chance * ratio[0] + (1 - chance) * ratio[1] <= 1 + 1e-9


@pytest.mark.parametrize("inflation", [1.0, 3.0])
def test_the_bench_simulates_what_runs_online(inflation):
    count, arl = 20, 200.0
    rng = np.random.default_rng(4)
    ours = [HarmDetector(0.1, arl, inflation) for _ in range(count)]
    lanes = Lanes(np.full(count, 0.1), np.full(count, inflation), arl)
    alarms = 0
    for _ in range(1_500):
        lost = rng.random(count) < 0.12
        hit = lanes.step(lost)
        for detector, x in zip(ours, lost.tolist(), strict=True):
            detector.update(x)
        assert [one.drift_detected for one in ours] == hit.tolist()
        lanes.renew(hit)
        alarms += int(hit.sum())
    assert alarms > 50


def test_detector_is_a_river_drift_detector():
    detector = HarmDetector(0.1, 1e4)
    found = []
    for place, lost in enumerate([False] * 300 + [True, False] * 100):
        detector.update(lost)
        if detector.drift_detected:
            found.append(place)
    assert found
    assert found[0] > 300
    fresh = detector.clone()
    assert (fresh.bound, fresh.arl, fresh.harm.losses) == (0.1, 1e4, 0)


@given(bounds, inflations, losses, losses)
def test_state_goes_on_where_it_was(bound, inflation, first, then):
    detector = edetector(bound, 1e3, inflation)
    for x in first:
        detector.step(x)
    other = msgspec.msgpack.decode(msgspec.msgpack.encode(detector), type=EDetector)
    assert [detector.step(x) for x in then] == [other.step(x) for x in then]
    assert other == detector


def test_improvement_is_never_an_alarm():
    rng = np.random.default_rng(1)
    detector = edetector(0.3, 1e3)
    for lost in (rng.random(20_000) < 0.1).tolist():
        assert not detector.step(lost)


def test_onset_is_near_the_change():
    errors = []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        detector = edetector(0.1, 1e5)
        for lost in (rng.random(5_000) < 0.08).tolist():
            detector.step(lost)
        while not detector.step(rng.random() < 0.25):
            pass
        errors.append(detector.losses - detector.losses_since_onset - 5_000)
    assert abs(np.median(errors)) < 40


@pytest.mark.parametrize("wrong", [(0.0, 1e6, 1.0), (1.0, 1e6, 1.0), (0.1, 0.5, 1.0), (0.1, 1e6, 0.5)])
def test_senseless_parameters_are_refused(wrong):
    with pytest.raises(ValueError, match="want"):
        HarmDetector(*wrong)


@pytest.mark.parametrize("x", [float("nan"), -0.1, 1.5])
def test_a_loss_that_is_none_is_refused(x):
    with pytest.raises(ValueError, match="want a number within"):
        edetector().step(x)


def test_cusum_limit_is_that_of_the_literature():
    """Hawkins and Olwell's way by hand: a walk of +1 and -1 between a reflecting 0 and h has a known mean."""
    up = 0.3
    ratio = np.log((1 - up) / up)
    steps = 5
    # rates up and 1 - up give steps of +ratio and -ratio: h = 5 steps
    mean = limit.run_length(up, up, 1 - up, steps * ratio, points=500)
    chain = np.zeros((steps, steps))
    for at in range(steps):
        chain[at, max(at - 1, 0)] += 1 - up
        if at + 1 < steps:
            chain[at, at + 1] += up
    assert mean == pytest.approx(np.linalg.solve(np.eye(steps) - chain, np.ones(steps))[0], rel=1e-6)


@pytest.mark.parametrize("follow", [0.0, 0.4])
def test_rare_false_alarms_are_those_that_are_counted_where_they_are_not_rare(follow):
    lanes, rng = 2_000, np.random.default_rng(6)

    def fresh():
        return Lanes(np.full(lanes, 0.1), np.full(lanes, (1 + follow) / (1 - follow)), 300.0)

    counted, draw, alarms = fresh(), chained(0.1, follow, lanes, rng), 0
    for passed in range(4_000):
        hit = counted.step(draw())
        alarms += int(hit.sum()) * (passed >= 2_000)
        counted.renew(hit)
    samples = alarms_per_loss(fresh(), 0.1, follow, rng)
    assert samples.mean() == pytest.approx(alarms / lanes / 2_000, rel=0.05)


def test_limit_is_the_run_length_when_losses_depend_on_each_other():
    assert limit_for(1e6, mixture(0.1, 1.5)) == 1e6


def chain(rate, follow, count, seed):
    rng = np.random.default_rng(seed)
    found, now = [], False
    for _ in range(count):
        now = now if rng.random() < follow else bool(rng.random() < rate)
        found.append(now)
    return found


@pytest.mark.parametrize(("follow", "wanted"), [(0.0, 1.0), (0.3, 1.3 / 0.7), (0.5, 3.0), (0.8, 9.0)])
def test_inflation_is_learned(follow, wanted):
    seen = []
    for seed in range(10):
        level = Level()
        for lost in chain(0.1, follow, 5_000, seed):
            level.add(lost)
        seen.append(level.inflation)
    assert 0.85 <= np.mean(seen) / wanted <= (1.15 if wanted == 1.0 else 1.35), "the greatest of three looks"


def test_long_memory_is_seen_by_the_blocks():
    """Rates that change every 500 losses hardly show in the lag-1 autocorrelation."""
    rng = np.random.default_rng(2)
    level = Level()
    for block in range(10):
        for lost in (rng.random(500) < (0.05 if block % 2 else 0.25)).tolist():
            level.add(lost)
    assert level.inflation > 4


@pytest.mark.parametrize("losses", [FEWEST, 500, 1_000, 2_000, 4_000])
def test_independent_losses_hardly_ever_look_dependent_wherever_a_block_ends(losses):
    """Losses after the last whole block are no sign of memory: a fifth of references of 1,000 looked dependent."""
    rng, lucky = np.random.default_rng(7), 0
    for _ in range(200):
        level = Level()
        for lost in (rng.random(losses) < 0.17).tolist():
            level.add(lost)
        lucky += level.inflation > 1.5
    assert lucky <= 4


def test_bound_is_above_the_rate_and_nothing_is_known_of_nothing():
    assert np.isnan(bound_of(0, 0, 1.0, 0.1))
    level = Level()
    for lost in chain(0.1, 0.0, FEWEST, 1):
        level.add(lost)
    known = level.losses, level.lost, level.inflation
    assert level.rate < bound_of(*known, 0.0) < 0.3
    assert bound_of(*known, 5.0) == pytest.approx(6 * level.rate)
    assert upper(0.0, 100) > 0


@pytest.mark.parametrize(
    ("losses", "quantile", "cut"),
    [
        ([0.0] * 80 + [1.0] * 100 + [2.0] * 20, 0.9, 1.0),
        ([0.0] * 80 + [1.0] * 100 + [2.0] * 20, 0.5, 0.0),
        ([0.0] * 140 + [1.0] * 60, 0.9, 1.0),
        ([0.0] * 200, 0.9, 0.0),
        ([float(number) for number in range(200)], 0.9, 180.0),
    ],
)
def test_ties_leave_a_share_of_losses_above_the_cut(losses, quantile, cut):
    assert cut_of(losses, quantile) == cut
