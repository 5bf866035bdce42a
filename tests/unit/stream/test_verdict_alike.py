"""A verdict compares like with like: the same traffic, labels of the same age, and no harm that both have."""

import random

import pytest

from stream.clock import Clock
from stream.comparison import is_of_both
from stream.events import ALL, Instant, Prediction
from stream.joined import Joined
from stream.joined import Reason as Matched
from stream.judge.guard import PROMISED
from stream.judge.objective import Objective
from stream.monitor import Monitor
from stream.verdict.mix import unlike
from stream.verdict.strata import shared
from stream.verdict.verdict import Decision, Reason, verdict
from tests.laws import versions
from tests.laws.versions import (
    BEGAN_AT,
    HOUR_S,
    Judgement,
    Label,
    before,
    fold,
    refer,
    said_and_happened,
    served,
    served_of,
    steady,
    summed,
)


def told(monitor):
    return verdict(monitor, "v8", "v7", 0.2)


def drawn(version, labels, draw):
    """Labels of an hour; ``draw`` gives slices and how likely each is wrong."""
    chance = random.Random(version)
    some = []
    for number in range(labels):
        slices, rate = draw(chance)
        at = BEGAN_AT + HOUR_S * (number + 0.5) / labels
        some.append(Label(version, at, chance.random() < rate, tuple(slices.items())))
    return some


def in_time(*some):
    return sorted((one for each in some for one in each), key=lambda one: one.at)


def test_slices_of_another_name_are_not_compared_where_the_mix_differs():
    """A canary of the airports, where everybody loses six times as much, in both countries."""

    def anywhere(chance):
        tier = "airport" if chance.random() < 0.1 else "city"
        return {"tier": tier, "country": chance.choice("ab")}, 0.3 if tier == "airport" else 0.05

    def airports(chance):
        return {"tier": "airport", "country": chance.choice("ab")}, 0.3

    found = told(served(in_time(drawn("v7", 10_000, anywhere), drawn("v8", 1_500, airports))))
    assert (found.reason, found.mix.name, found.slice) == (Reason.UNDECIDED, "tier", "tier=airport")
    assert abs(found.difference.value) < 0.05


@pytest.mark.parametrize(("rate", "wanted"), [(0.2, Reason.UNDECIDED), (0.4, Reason.WORSE)])
def test_a_slice_that_only_one_version_sends_keeps_nobody_from_being_compared(rate, wanted):
    old = drawn("v7", 4_000, lambda _: ({}, 0.2))
    new = drawn("v8", 4_000, lambda chance: ({"tier": chance.choice("ab")}, rate))
    found = told(served(in_time(old, new)))
    assert (found.reason, found.mix) == (wanted, None)


CITIES = {city: 0.05 if city < "f" else 0.35 for city in "abcdefghij"}


def over_budget(monkeypatch, ours):
    """Each version has series for the five cities that it met first; the candidate serves ``ours``."""
    monkeypatch.setattr(versions, "JUDGEMENT", Judgement(slice_budget=6))

    def in_cities(some):
        def draw(chance):
            city = chance.choice(some)
            return {"city": city}, CITIES[city]

        return draw

    first = [before(version)._replace(slices=(("city", city),)) for version, city in met(ours)]
    both = drawn("v7", 6_000, in_cities([*CITIES])), drawn("v8", 6_000, in_cities(ours))
    monitor = refer(summed([*first, *in_time(*both)]))
    assert "city=__other__" in monitor.versions["v7"].series
    return monitor


def met(ours):
    return [*(("v7", city) for city in CITIES), *(("v8", city) for city in reversed(ours))]


def test_what_is_in_an_other_is_held_against_nothing(monkeypatch):
    """The other of one version are the easy cities, that of the other the hard ones."""
    monitor = over_budget(monkeypatch, [*CITIES])
    assert unlike(shared(monitor.versions["v8"], monitor.versions["v7"])) is None
    found = told(monitor)
    assert (found.reason, found.slice) == (Reason.NO_WORSE, None)
    assert abs(found.difference.value) < 0.01


@pytest.mark.parametrize("ours", [["a", "b", "j"], ["b", "b", "b", "a"]])
def test_a_canary_of_some_slices_is_compared_within_them_though_others_are_over_budget(monkeypatch, ours):
    found = told(over_budget(monkeypatch, ours))
    assert found.mix.name == "city"
    assert found.reason in (Reason.NO_WORSE, Reason.UNDECIDED)
    assert abs(found.difference.value) < 0.01


def lived(harmed, share, labels=(3_000, 600, 600), rates=(0.05, 0.4)):
    """A minute each: all is well, then some versions are harmed, then all is well again."""
    monitor, chance, number = Monitor("m"), random.Random(3), 0
    for many, is_ill in zip(labels, (False, True, False), strict=True):
        for _ in range(many):
            version = "v8" if chance.random() < share else "v7"
            lost = chance.random() < rates[is_ill and version in harmed]
            fold(monitor, [Label(version, BEGAN_AT + 60.0 * number, lost)])
            number += 1
    return monitor


