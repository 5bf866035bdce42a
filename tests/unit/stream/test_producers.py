"""A page names who began to send a model's events just before it got worse."""

import numpy as np
import pytest

from stream.events import Instant, Outcome, Prediction, Rollout
from stream.fold import InputFold
from stream.pending import MemoryStore
from stream.producers import DAY_S, KEPT, Producers
from stream.wire import encode
from tests.laws.lives import BEGAN_AT, RULES, Life, Logged

STEP_S = 1.0
BAD, SWITCHED = 2_000, 1_700


def prediction(i, at=None, model="m"):
    at = Instant(BEGAN_AT + i * STEP_S if at is None else at)
    return Prediction(prediction_id=f"p{i}", model=model, version="v1", at=at, prediction=True)


def outcome(i, happened):
    at = Instant(BEGAN_AT + i * STEP_S + 0.5)
    return Outcome(prediction_id=f"p{i}", model="m", at=at, outcome=happened)


def sent(topic, number, event, source):
    headers = (("ce_source", source.encode()),) if source else ()
    return Logged(topic, number, int(event.at * 1_000), encode(event), headers=headers)


def findings(*, predictions=lambda i: "", outcomes=lambda i: "", size=1):
    """Return the findings of a model that is wrong in 10, then 60 % of its predictions, in batches of a size."""
    told, rng, fold = [], np.random.default_rng(1), InputFold(0, RULES, Life({}), MemoryStore())
    fold._tell = lambda found, tally: told.extend(found)
    log = []
    for i in range(BAD + 400):
        happened = bool(rng.random() > (0.1 if i < BAD else 0.6))
        log.append(sent("predictions", i, prediction(i), predictions(i)))
        log.append(sent("outcomes", i, outcome(i, happened), outcomes(i)))
    for first in range(0, len(log), size):
        fold.apply(log[first : first + size])
    return told


def since(i):
    return lambda at: "/checkout/2.4" if at >= i else "/checkout/2.3"


@pytest.mark.parametrize("what", ["predictions", "outcomes"])
def test_a_producer_that_is_new_before_the_onset_is_named(what):
    (page,) = findings(**{what: since(SWITCHED)})
    (cause,) = page.causes
    assert cause.startswith(f"new producer of {what} /checkout/2.4, ")
    assert cause.endswith((" 4 min before the onset", " 5 min before the onset", " 6 min before the onset"))


@pytest.mark.parametrize("source", [lambda i: "", lambda i: "/checkout/2.3", since(BAD + 100)])
def test_nobody_is_named_who_was_there_before_or_came_later(source):
    (page,) = findings(predictions=source, outcomes=source)
    assert page.causes == ()


def test_a_service_that_runs_in_many_places_is_not_named():
    (page,) = findings(predictions=lambda i: f"pod-{i % 9}" if i >= SWITCHED else "pod-0")
    assert page.causes == ()


def heard(producers, i, source, at=None):
    event = prediction(i, at=at)
    is_news = producers.is_news(event, source)
    if is_news:
        producers.hear(event, source)
    return is_news


def test_what_is_remembered_has_a_bound():
    producers = Producers()
    for i in range(3 * KEPT):
        heard(producers, i, f"pod-{i}")
    assert list(producers.predictions) == [f"pod-{i}" for i in range(KEPT)]
    assert heard(producers, 0, "x" * 900, BEGAN_AT + 2 * DAY_S)
    assert (len(producers.predictions), "pod-0" in producers.predictions) == (KEPT, False)
    assert not heard(producers, 0, "x" * 901, BEGAN_AT + 2 * DAY_S)


def test_who_still_sends_is_not_forgotten():
    producers, first = Producers(), {}
    for hour in range(24 * 40):
        for pod in range(KEPT + 4):
            if hour >= pod * 24:
                heard(producers, 0, f"pod-{pod}", BEGAN_AT + 3_600.0 * hour)
        for name, times in producers.predictions.items():
            assert first.setdefault(name, times[0]) == times[0]
    assert list(producers.predictions) == [f"pod-{pod}" for pod in range(KEPT)]


@pytest.mark.parametrize("size", [7, 4_800])
def test_who_is_named_does_not_depend_on_how_records_come(size):
    one_by_one = findings(predictions=since(SWITCHED))
    assert findings(predictions=since(SWITCHED), size=size) == one_by_one


def test_a_rollout_has_no_producer():
    event = Rollout(model="m", version="v1", at=Instant(BEGAN_AT), stage="live")
    assert not Producers().is_news(event, "/deploy")
