"""Where harm is: the slice that a page names, and what is told besides while its finding is open."""

import numpy as np
import pytest

from stream.events import ALL, Instant, Outcome, Prediction
from stream.history import Span
from stream.join import Join
from stream.monitor import Monitor
from stream.pending import MemoryStore
from stream.scan import Harm, culprit, gain, onset_in
from stream.series import new_series
from stream.version import Judgement

KNOWN, SECOND, ENDS = 4_000, 5_000, 7_000
TIERS, PLATFORMS, CITIES = ("a", "b", "c"), ("ios", "android"), tuple("klmno")


def play(rate, seed, number=False, ends=ENDS, known=KNOWN, version=lambda i: "v1", cities=None):
    """Return the pages of a model whose ``rate(i, tier, platform, city)`` is an error rate or a mean error."""
    rng, monitor, found = np.random.default_rng(seed), Monitor("m"), []
    join = Join(1e9, 100_000, MemoryStore(), 100_000)
    for i in range(KNOWN - known, ends):
        tier, platform, city = (
            TIERS[rng.integers(3)],
            PLATFORMS[rng.integers(2)],
            CITIES[rng.choice(5, p=cities)],
        )
        level, draw = rate(i, tier, platform, city), rng.random()
        happened = float(rng.exponential(level) * rng.choice((-1, 1))) if number else bool(draw >= level)
        one = Prediction(
            prediction_id=str(i),
            model="m",
            version=version(i),
            at=Instant(i),
            prediction=0.0 if number else True,
            slices={"tier": tier, "platform": platform, "city": city, "country": "x"},
        )
        served = join.predict(one)[0].served
        monitor.predicted(one, served, Judgement())
        join.remember(served, monitor.bins(one))
        known_label = Outcome(prediction_id=str(i), model="m", at=Instant(i + 1), outcome=happened)
        found += monitor.take(join.know(known_label)[0], Judgement(), None)[1]
    return [one for one in found if (one.state, one.severity) == ("open", "page")]


def worse(where, since=KNOWN):
    name, _, value = where.partition("=")

    def is_worse(i, tier, platform, city):
        return i >= since and (
            where == ALL or {"tier": tier, "platform": platform, "city": city}[name] == value
        )

    return is_worse


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("where", [ALL, "tier=c", "platform=ios"])
@pytest.mark.parametrize(
    ("well", "ill", "number"), [(0.1, 0.3, False), (0.08, 0.55, False), (1.0, 4.0, True)]
)
def test_a_harm_is_one_page_that_names_its_slice(well, ill, number, where, seed):
    is_worse = worse(where)
    found = play(lambda *what: ill if is_worse(*what) else well, seed, number)
    assert [one.slice for one in found] == [where]
    assert found[0].onset_after <= KNOWN <= found[0].onset_before


@pytest.mark.parametrize("seed", range(4))
def test_a_harm_that_begins_before_the_references_are_whole_is_named_as_well(seed):
    is_worse = worse("tier=c")
    found = play(lambda *what: 0.55 if is_worse(*what) else 0.08, seed, ends=KNOWN + 800, known=700)
    assert [one.slice for one in found] == ["tier=c"]


@pytest.mark.parametrize("second", ["tier=a", "platform=ios", "city=k", ALL])
def test_a_second_harm_is_told_while_the_first_is_open(second):
    first, then = worse("tier=c"), worse(second, SECOND)
    found = play(lambda *what: 0.4 if first(*what) or then(*what) else 0.08, 5)
    assert [one.slice for one in found] == ["tier=c", second]
    assert found[1].detected_at > SECOND


@pytest.mark.parametrize("where", [ALL, "tier=c"])
def test_a_new_version_that_is_wrong_each_time_is_a_page(where):
    is_worse = worse(where)
    found = play(
        lambda *what: 1.0 if is_worse(*what) else 0.08,
        3,
        known=1_500,
        ends=KNOWN + 800,
        version=lambda i: "v1" if i < KNOWN else "v2",
    )
    assert [(one.version, one.slice) for one in found] == [("v2", where)]


def test_a_second_harm_in_a_rare_slice_is_told():
    first, then = worse("tier=c"), worse("city=k", SECOND)
    found = play(
        lambda *what: 0.4 if first(*what) else 0.9 if then(*what) else 0.08,
        2,
        cities=[0.06, 0.2, 0.2, 0.2, 0.34],
    )
    assert [one.slice for one in found] == ["tier=c", "city=k"]


@pytest.mark.parametrize("seed", range(3))
def test_a_harm_is_told_that_is_apart_from_one_that_goes_on(seed):
    """Its slice has so few predictions that hardly any of the newest rows is of it."""
    first, then = worse("city=k"), worse("city=l", SECOND)
    found = play(
        lambda *what: 0.5 if first(*what) else 0.7 if then(*what) else 0.08,
        seed,
        ends=KNOWN + 5_000,
        known=16_000,
        cities=[0.04, 0.02, 0.3, 0.3, 0.34],
    )
    assert [one.slice for one in found] == ["city=k", "city=l"]


