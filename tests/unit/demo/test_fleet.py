"""The company: a seed decides everything, and its labels are as late, repeated and corrected as real ones."""

import itertools
from collections import Counter, defaultdict

import numpy as np
import pytest

from stream.demo.fleet import (
    COUNTRIES,
    DEFAULT_TEAM,
    KINDS,
    SLICES,
    TEAMS,
    VERSIONS,
    Fleet,
    Plan,
    Timed,
    make_plan,
    team_of,
)
from stream.events import Outcome, Prediction

START = 1_764_000_000.0


def traffic(seed: int, plan: Plan | None = None, count: int = 4_000) -> list[Timed]:
    return [*Fleet(np.random.default_rng(seed), plan).traffic(START, 60.0, count)]


def plan(where: str) -> Plan:
    return Plan("fraud.us", VERSIONS[0], where, "trust", "accuracy", START + 20, START + 40)


@pytest.fixture(scope="module")
def events() -> list[Timed]:
    return traffic(1)


def by_id(events: list[Timed]) -> tuple[dict[str, Timed], dict[str, list[Timed]]]:
    predictions, outcomes = {}, defaultdict(list)
    for timed in events:
        if isinstance(timed.event, Prediction):
            predictions[timed.event.prediction_id] = timed
        elif isinstance(timed.event, Outcome):
            outcomes[timed.event.prediction_id].append(timed)
    return predictions, outcomes


def test_the_same_seed_gives_the_same_events_and_another_one_others(events):
    assert traffic(1) == events
    assert traffic(2) != events


def test_the_same_seed_gives_the_same_secret():
    plans = [make_plan(np.random.default_rng(seed), 1.0, 2.0) for seed in (7, 7, 8)]
    assert plans[0] == plans[1] != plans[2]


def test_the_secret_may_be_any_kind_any_country_and_any_slice():
    plans = [make_plan(np.random.default_rng(seed), 0.0, 1.0) for seed in range(600)]
    assert {one.model.partition(".")[0] for one in plans} == set(KINDS)
    assert {one.model.partition(".")[2] for one in plans} == set(COUNTRIES)
    assert {one.slice for one in plans} == set(SLICES)
    assert all(one.team == team_of(one.model) for one in plans)


def test_every_model_has_one_team_and_a_model_of_no_team_the_default_one():
    owned = [kind for kinds in TEAMS.values() for kind in kinds]
    assert len(owned) == len(set(owned))
    assert {team_of(f"{kind}.us") for kind in KINDS} == {*TEAMS, DEFAULT_TEAM}


def test_all_models_versions_and_slices_have_traffic(events):
    predictions, _ = by_id(traffic(3, count=20_000))
    seen = Counter((one.event.model, one.event.version) for one in predictions.values())
    assert len(seen) == len(KINDS) * len(COUNTRIES) * len(VERSIONS)
    models = Counter(one.event.model for one in predictions.values())
    assert max(models.values()) < 4 * min(models.values())


def test_labels_come_seconds_late_and_some_before_their_prediction(events):
    predictions, outcomes = by_id(events)
    delays = [
        ones[0].event.at - predictions[name].event.at
        for name, ones in outcomes.items()
        if name in predictions
    ]
    assert all(delay > 0 for delay in delays)
    assert 1.0 < np.median(delays) < 2.5
    assert max(delays) > 5
    early = [name for name, ones in outcomes.items() if ones[0].sent_at < predictions[name].sent_at]
    assert 0.003 < len(early) / len(outcomes) < 0.03


def test_labels_are_out_of_order(events):
    _, outcomes = by_id(events)
    firsts = sorted((ones[0] for ones in outcomes.values()), key=lambda timed: timed.sent_at)
    order = [int(timed.event.prediction_id[1:]) for timed in firsts]
    assert sum(b < a for a, b in itertools.pairwise(order)) > len(order) / 10


def test_some_labels_never_come_some_come_twice_and_some_are_corrected(events):
    predictions, outcomes = by_id(events)
    assert 0.003 < 1 - len(outcomes) / len(predictions) < 0.03
    repeated = [ones for ones in outcomes.values() if len(ones) == 2 and ones[0].event == ones[1].event]
    corrected = [ones for ones in outcomes.values() if len({one.event.outcome for one in ones}) == 2]
    assert 0.003 < len(repeated) / len(outcomes) < 0.03
    assert 0.001 < len(corrected) / len(outcomes) < 0.03
    for ones in corrected:
        last = max(ones, key=lambda one: one.event.at)
        assert last.sent_at == max(one.sent_at for one in ones)
        assert last.event.outcome == ones[0].event.outcome


@pytest.mark.parametrize("where", SLICES)
def test_only_the_secret_slice_of_the_secret_version_gets_worse_and_only_then(where):
    secret = plan(where)
    predictions, outcomes = by_id(traffic(4, secret, count=60_000))
    wrong = defaultdict(list)
    for name, ones in outcomes.items():
        one = predictions[name].event
        if one.model != secret.model:
            continue
        is_hurt = secret.hurts(one.model, one.version, one.slices["tier"], one.at)
        final = max(ones, key=lambda timed: timed.event.at).event
        wrong[is_hurt].append(one.prediction != final.outcome)
    assert np.mean(wrong[False]) < 0.12
    assert np.mean(wrong[True]) > 0.3


def test_without_a_plan_nobody_degrades(events):
    predictions, outcomes = by_id(events)
    fraud = [
        predictions[name].event.prediction != ones[0].event.outcome
        for name, ones in outcomes.items()
        if predictions[name].event.model.startswith("fraud.")
    ]
    assert np.mean(fraud) < 0.12
