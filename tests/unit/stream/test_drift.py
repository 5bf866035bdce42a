"""Drift without labels: seeded predictions in, tickets out."""

from array import array
from math import exp, lgamma

import numpy as np
import pytest

from stream import state
from stream.bins import evidence, parts, stability
from stream.drift import Drift
from stream.events import Instant, Prediction, Rollout
from stream.joined import Served
from stream.monitor import Monitor
from stream.version import Judgement

DAY_S = 86_400.0
LEFT_OUT = object()
DAILY = 600
BROKEN = 15.0
"""The day from which an input is another."""


def usual(day, rng):
    return {
        "age": float(rng.normal()),
        "price": float(rng.exponential()),
        "kind": "abcd"[min(int(rng.exponential()), 3)],
        "rating": None if rng.random() < 0.02 else float(rng.random()),
    }


def play(change=None, *, days=20, score=None, seed=1, monitor=None, start=0, stop=None, version="v1"):
    """Fold predictions of one model, ``DAILY`` a day; ``change(rng)`` gives what is other once it is broken."""
    rng = np.random.default_rng(seed)
    monitor, judgement, found = monitor or Monitor("m"), Judgement(), []
    for i in range(days * DAILY):
        day = i / DAILY
        features = usual(day, rng)
        if change is not None and day >= BROKEN:
            features |= change(rng)
            features = {name: value for name, value in features.items() if value is not LEFT_OUT}
        scored = score(day, rng) if score is not None else None
        if i < start:
            continue
        if i == stop:
            break
        at = day * DAY_S
        one = Prediction(
            prediction_id="p",
            model="m",
            version=version,
            at=Instant(at),
            prediction=True,
            scores=scored,
            features=features,
        )
        served = Served("p", "m", version, at, True, scored is not None, ("all",))
        found += monitor.predicted(one, served, judgement)
    return found, monitor


CHANGES = {
    "psi": ("age", lambda rng: {"age": float(rng.normal(1.0))}),
    "missing_rate": ("rating", lambda rng: {"rating": None if rng.random() < 0.3 else float(rng.random())}),
    "new_category_rate": ("kind", lambda rng: {"kind": "zebra" if rng.random() < 0.3 else "a"}),
    "out_of_range_rate": (
        "price",
        lambda rng: {"price": float(rng.exponential()) * (1.0 if rng.random() < 0.7 else 1e4)},
    ),
}


def test_inputs_that_stay_as_they_are_open_nothing():
    assert play(days=40)[0] == []


@pytest.mark.parametrize("metric", CHANGES)
def test_a_changed_input_is_one_ticket_that_says_what_changed(metric):
    name, change = CHANGES[metric]
    (ticket,) = play(change)[0]
    assert (ticket.feature, ticket.metric, ticket.severity, ticket.state) == (name, metric, "ticket", "open")
    assert ticket.after > ticket.before
    assert ticket.onset_after <= BROKEN * DAY_S <= ticket.onset_before
    assert ticket.detected_at < (BROKEN + 4) * DAY_S


def test_a_changed_input_of_a_retired_version_is_no_ticket():
    monitor = Monitor("m")
    monitor.rolled_out(Rollout(model="m", version="v1", at=Instant(0), stage="retired"))
    assert play(CHANGES["psi"][1], monitor=monitor)[0] == []


def test_a_ticket_counts_on_from_versions_that_were_forgotten():
    (ticket,) = play(CHANGES["psi"][1], monitor=Monitor("m", forgotten_episode=4))[0]
    assert ticket.episode == 5


def test_an_input_that_is_often_left_out_is_missing():
    (found,), monitor = play(lambda rng: {"price": LEFT_OUT} if rng.random() < 0.3 else {})
    assert (found.metric, found.feature) == ("missing_rate", "price")
    assert "of the values are missing (before: 0) since " in found.summary
    again = state.load(state.dump(monitor))
    assert state.dump(again) == state.dump(monitor)


def test_an_input_that_a_new_version_never_sends_is_not_missed():
    _, monitor = play()
    found, monitor = play(
        lambda rng: {"price": LEFT_OUT}, monitor=monitor, start=int(BROKEN * DAILY), version="v2"
    )
    assert found == []
    assert not monitor.versions["v2"].reference.features["price"].is_met


def test_new_categories_are_named():
    (ticket,) = play(CHANGES["new_category_rate"][1])[0]
    assert "(zebra)" in ticket.summary


def test_a_score_that_is_stuck_is_called_constant():
    (ticket,) = play(score=lambda day, rng: 0.31 if day >= BROKEN else float(rng.beta(2, 5)))[0]
    assert (ticket.feature, ticket.metric, ticket.after) == ("@score", "constant_rate", 1.0)
    assert "always 0.31" in ticket.summary


def test_confidence_that_falls_without_labels_is_a_ticket_on_the_score():
    def score(day, rng):
        said = float(np.clip(rng.normal(0.62 if day >= BROKEN else 0.92, 0.03), 0.4, 0.999))
        return {"true": said, "false": 0.7 * (1.0 - said), "maybe": 0.3 * (1.0 - said)}

    (ticket,) = play(score=score)[0]
    assert (ticket.feature, ticket.metric, ticket.state) == ("@score", "out_of_range_rate", "open")
    assert ticket.detected_at < (BROKEN + 4) * DAY_S


