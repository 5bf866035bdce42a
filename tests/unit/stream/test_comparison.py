"""A page says whether other versions got worse as well, which class carries it, and how sure its values are."""

import re

import numpy as np
import pytest
from msgspec.structs import replace

from stream.bounds import bounds
from stream.events import Instant, Prediction, Rollout
from stream.joined import Joined, Reason, Served
from stream.monitor import Monitor
from stream.version import Judgement

BEGAN_AT, STEP_S, DELAY_S = 1_764_000_000.0, 60.0, 600.0
CLASSES = ("cat", "dog", "owl")


def play(rate, *, versions=("v1",), number=False, events=9_000, seed=5, then=None, is_retired=False):
    """Return the pages of a model; ``rate(i, version, truth)`` is how often it is wrong."""
    rng, monitor, judgement, told = np.random.default_rng(seed), Monitor("m"), Judgement(), []
    for i in range(events):
        at = BEGAN_AT + STEP_S * i
        version, truth = str(rng.choice(versions)), str(rng.choice(CLASSES))
        if then is not None and i >= then[1]:
            version = then[0]
        if is_retired and i == then[1]:
            monitor.rolled_out(Rollout(model="m", version=versions[0], at=Instant(at), stage="retired"))
        wrong = bool(rng.random() < rate(i, version, truth))
        said = CLASSES[CLASSES.index(truth) - 1] if wrong else truth
        if number:
            said, truth = 10.0, 10.0 + float(rng.normal(0.0, 3.0 if wrong else 1.0))
        served = Served(f"p{i}", "m", version, at, said, not number, ("all",))
        event = Prediction(prediction_id=f"p{i}", model="m", version=version, at=Instant(at), prediction=said)
        monitor.predicted(event, served, judgement)
        served = replace(served, bins=monitor.bins(event))
        joined = Joined(Reason.MATCHED, "m", served, truth, at + DELAY_S)
        told += monitor.take(joined, judgement, None)[1]
    return [one for one in told if one.state == "open" and one.severity == "page"]


@pytest.mark.parametrize(("harmed", "wanted"), [(("v2",), "did not get worse"), (("v1", "v2"), "as well")])
def test_a_page_says_what_became_of_the_other_version(harmed, wanted):
    pages = play(
        lambda i, version, _: 0.4 if i > 7_000 and version in harmed else 0.08, versions=("v1", "v2")
    )
    assert {one.version for one in pages} == {*harmed}
    for page in pages:
        (other,) = {"v1", "v2"} - {page.version}
        (cause,) = page.causes
        assert cause.startswith(f"version {other} ")
        assert wanted in cause


def test_nothing_is_said_of_a_version_that_serves_no_more():
    pages = play(lambda i, version, _: 0.4 if i > 7_000 else 0.08, versions=("v2",))
    assert [one.causes for one in pages] == [()]


@pytest.mark.parametrize(
    ("is_retired", "wanted"),
    [(False, "has been worse since .*open"), (True, "had been worse since .*taken off")],
)
def test_a_harm_that_the_version_before_had_is_told_as_such(is_retired, wanted):
    """So that nobody rolls back what is not to blame."""
    first, second = play(lambda i, *_: 0.4 if i > 7_000 else 0.08, then=("v2", 7_600), is_retired=is_retired)
    assert (first.version, second.version) == ("v1", "v2")
    assert [bool(re.fullmatch(f"version v1 {wanted}", one)) for one in second.causes].count(True) == 1


def test_nothing_is_said_of_a_harm_that_ended_with_its_version_long_before():
    _, second = play(
        lambda i, *_: 0.4 if 7_000 < i <= 7_600 or i > 8_500 else 0.08, then=("v2", 7_600), is_retired=True
    )
    assert not any("v1" in one for one in second.causes if "rollout" not in one)


def test_the_class_that_carries_the_harm_is_named_and_no_other():
    """Not when too few rows tell it from the others."""
    named = []
    for seed in range(5):
        (page,) = play(lambda i, _, truth: 0.5 if i > 6_000 and truth == "dog" else 0.08, seed=seed)
        named += page.causes
    assert len(named) >= 3
    assert all(one.startswith("class dog carries ") for one in named)


@pytest.mark.parametrize("seed", range(3))
def test_no_class_is_named_when_all_got_worse(seed):
    (page,) = play(lambda i, *_: 0.35 if i > 6_000 else 0.08, seed=seed)
    assert page.causes == ()


@pytest.mark.parametrize("number", [False, True])
def test_before_and_after_have_bounds(number):
    (page,) = play(lambda i, *_: 0.5 if i > 6_000 else 0.08, number=number)
    assert page.before_lower < page.before < page.before_upper
    assert page.after_lower < page.after < page.after_upper
    truth = np.sqrt(2 / np.pi) * (0.92 + 0.08 * 3.0) if number else 0.92
    assert page.before_lower < truth < page.before_upper
    assert page.after_upper - page.after_lower > page.before_upper - page.before_lower
    assert len(page.examples) == 10


def mixed(share_of, rate=lambda tier, version: 0.3 if tier == "airport" else 0.05):
    """Return the pages of a model with a slice; ``share_of(i, version)`` is how often it is the hard value."""
    rng, monitor, judgement, told = np.random.default_rng(7), Monitor("m"), Judgement(), []
    for i in range(9_000):
        at, version = BEGAN_AT + STEP_S * i, "v2" if i >= 7_000 and i % 2 else "v1"
        tier = "airport" if rng.random() < share_of(i, version) else "city"
        truth = bool(rng.random() < rate(tier, version))
        served = Served(f"p{i}", "m", version, at, False, False, ("all", f"tier={tier}"))
        event = Prediction(
            prediction_id=f"p{i}", model="m", version=version, at=Instant(at), prediction=False
        )
        monitor.predicted(event, served, judgement)
        told += monitor.take(Joined(Reason.MATCHED, "m", served, truth, at + DELAY_S), judgement, None)[1]
    return [one for one in told if one.state == "open"]


