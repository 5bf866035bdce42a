"""Tickets about the events around a model: a partition of models whose events come, or don't."""

from dataclasses import replace

import msgspec
import numpy as np
import pytest

from stream import state
from stream.events import Instant, Outcome, Prediction, Rollout
from stream.fold import InputFold
from stream.pending import MemoryStore
from stream.version import Judgement
from stream.wire import Tolerance, encode
from tests.laws.lives import RULES, Logged

DAY_S, HOUR_S = 86_400.0, 3_600.0
BEGAN_AT = 1_764_000_000.0 // 604_800 * 604_800
MODELS = ("m", "n", "o")
BROKEN = BEGAN_AT + 24 * DAY_S
HORIZON_S = DAY_S
BATCH = 500


class Watch:
    def folded(self, tally):
        self.tally = tally


def usual(*, days=30, daily=120, seed=3, delay_s=1_800.0):
    """Return predictions and outcomes of all models, in order of arrival: busy days, quiet nights and weekends."""
    rng, found = np.random.default_rng(seed), []
    hours = np.arange(days * 24)
    rate = daily / 24 * (1 + 0.9 * np.sin(2 * np.pi * hours / 24)) * np.where(hours // 24 % 7 >= 5, 0.3, 1.28)
    for model in MODELS:
        counts = rng.poisson(rate)
        at = BEGAN_AT + np.repeat(hours * HOUR_S, counts) + rng.uniform(0, HOUR_S, counts.sum())
        for number, (one, late) in enumerate(zip(at, rng.exponential(delay_s, len(at)), strict=True)):
            name, made = f"{model}{number}", Instant(one)
            is_right = bool(rng.random() < 0.9)
            said = Prediction(prediction_id=name, model=model, version="v1", at=made, prediction=True)
            known = Outcome(prediction_id=name, model=model, at=Instant(one + late), outcome=is_right)
            found += [said, known]
    return sorted(found, key=lambda event: event.at)


def fold_of(kept=()):
    made = InputFold(
        0, replace(RULES, label_horizon_s=HORIZON_S, tolerance=Tolerance(1e9, 1e4)), Watch(), MemoryStore()
    )
    for key, value in kept:
        made.restore(key, value)
    return made


def records(events, later=lambda event: 1.0):
    for offset, event in enumerate(events):
        topic = type(event).__name__.lower() + "s"
        yield Logged(topic, offset, round(1_000 * (event.at + later(event))), encode(event))


def tickets(events, later=lambda event: 1.0):
    made, found, judged = fold_of(), [], Watch()
    made._watch = judged
    log = [*records(events, later)]
    for first in range(0, len(log), BATCH):
        made.apply(log[first : first + BATCH])
        made.spill()
        found += [one for one in judged.tally.findings if one.severity == "ticket"]
    return found


def said(found):
    return [(one.state, one.model, one.metric, one.feature) for one in found]


def test_usual_weeks_are_no_ticket():
    assert tickets(usual(days=42)) == []


def test_a_model_that_falls_silent_is_one_ticket_until_it_is_back():
    back_at = BROKEN + 2 * DAY_S
    events = [one for one in usual() if one.model != "m" or not BROKEN <= one.at < back_at]
    opened, closed = tickets([one for one in events if not (one.model == "m" and type(one) is Outcome)])
    assert said([opened, closed]) == [
        ("open", "m", "traffic", "@traffic"),
        ("closed", "m", "traffic", "@traffic"),
    ]
    assert opened.id == closed.id
    assert BROKEN - HOUR_S < opened.onset_at <= BROKEN < opened.detected_at < BROKEN + 8 * HOUR_S
    assert back_at < closed.closed_at < back_at + 4 * HOUR_S
    assert (opened.after, opened.after_count) == (0.0, 0)
    assert opened.before > 0
    assert opened.summary.startswith("m: no prediction for ")


def test_time_without_any_events_says_nothing_of_one_model():
    until = BROKEN + 3 * DAY_S
    assert tickets([one for one in usual() if not BROKEN <= one.at < until]) == []


def test_a_model_whose_versions_have_retired_is_not_missed():
    gone = Rollout(model="m", version="v1", at=Instant(BROKEN), stage="retired")
    events = [one for one in usual() if one.model != "m" or one.at < BROKEN]
    assert tickets(sorted([*events, gone], key=lambda event: event.at)) == []


def test_labels_that_stay_out_are_one_ticket_until_they_come():
    back_at = BROKEN + 2 * DAY_S
    events = usual()
    kept = [
        one
        for one in events
        if not (one.model == "m" and type(one) is Outcome and BROKEN <= one.at < back_at)
    ]
    found = [one for one in tickets(kept) if one.feature == "@labels"]
    opened, closed = found
    assert said(found) == [("open", "m", "labels", "@labels"), ("closed", "m", "labels", "@labels")]
    assert BROKEN < opened.detected_at < BROKEN + 8 * HOUR_S
    assert back_at < closed.closed_at < back_at + 6 * HOUR_S  # four labels of a weekend's night


def test_labels_of_predictions_that_were_not_made_are_not_missed():
    found = tickets([one for one in usual() if one.model != "m" or one.at < BROKEN])
    assert [one.feature for one in found] == ["@traffic"]


def other_ids(event):
    return msgspec.structs.replace(event, prediction_id=f"x{event.prediction_id}")


@pytest.mark.parametrize(
    ("metric", "change"),
    [
        ("unmatched_rate", lambda one: [other_ids(one)]),
        ("duplicate_rate", lambda one: [one, one]),
        ("unlabelled_rate", lambda one: []),
    ],
)
def test_trouble_of_the_join_is_one_ticket_that_closes(metric, change):
    rng, events = np.random.default_rng(9), []
    for one in usual(days=40, daily=250):
        is_bad = type(one) is Outcome and one.model == "m" and BROKEN <= one.at < BROKEN + 7 * DAY_S
        events += change(one) if is_bad and rng.random() < 0.3 else [one]
    opened, closed = tickets(events)
    assert (opened.model, opened.metric, opened.feature, opened.state) == ("m", metric, "@join", "open")
    assert (closed.id, closed.state) == (opened.id, "closed")
    assert opened.after > 10 * opened.before
    assert BROKEN < opened.detected_at < BROKEN + 4 * DAY_S


def test_events_from_the_future_are_one_ticket():
    def ahead(event):
        is_bad = event.model == "m" and event.at >= BROKEN and hash(event.at) % 3 == 0
        return -120.0 if is_bad else -10.0

    events = usual(daily=250)
    assert tickets(events, lambda event: 0.0) == []
    found = tickets(events, ahead)
    assert [(one.model, one.metric, one.state) for one in found] == [("m", "clock_skew_rate", "open")]


@pytest.mark.parametrize("every", [997, 5_003])
def test_a_crash_changes_no_ticket(every):
    events = [one for one in usual() if one.model != "m" or not BROKEN <= one.at < BROKEN + DAY_S]
    log, outputs = [*records(events)], []
    made, kept = fold_of(), {}
    for number, record in enumerate(log, 1):
        made.apply([record])
        if not number % every:
            flush = made.freeze({"x": number})
            outputs += flush.outputs
            kept.update(flush.state)
            store = made._store
            assert not any(made.committed())
            made = InputFold(0, made._rules, Watch(), store)
            for key, value in kept.items():
                made.restore(key, value)
    outputs += made.freeze({"x": 0}).outputs
    calm = fold_of()
    for record in log:
        calm.apply([record])
    assert outputs == calm.freeze({"x": 0}).outputs
    assert outputs
    assert state.CLOCKS in kept


def test_the_budget_is_shared_by_the_kinds():
    assert Judgement().silence_odds(4) == pytest.approx(1 / (7 * 4 * 50))


ONE_TICKET = [("open", "m", "labels", "@labels"), ("closed", "m", "labels", "@labels")]


def of_labels(events):
    return [one for one in tickets(events) if one.feature == "@labels"]


@pytest.mark.parametrize("left", [0.05, 0.1])
def test_labels_that_trickle_in_an_outage_end_no_ticket(left):
    rng, back_at = np.random.default_rng(5), BROKEN + 3 * DAY_S
    kept = [
        one
        for one in usual(days=28, daily=300)
        if not (one.model == "m" and type(one) is Outcome and BROKEN <= one.at < back_at)
        or rng.random() < left
    ]
    found = of_labels(kept)
    assert said(found) == ONE_TICKET
    assert back_at < found[-1].closed_at < back_at + 6 * HOUR_S
    assert found[0].events_since_onset == found[1].events_since_onset == 0


def test_slow_labels_of_predictions_before_an_outage_end_no_ticket():
    made_at, kept = {}, []
    for one in usual(days=28, daily=300, delay_s=5 * HOUR_S):
        made_at.setdefault(one.prediction_id, one.at)
        is_lost = BROKEN <= made_at[one.prediction_id] < BROKEN + 2 * DAY_S
        if not (one.model == "m" and type(one) is Outcome and is_lost):
            kept.append(one)
    assert said(of_labels(kept)) == ONE_TICKET


def test_labels_of_a_model_that_was_retired_are_not_missed_for_ever():
    gone_at = BROKEN + DAY_S
    gone = Rollout(model="m", version="v1", at=Instant(gone_at), stage="retired")
    kept = [
        one
        for one in usual()
        if one.model != "m" or (one.at < gone_at and (type(one) is Prediction or one.at < BROKEN))
    ]
    found = of_labels(sorted([*kept, gone], key=lambda event: event.at))
    assert said(found) == ONE_TICKET
    assert gone_at + 2 * DAY_S < found[-1].closed_at < gone_at + 3 * DAY_S
