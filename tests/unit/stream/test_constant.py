"""A model whose answer is stuck is told by the length of the run, whether or not its reference is learned."""

from itertools import pairwise
from math import log, sin, tau

import numpy as np
import pytest

from stream import state
from stream.constant import rarity
from stream.drift import DAY_S
from stream.events import Instant, Prediction
from stream.instant import in_words
from stream.joined import Served
from stream.monitor import Monitor
from stream.reference import Reference
from stream.repeats import Repeats
from stream.version import Judgement

JUDGEMENT = Judgement()


def play(answer, *, daily=300, days=14, monitor=None, start=0, stop=None, seed=3):
    """Fold what one model says, ``answer(day, rng)`` so often a day; return its findings and the monitor."""
    rng, monitor, found = np.random.default_rng(seed), monitor or Monitor("m"), []
    for i in range(days * daily):
        at, said = i * DAY_S / daily, answer(i / daily, rng)
        if not start <= i < (stop or days * daily):
            continue
        one = Prediction(prediction_id="p", model="m", version="v", at=Instant(at), prediction=said)
        served = Served("p", "m", "v", at, said, False, ("all",))
        found += monitor.predicted(one, served, JUDGEMENT)
    return found, monitor


def stuck(since, until=1e9):
    return lambda day, rng: 49.5 if since <= day < until else float(rng.normal(50.0, 5.0))


@pytest.mark.parametrize("since", [2.5, 5.0, 9.0])
@pytest.mark.parametrize("daily", [300, 3_000])
def test_an_answer_that_is_stuck_is_one_ticket(since, daily):
    (ticket,) = play(stuck(since), daily=daily)[0]
    assert (ticket.feature, ticket.metric, ticket.severity) == ("@prediction", "constant_rate", "ticket")
    assert "the prediction: always 49.5, " in ticket.summary
    assert ticket.before < 0.2 < ticket.after == 1.0
    assert ticket.detected_at <= (since + 2.2) * DAY_S
    assert ticket.onset_at == pytest.approx(since * DAY_S)
    assert ticket.summary.endswith(f"in a row since {in_words(since * DAY_S)}.")


def test_a_count_that_is_stuck_is_one_ticket():
    (ticket,) = play(lambda day, rng: 49 if day >= 3.0 else int(rng.normal(50.0, 15.0)))[0]
    assert "the prediction: always 49, " in ticket.summary
    assert ticket.before < 0.2


def test_a_ticket_counts_on_from_versions_that_were_forgotten():
    (ticket,) = play(stuck(5.0), monitor=Monitor("m", forgotten_episode=4))[0]
    assert ticket.episode == 5


def test_it_closes_when_the_answer_varies_and_is_not_learned_as_usual():
    found, monitor = play(stuck(3.0, 8.0), days=20)
    opened, closed = found
    assert (opened.id, opened.state, closed.state) == (closed.id, "open", "closed")
    assert closed.closed_at == pytest.approx(8.0 * DAY_S, abs=600.0)
    assert closed.onset_at == opened.onset_at == pytest.approx(3.0 * DAY_S, abs=600.0)
    reference = monitor.versions["v"].reference.features["@prediction"].reference
    assert max(reference) < 0.35 * sum(reference)


def test_a_monitor_that_went_through_bytes_tells_the_same():
    whole, _ = play(stuck(3.0, 8.0))
    for cut in (1_000, 1_800):
        first, monitor = play(stuck(3.0, 8.0), stop=cut)
        rest, _ = play(stuck(3.0, 8.0), monitor=state.load(state.dump(monitor)), start=cut)
        assert first + rest == whole


def test_a_run_that_an_older_state_only_counted_begins_anew():
    reference = play(stuck(3.0), days=3)[1].versions["v"].reference
    written = state._write(reference)
    again = state._read(Reference, written[:4])
    assert again.repeats == Repeats()
    assert state._read(Reference, written).repeats == reference.repeats != Repeats()


QUIET = {
    "always the same": lambda day, rng: "yes",
    "nearly always the same": lambda day, rng: "yes" if rng.random() < 0.995 else "no",
    "nothing at night": lambda day, rng: max(float(sin(tau * day)) * float(rng.random()), 0.0),
    "one class after the other": lambda day, rng: "abc"[int(3.0 * day) % 3],
    "nothing at weekends": lambda day, rng: "no" if day % 7.0 >= 5.0 and rng.random() < 0.97 else "yes",
}


@pytest.mark.parametrize("kind", QUIET)
def test_what_is_usual_is_no_ticket(kind):
    assert play(QUIET[kind], daily=2_500, days=22)[0] == []


@pytest.mark.parametrize("share", [0.9, 0.98, 0.995, 0.999])
def test_false_tickets_a_day_are_fewer_than_the_budget_allows(share):
    """Runs of answers at random, each held against the answers before it in its week."""
    rng, limit, told, size = np.random.default_rng(1), 100.0, 0, 20_000
    for _ in range(100):
        others = np.flatnonzero(rng.random(size) >= share)
        starts = others[others >= 200]
        for start, end in pairwise([*starts, size]):
            run = end - start - 1
            if run >= 500:
                before = int(start) + 1
                rare = before - int(np.searchsorted(others, start, side="right"))
                told += rarity(rare, before, int(run)) <= -log(limit)
    assert told <= 100 * 7 / limit


def test_a_model_that_always_says_the_same_has_nothing_to_hold_its_run_against():
    """Not even with a budget in which every drift would be a ticket."""
    judgement, monitor, found = Judgement(models_per_team=1, false_pages_per_week=7.0), Monitor("m"), []
    for i in range(3_000):
        at = 100.0 * i
        said = Prediction(prediction_id=f"p{i}", model="m", version="v1", at=Instant(at), prediction="no")
        served = Served(f"p{i}", "m", "v1", at, "no", False, ("all",))
        found += monitor.predicted(said, served, judgement)
    assert found == []
