"""A partition takes so many models; beyond them a new one is refused, and nothing else changes."""

from dataclasses import replace

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from stream import state
from stream.events import Instant, Outcome, Prediction, Rollout
from stream.wire import encode
from tests.laws.lives import BEGAN_AT, HORIZON_S, RULES, Life, Logged, undisturbed

BUDGET = 2


def predicted(model, after_s=0.0, name="p"):
    return Prediction(
        prediction_id=name, model=model, version="v", at=Instant(BEGAN_AT + after_s), prediction="x"
    )


def known(model, after_s=0.0, name="p"):
    return Outcome(prediction_id=name, model=model, at=Instant(BEGAN_AT + after_s), outcome="x")


def rolled_out(model, stage="live"):
    return Rollout(model=model, version="v", at=Instant(BEGAN_AT), stage=stage)


def logged(event, offset):
    topic = type(event).__name__.lower() + "s"
    return Logged(topic, offset, round(1_000 * event.at), encode(event))


class Bounded(Life):
    """A partition's life with a budget of models, and what it refused so far."""

    def __init__(self, events=(), budget=BUDGET):
        self.budget, self.refused = budget, []
        super().__init__({"predictions": [], "outcomes": [], "rollouts": []})
        for event in events:
            self.log_of(event)

    def new_fold(self):
        fold = super().new_fold()
        rules = replace(RULES, model_budget=self.budget)
        return type(fold)(0, rules, self, self.store)

    def folded(self, tally):
        super().folded(tally)
        self.refused += tally.refused

    def log_of(self, event):
        records = self.log[type(event).__name__.lower() + "s"]
        records.append(logged(event, len(records)))
        return records[-1]

    def fold_all(self, *events):
        """Fold events, one batch."""
        batch = [self.log_of(event) for event in events]
        self.fold.apply(batch)
        for record in batch:
            self.at[record.topic] = record.offset + 1

    def letters(self):
        """Return the dead letters so far: what was refused, and why."""
        self.checkpoint()
        return [
            (one.value, {name: value.decode() for name, value in one.headers})
            for one in self.outputs
            if one.topic == "dead-letters"
        ]

    def counts(self):
        return {model: one.counts for model, one in self.fold.monitors.items()}


def test_the_first_prediction_of_a_model_too_many_is_refused_and_known_ones_go_on():
    life = Bounded()
    life.fold_all(predicted("a"), predicted("b"), predicted("c"), predicted("b", name="again"), known("b"))
    assert list(life.fold.monitors) == ["a", "b"]
    assert life.told == {"predictions": 3, "outcomes": 1, "matched": 1}
    assert life.refused == ["too_many_models"]
    [(value, why)] = life.letters()
    assert value == encode(predicted("c"))
    assert why == {
        "tidewatch_reason": "too_many_models",
        "tidewatch_error": 'model "c": want one of the 2 models of this partition:'
        " there is no room for another (worker.model_budget 2)",
        "tidewatch_source": "predictions/0/2",
    }


def test_a_refused_prediction_moves_no_clock_and_waits_for_nothing():
    life = Bounded()
    life.fold_all(predicted("a"), predicted("b"))
    pending, until, at = life.fold.join.pending, life.fold.join.predicted_until, life.fold._clock.at
    life.fold_all(predicted("c", 10.0))
    assert (life.fold.join.pending, life.fold.join.predicted_until, life.fold._clock.at) == (
        pending,
        until,
        at,
    )


def test_an_outcome_of_a_refused_model_finds_no_prediction():
    life = Bounded()
    life.fold_all(predicted("a"), predicted("b"), predicted("c"), known("c"))
    life.fold_all(predicted("a", 2 * HORIZON_S, "end"))
    assert life.told["unmatched_outcome"] == 1
    assert life.told["matched"] == 0
    assert list(life.fold.monitors) == ["a", "b"]


def test_models_of_which_only_rollouts_came_are_bounded_apart():
    life = Bounded()
    life.fold_all(*(rolled_out(model) for model in "abc"), rolled_out("a", "retired"))
    assert list(life.fold.monitors) == ["a", "b"]
    assert life.fold.monitors["a"].rollouts["v"][1] == "retired"
    [(value, why)] = life.letters()
    assert value == encode(rolled_out("c"))
    assert why["tidewatch_error"].startswith('model "c": want a model with predictions: there is no room')
    life.fold_all(predicted("d"), predicted("b"), rolled_out("c"), predicted("e"))
    assert list(life.fold.monitors) == ["a", "b", "d", "c"], "b has left room for c, e came too late"


def test_rollouts_of_a_model_with_predictions_are_never_refused():
    life = Bounded()
    life.fold_all(rolled_out("c"), rolled_out("d"), predicted("a"), predicted("b"))
    life.fold_all(rolled_out("a"), rolled_out("b"))
    assert life.refused == []
    assert all(life.fold.monitors[model].rollouts for model in "abcd")


ORDERS = st.lists(st.sampled_from("abcde"), max_size=12)