@pytest.mark.parametrize("seed", range(3))
def test_a_harm_of_all_is_told_as_such_while_one_of_its_parts_is(seed):
    first, then = worse("city=k"), worse(ALL, SECOND)
    found = play(lambda *what: 0.6 if first(*what) else 0.3 if then(*what) else 0.08, seed)
    assert [one.slice for one in found] == ["city=k", ALL]


def test_a_second_harm_in_nearly_all_is_told():
    first, then = worse("city=k"), worse("city=o", SECOND)
    found = play(
        lambda *what: 0.9 if first(*what) else 0.5 if then(*what) else 0.08, 2, cities=[0.06, 0, 0, 0, 0.94]
    )
    assert [one.slice for one in found] in (["city=k", ALL], ["city=k", "city=o"])


def test_a_relapse_is_told_while_another_harm_is_open():
    def rate(i, tier, platform, city):
        if tier == "a":
            return 0.5 if KNOWN <= i < KNOWN + 900 or i >= KNOWN + 5_000 else 0.08
        return 0.4 if tier == "c" and i >= KNOWN + 3_500 else 0.08

    found = play(rate, 4, ends=KNOWN + 7_000)
    assert [one.slice for one in found] == ["tier=a", "tier=c", "tier=a"]


def test_a_slice_without_any_loss_does_not_speak_for_all_that_comes():
    def rate(i, tier, platform, city):
        if city == "k":
            return 0.001 if i > KNOWN else 0.0
        return 4.0 if tier == "c" and i >= KNOWN else 1.0

    assert [one.slice for one in play(rate, 6, number=True, ends=KNOWN + 800)] == ["tier=c"]


def series_of(total, losses=400, rise=0.0, since=300):
    """Return a series of these losses of 0 and 1, as evenly as can be: ``total`` of them before, then ``rise``."""
    made, lost = new_series("classification", 1e-4), 0.0
    for i in range(losses):
        lost += total / since if i < since else rise
        made.learn(float(i), float(lost >= 1.0), str(i), 1_000_000, 1e6, 0.2, True)
        lost -= lost >= 1.0
    return made


def test_a_slice_whose_past_was_unlucky_is_named_none_the_less():
    series = {ALL: series_of(15, 400, 0.3), "tier=c": series_of(27, 360, 0.6), "tier=a": series_of(15)}
    assert culprit(series, 0.2).slice == "tier=c"


def test_without_a_rise_it_is_the_whole():
    series = {ALL: series_of(0), "tier=c": series_of(0)}
    found = culprit(series, 0.2)
    assert (found.slice, found.after.losses) == (ALL, 0)
    assert str(onset_in(series[ALL], 0.2).at) == "nan"


def test_a_slice_of_nearly_all_says_nothing_that_the_whole_does_not():
    series = {ALL: series_of(15, 400, 0.3), "country=x": series_of(15, 395, 0.32)}
    assert culprit(series, 0.2).slice == ALL


def test_the_onset_lies_within_its_interval():
    inside, widths = 0, []
    for seed in range(60):
        rng, one, change = np.random.default_rng(seed), new_series("classification", 1e-4), 1_000 + seed
        for at in range(change + 150):
            lost = float(rng.random() < (0.35 if at >= change else 0.1))
            one.learn(float(at), lost, str(at), 1_000_000, 1e6, 0.2, True)
        found = onset_in(one, 0.2)
        assert found.after <= found.at <= found.before
        inside += found.after <= change <= found.before
        widths.append(found.before - found.after)
    assert inside >= 54
    assert np.median(widths) < 120


@pytest.mark.parametrize(
    ("before", "after"),
    [(Span(29, 1.0, 0.0), Span(50, 40.0, 0.0)), (Span(100, 10.0, 0.0), Span(0, 0.0, 0.0)),
     (Span(100, 10.0, 0.0), Span(100, 11.9, 0.0))],
)  # fmt: skip
def test_too_few_losses_or_too_small_a_rise_speak_for_nothing(before, after):
    assert gain("classification", Harm(ALL, 0.0, before, after), 0.2, 0.1) == 0.0


def test_the_gain_is_the_log_likelihood_ratio_of_two_means_against_one():
    def likelihood(lost, losses, rate):
        return lost * np.log(rate) + (losses - lost) * np.log(1 - rate)

    ratio = likelihood(10, 100, 0.1) + likelihood(20, 50, 0.4) - likelihood(30, 150, 0.2)
    found = Harm(ALL, 0.0, Span(100, 10.0, 0.0), Span(50, 20.0, 0.0))
    assert gain("classification", found, 0.2, 0.1) == pytest.approx(ratio)