def finding_of(monitor, version):
    return monitor.versions[version].series[ALL].finding


def test_a_harm_to_both_whose_finding_is_closed_later_rolls_nobody_back():
    """The live version has nine times the labels: its finding is closed first."""
    monitor = lived(("v7", "v8"), 0.1)
    assert finding_of(monitor, "v7") is None
    assert finding_of(monitor, "v8") is not None
    assert told(monitor).decision is Decision.HOLD
    assert told(monitor).finding is None


def test_a_harm_to_the_candidate_alone_rolls_it_back():
    monitor = lived(("v8",), 0.1, (3_000, 600, 0))
    assert finding_of(monitor, "v7") is None
    assert told(monitor).reason is Reason.OPEN_FINDING


def test_while_nobody_knows_whose_a_harm_is_the_version_is_held():
    """The other one got worse by about half as much."""
    monitor = lived(("v8",), 0.5, (3_000, 100, 0))
    finding = finding_of(monitor, "v8")
    assert finding is not None
    fold(monitor, steady({"v7": 0.4}, 30, HOUR_S, BEGAN_AT + 60.0 * 3_100))
    assert is_of_both(finding, monitor.versions["v8"], monitor.versions["v7"]) is None
    found = told(monitor)
    assert (found.decision, found.reason, found.finding) == (Decision.HOLD, Reason.FINDING_IN_DOUBT, finding)


def clicks(hours):
    """Clicks are told in 20 seconds, none after an hour. The candidate misses more and promises fewer in vain.

    It loses half as much as the live version, that began half an hour before.
    """
    chance, monitor, clock = random.Random(1), Monitor("m"), Clock()
    events = []
    for number in range(int(1_500 * hours)):
        at = BEGAN_AT + number * HOUR_S / 1_500
        version = "v8" if at >= BEGAN_AT + HOUR_S / 2.0 and chance.random() < 0.5 else "v7"
        is_click = chance.random() < 0.2
        rate = {"v7": (0.3, 0.3), "v8": (0.02, 0.6)}[version][is_click]
        label = Label(version, at, chance.random() < rate)
        events += [(at, number, label), (at + (20.0 if is_click else HOUR_S), number, label)]
    for when, number, label in sorted(one for one in events if one[0] <= BEGAN_AT + HOUR_S * hours):
        arrive(monitor, clock, when, str(number), label)
    return refer(monitor)


def arrive(monitor, clock, when, name, label):
    """A prediction at its time; its outcome at a later one."""
    said, happened = said_and_happened(label.loss)
    one = served_of(label, name, said)
    if when > label.at:
        monitor.take(Joined(Matched.MATCHED, "m", one, happened, when), Judgement(), None, clock)
        return
    clock.move(label.at)
    named = {"prediction_id": name, "model": "m", "version": label.version}
    monitor.predicted(
        Prediction(**named, at=Instant(label.at), prediction=said), one, Judgement(), None, clock
    )


def test_labels_that_are_told_quickly_are_not_all_labels():
    assert told(clicks(2.0)).reason is Reason.NOT_CONCURRENT
    found = told(clicks(5.0))
    assert found.until_at <= BEGAN_AT + 4.0 * HOUR_S
    assert found.decision is Decision.PROMOTE


def promised(follow):
    """Both versions are wrong in 5 %, in runs: the last loss comes again, so often; an objective says 6 %."""
    judgement = Judgement(objectives=(Objective("m", ALL, 0.06, 0.2),))
    chance, monitor, last = random.Random(2), Monitor("m"), {"v7": False, "v8": False}
    for number in range(4_000):
        version, truth = chance.choice(("v7", "v8")), chance.choice("xy")
        if chance.random() >= follow:
            last[version] = chance.random() < 0.05
        said = {"x": "y", "y": "x"}[truth] if last[version] else truth
        label, name = Label(version, BEGAN_AT + 60.0 * number, last[version]), str(number)
        one = served_of(label, name, said)
        named = {"prediction_id": name, "model": "m", "version": version}
        monitor.predicted(Prediction(**named, at=Instant(label.at), prediction=said), one, judgement)
        monitor.take(Joined(Matched.MATCHED, "m", one, truth, label.at + 1.0), judgement, None)
    return monitor


def test_errors_that_come_in_runs_widen_the_bounds_under_an_objective_as_well():
    widths = []
    for follow in (0.0, 0.8):
        monitor = promised(follow)
        guard = monitor.versions["v7"].series[ALL].guard
        assert (guard.is_promised, guard.inflation) == (True, 1.0)
        found = told(monitor).difference
        widths.append(found.upper - found.lower)
    assert widths[1] > 1.7 * widths[0]


def test_a_promise_alone_says_nothing_of_how_errors_depend_on_each_other():
    monitor = served(steady({"v7": 0.05, "v8": 0.2}, 2_000, HOUR_S))
    assert told(monitor).reason is Reason.WORSE
    for version in monitor.versions.values():
        version.series[ALL].guard.due = PROMISED
    assert told(monitor).reason is Reason.TOO_FEW_LABELS