@given(ORDERS, ORDERS, st.randoms(use_true_random=False), st.integers(1, 5))
def test_who_is_judged_depends_on_the_order_of_predictions_alone(models, released, rng, size):
    predictions = [predicted(model, n, str(n)) for n, model in enumerate(models)]
    steps = [*predictions, *(rolled_out(model) for model in released)]
    places = rng.sample(range(len(steps)), len(predictions))
    in_order = iter(predictions)
    rest = iter(steps[len(predictions) :])
    mixed = [next(in_order) if n in places else next(rest) for n in range(len(steps))]
    alone, beside = Bounded(), Bounded()
    alone.fold_all(*predictions)
    for first in range(0, len(mixed), size):
        beside.fold_all(*mixed[first : first + size])
    judged = {model: one for model, one in beside.fold.monitors.items() if one.versions}
    assert list(alone.fold.monitors) == list(dict.fromkeys(models))[:BUDGET]
    assert judged.keys() == alone.fold.monitors.keys()
    assert beside.told["predictions"] == alone.told["predictions"]
    refused = [value for value, _ in beside.letters() if b'"prediction"' in value]
    assert refused == [value for value, _ in alone.letters()]


@st.composite
def lives(draw):
    """Return events of more models than there is room for, and a life over them; an id is of one prediction."""
    events, history = [], []
    for number in range(draw(st.integers(4, 12))):
        model, at = draw(st.sampled_from("abcd")), number * 15.0
        made = draw(st.sampled_from([predicted, predicted, known, rolled_out]))
        events.append(made(model) if made is rolled_out else made(model, at, draw(st.sampled_from("pq"))))
        history.append(type(events[-1]).__name__.lower() + "s")
        if draw(st.booleans()):
            history.append(draw(st.sampled_from(["checkpoint", "loss", "kill"])))
    for event in (predicted("a", 9_000.0, "end"), known("a", 9_000.0, "end")):  # gives up all that waits
        events.append(event)
        history.append(type(event).__name__.lower() + "s")
    return events, history


LOST_AFTER_A_REFUSAL = (
    [
        predicted("a"),
        predicted("b"),
        predicted("c"),
        known("c"),
        predicted("a", 9_000.0, "end"),
        known("a", 9_000.0, "end"),
    ],
    ["predictions"] * 3 + ["loss", "outcomes", "predictions", "outcomes"],
)


@settings(max_examples=200)
@given(lives())
@example(LOST_AFTER_A_REFUSAL)
def test_a_lost_disk_or_a_kill_changes_nothing_of_what_was_refused(life):
    events, history = life
    assert Bounded(events).run(history) == Bounded(events).run(undisturbed(history))


@pytest.mark.parametrize("is_lost", [False, True])
def test_a_model_that_found_room_later_begins_with_its_first_prediction_that_was_taken(is_lost):
    life = Bounded()
    life.fold_all(predicted("a"), predicted("b"), rolled_out("d"))
    life.fold_all(predicted("c", 1.0, "refused"), predicted("d", 1.0, "refused"))
    life.budget = 4
    life.checkpoint()
    life.lose()
    life.fold_all(predicted("c", 2.0, "taken"), predicted("d", 2.0, "taken"))
    if is_lost:
        life.checkpoint()
        life.lose()
    assert life.fold.join.pending == 4
    life.fold_all(*(known(model, 3.0, name) for model in "cd" for name in ("refused", "taken")))
    assert {model: life.counts()[model] for model in "cd"} == {"c": {"matched": 1}, "d": {"matched": 1}}


def test_a_dead_letter_that_is_sent_again_once_there_is_room_counts():
    life = Bounded()
    life.fold_all(predicted("a"), predicted("b"), predicted("c"))
    life.budget = 3
    life.checkpoint()
    life.lose()
    life.fold_all(predicted("c"), known("c"))
    assert life.counts()["c"] == {"matched": 1}


def test_a_lower_budget_keeps_who_is_in_and_refuses_who_is_new():
    life = Bounded(budget=3)
    life.fold_all(*(predicted(model) for model in "abc"))
    life.budget = 1
    life.checkpoint()
    life.lose()
    life.fold_all(known("a"), known("c"), predicted("b", name="again"), predicted("d"))
    assert life.fold.monitors.keys() == set("abc")
    assert life.told["matched"] == 2
    assert life.refused == ["too_many_models"]


def test_what_is_being_written_of_a_rollout_does_not_show_the_prediction_after_it():
    life = Bounded()
    life.fold_all(rolled_out("a"))
    flush = life.fold.freeze(life.at)
    life.fold_all(predicted("a"))
    written = dict(flush.state)
    assert state.load(written[b"a"]).first is None
    assert life.fold.monitors["a"].first == ("predictions", 0)


def test_a_model_of_an_older_release_has_no_beginning_and_is_in():
    life = Bounded()
    life.fold_all(predicted("a"), predicted("b"))
    for monitor in life.fold.monitors.values():
        monitor.first = None
    life.checkpoint()
    life.lose()
    assert life.fold.join.pending == 2, "none of its predictions is taken for refused"
    life.fold_all(known("a"), predicted("c"))
    assert life.told["matched"] == 1
    assert life.refused == ["too_many_models"]