@pytest.mark.parametrize(
    "share_of",
    [
        lambda i, version: 1.0 if version == "v2" else 0.05,
        lambda i, version: 0.9 if i > 7_000 else 0.05,
    ],
)
def test_a_page_says_when_another_mix_of_a_slice_explains_it(share_of):
    """Simpson's paradox: a canary in the hard places, or a day with many of them; no value got worse."""
    pages = mixed(share_of)
    assert pages
    for page in pages:
        assert page.slice == "all"
        (said,) = [one for one in page.causes if one.startswith("the mix of tier explains it: ")]
        expected, share = re.search(r"accuracy ([.0-9]+) is .*; tier=airport is (\d+)% of", said).groups()
        assert 0.6 < float(expected) < 0.85
        assert int(share) > 50


def test_a_mix_does_not_explain_what_got_worse_in_it():
    pages = mixed(
        lambda i, version: 1.0 if version == "v2" else 0.05,
        lambda tier, version: 0.7 if version == "v2" else 0.3 if tier == "airport" else 0.05,
    )
    assert {one.version for one in pages} == {"v2"}
    assert not any("the mix of" in cause for one in pages for cause in one.causes)


def test_a_mix_that_stays_explains_nothing():
    pages = mixed(lambda i, version: 0.3, lambda tier, version: 0.4 if version == "v2" else 0.08)
    assert {one.version for one in pages} == {"v2"}
    assert not any("the mix of" in cause for one in pages for cause in one.causes)


def shifted(share_of, rate, seed=7, *, step_s=STEP_S, delay_s=DELAY_S):
    """Return the pages of a model of two classes: ``share_of(i)`` of outcomes are true, each wrong by ``rate``."""
    rng, monitor, judgement, told = np.random.default_rng(seed), Monitor("m"), Judgement(), []
    for i in range(9_000):
        at, truth = BEGAN_AT + step_s * i, bool(rng.random() < share_of(i))
        said = truth != bool(rng.random() < rate(i, truth))
        served = Served(f"p{i}", "m", "v1", at, said, False, ("all",))
        event = Prediction(prediction_id=f"p{i}", model="m", version="v1", at=Instant(at), prediction=said)
        monitor.predicted(event, served, judgement)
        served = replace(served, bins=monitor.bins(event))
        told += monitor.take(Joined(Reason.MATCHED, "m", served, truth, at + delay_s), judgement, None)[1]
    return [one for one in told if one.state == "open" and one.severity == "page"]


@pytest.mark.parametrize("seed", range(5))
def test_a_page_says_when_another_mix_of_outcomes_explains_it(seed):
    """Fraud doubles, and the model is as good at it as ever: no roll-back mends that."""
    pages = shifted(lambda i: 0.3 if i > 7_000 else 0.1, lambda i, truth: 0.5 if truth else 0.03, seed)
    (page,) = [one for one in pages if one.metric == "accuracy"]
    (said,) = [one for one in page.causes if one.startswith("the mix of outcomes explains it: ")]
    expected, share = re.search(r"accuracy ([.0-9]+) is .*; class true is (\d+)% of", said).groups()
    assert 0.78 < float(expected) < 0.88
    assert 20 < int(share) < 40
    assert not any(one.startswith("class ") for one in page.causes)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(
    ("share_of", "rate"),
    [
        (lambda i: 0.1, lambda i, truth: (0.5 if truth else 0.03) + 0.2 * (i > 7_000)),
        (lambda i: 0.1, lambda i, truth: (1.0 if i > 7_000 else 0.3) if truth else 0.03),
        (
            lambda i: 0.15 if i > 7_000 else 0.1,
            lambda i, truth: (0.9 if i > 7_000 else 0.3) if truth else 0.03,
        ),
    ],
)
def test_a_mix_of_outcomes_does_not_explain_what_got_worse_in_one(share_of, rate, seed):
    pages = shifted(share_of, rate, seed)
    assert pages
    assert not any("the mix of" in cause for one in pages for cause in one.causes)


def test_labels_that_take_three_weeks_each_time_widen_no_onset_by_six_weeks():
    """Else each rollout of six weeks is among the causes."""
    step_s, weeks_s = 1_200.0, 21 * 86_400.0
    (page,) = shifted(
        lambda i: 0.5, lambda i, truth: 0.4 if i > 7_000 else 0.08, step_s=step_s, delay_s=weeks_s
    )
    began_at = BEGAN_AT + 7_000 * step_s
    assert began_at - 4 * 86_400.0 < page.onset_after <= began_at <= page.onset_before


def test_bounds_of_nothing_are_unknown_and_dependence_widens_them():
    assert bounds("mae", float("nan"), 0, 1.0, 2.0) == (None, None)
    assert bounds("mae", 3.0, 10, 1.0, float("inf")) == (None, None)
    assert bounds("bias", 3.0, 400, 4.0, 2.0) == pytest.approx((3 - 1.96 * 0.2, 3 + 1.96 * 0.2), abs=1e-4)
    lower, upper = bounds("recall", 0.9, 100, 4.0, float("inf"))
    assert upper - lower > 1.9 * 0.12