def test_a_drift_that_is_over_closes_its_ticket():
    days = iter(range(20 * DAILY))

    def change(rng):
        return {"age": float(rng.normal(1.0))} if next(days) < 4 * DAILY else {}

    opened, closed = play(change, days=26)[0]
    assert (opened.id, opened.state) == (closed.id, "open")
    assert (closed.state, closed.severity) == ("closed", "ticket")
    assert opened.detected_at < (BROKEN + 4) * DAY_S < closed.closed_at


def test_hours_and_weekdays_are_no_drift():
    rng, monitor, judgement = np.random.default_rng(5), Monitor("m"), Judgement()
    for i in range(30 * DAILY):
        day = i / DAILY
        level = 2.0 * np.sin(2 * np.pi * day) + 0.3 * (int(day) % 7 > 4)
        one = Prediction(
            prediction_id="p",
            model="m",
            version="v1",
            at=Instant(day * DAY_S),
            prediction=True,
            features={"load": float(rng.normal(level))},
        )
        served = Served("p", "m", "v1", day * DAY_S, True, False, ("all",))
        assert list(monitor.predicted(one, served, judgement)) == []


@pytest.mark.parametrize("cut", [100, 12 * DAILY + 7, 15 * DAILY + 99])
def test_a_monitor_that_went_through_bytes_tells_the_same(cut):
    change = CHANGES["new_category_rate"][1]
    whole, _ = play(change)
    first, monitor = play(change, stop=cut)
    rest, _ = play(change, monitor=state.load(state.dump(monitor)), start=cut)
    assert first + rest == whole


def test_a_new_version_is_held_against_the_inputs_of_the_one_before():
    _, monitor = play(days=14)
    found, _ = play(CHANGES["psi"][1], days=18, monitor=monitor, start=14 * DAILY, version="v2")
    assert [(one.version, one.feature) for one in found] == [("v2", "age")]


@pytest.mark.parametrize("spread", [0.0, 0.1, 0.3])
@pytest.mark.parametrize("count", [500, 20_000])
def test_false_tickets_are_fewer_than_the_budget_allows(spread, count):
    """Shares that differ from day to day by as much as in the week of reference open hardly anything."""
    rng, limit, looked, opened = np.random.default_rng(7), 100.0, 0, 0
    for _ in range(100):
        shares = rng.dirichlet(np.ones(12))
        reference = array("I", rng.multinomial(200, shares).tolist())
        drift = Drift()
        drift.is_whole(0.0)
        for day in range(1, 60):
            today = shares * np.exp(rng.normal(0.0, spread, 12))
            window = array("I", rng.multinomial(count, today / today.sum()).tolist())
            looked += drift.is_learned
            opened += drift.take(reference, window, day * DAY_S, limit) == "drifted"
    assert looked > 5_000
    assert opened <= looked / limit


def test_the_mean_ratio_is_one_while_nothing_changes():
    """Exactly: over all windows of four values in three bins, for shares that the reference leaves open."""
    reference, half = (3, 0, 1), 0.5
    total = 0.0
    for first in range(5):
        for second in range(5 - first):
            window = (first, second, 4 - first - second)
            ways = exp(lgamma(5) - sum(lgamma(one + 1) for one in window))
            known = [one + half for one in reference]
            weight = lgamma(sum(known)) - lgamma(sum(known) + 4)
            weight += sum(lgamma(a + n) - lgamma(a) for a, n in zip(known, window, strict=True))
            total += ways * exp(weight) * exp(evidence(reference, window))
    assert total == pytest.approx(1.0)


def test_equal_shares_have_an_index_of_zero_and_unequal_rows_are_refused():
    assert stability((10, 20), (10, 20)) == pytest.approx(0.0)
    assert min(parts((10, 20, 0), (20, 5, 3))) > 0.0
    with pytest.raises(ValueError, match="want the same number"):
        stability((1, 2), (1, 2, 3))


def test_state_of_a_drift_is_written_back_as_it_was():
    _, monitor = play(CHANGES["missing_rate"][1])
    written = state.dump(monitor)
    assert state.dump(state.load(written)) == written
    assert state.load(written).versions["v1"].reference.features["rating"].drift.finding is not None


def weather(wet):
    """Return the tickets about the rain: 40 % of a wet day's values, none of the others."""
    monitor, found, rng = Monitor("m"), [], np.random.default_rng(5)
    for i in range(60 * DAILY):
        day = i / DAILY
        rain = float(rng.exponential()) if int(day) in wet and rng.random() < 0.4 else 0.0
        one = Prediction(
            prediction_id="p",
            model="m",
            version="v",
            at=Instant(day * DAY_S),
            prediction=True,
            features={"rain": rain},
        )
        served = Served("p", "m", "v", day * DAY_S, True, False, ("all",))
        found += monitor.predicted(one, served, Judgement())
    return [one for one in found if one.state == "open" and one.feature == "rain"]


def test_what_comes_and_goes_is_told_a_few_times_and_again_when_it_stays():
    showers = {15, 19, 22, 26, 31, 34, 38, 41}
    assert 1 <= len(weather(showers)) <= 2
    staying = weather({15, 19, *range(40, 60)})
    assert 40.0 < staying[-1].detected_at / DAY_S < 44.0
