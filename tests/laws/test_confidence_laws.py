"""Estimates before labels: nothing of them depends on how the two topics interleave, nor on crashes."""

import random
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.detection.estimates import CASES, simulated
from stream.confidence import PARTS
from stream.estimate import LEARNED
from stream.events import Instant, Outcome, Prediction
from stream.fold import InputFold
from stream.wire import encode
from tests.laws.lives import RULES, Life, Logged

COHORT_S = 3_600.0
HORIZON_S = PARTS * COHORT_S
EACH = 30
"""Predictions that are made at one time, so that there are enough for an estimate."""
AT = st.floats(-2.5 * HORIZON_S, 3 * HORIZON_S)
DELAY_S = st.floats(0.0, 2.2 * HORIZON_S)
SCORES = st.sampled_from([0.1, 0.55, 0.9, None]) | st.fixed_dictionaries({"a": st.sampled_from([0.6, 0.95])})


HAPPENED = {
    False: {"right": True, "wrong": False, "odd": "no class of this model"},
    True: {"right": "a", "wrong": "b", "odd": True},
}
"""By whether text was said. An odd label can't be held against it; as a correction it takes out the former."""


class Scored(Life):
    """A life with a label horizon of some cohorts."""

    def new_fold(self):
        return InputFold(0, replace(RULES, label_horizon_s=HORIZON_S), self, self.store)

    def of_versions(self):
        """Return what is known of each version's confidence, when all is closed that can be."""
        found = {}
        for monitor in self.fold.monitors.values():
            self.fold.close_cohorts(monitor)
            found |= {name: one.confidence.state() for name, one in monitor.versions.items()}
        return found


def logs(rows):
    """Return both topics in the order of arrival: predictions as drawn, labels by when they became known."""
    predictions, outcomes, arrived = [], [], 0.0
    for number, (back_s, scores, version, labels) in enumerate(rows):
        arrived += COHORT_S / 2
        at = arrived + min(back_s, 0.0)
        for turn in range(EACH):
            name = f"{number}-{turn}"
            predictions.append(prediction(name, version, at, scores))
            for delay_s, kind in labels:
                happened = HAPPENED[isinstance(scores, dict)][kind if turn % 3 else "wrong"]
                outcomes.append(outcome(name, at + delay_s, happened))
    outcomes.sort(key=lambda one: one.at)
    end = arrived + 6 * HORIZON_S
    predictions.append(prediction("end", "end", end, None))
    outcomes.append(outcome("end", end, True))
    return {"predictions": records("predictions", predictions), "outcomes": records("outcomes", outcomes)}


def prediction(name, version, at, scores):
    said = "a" if isinstance(scores, dict) else True
    return Prediction(
        prediction_id=name, model="m", version=version, at=Instant(1e9 + at), prediction=said, scores=scores
    )


def outcome(name, at, happened):
    return Outcome(prediction_id=name, model="m", at=Instant(1e9 + at), outcome=happened)


def records(topic, events):
    return [Logged(topic, offset, round(1_000 * one.at), encode(one)) for offset, one in enumerate(events)]


KINDS = st.sampled_from(["right", "right", "wrong", "odd"])
LABELS = st.lists(st.tuples(DELAY_S, KINDS), max_size=3)
ROWS = st.lists(st.tuples(AT, SCORES, st.sampled_from("vw"), LABELS), min_size=4, max_size=40)


def taken(log, chance, losses):
    """Return a life that took the log, some records of a topic at a time; at some of them all is lost."""
    life = Scored(log)
    while left := [name for name in log if life.at[name] < len(log[name])]:
        name = chance.choice(left)
        until = min(life.at[name] + chance.randrange(1, 4 * EACH), len(log[name]))
        life.fold.apply(log[name][life.at[name] : until])
        life.at[name] = until
        if losses and chance.random() < 0.1:
            life.checkpoint()
            if chance.random() < 0.5:
                life.lose()
    return life


@settings(max_examples=60)
@given(ROWS, st.randoms(use_true_random=False))
def test_interleavings_and_lost_disks_change_nothing_of_an_estimate(rows, chance):
    log = logs(rows)
    known = taken(log, chance, losses=False).of_versions()
    assert taken(log, chance, losses=False).of_versions() == known
    assert taken(log, chance, losses=True).of_versions() == known


def test_these_lives_have_estimates_that_are_held():
    """What the law is about is there: a plain life of thirty hours holds some estimates."""
    rows = [(0.0, [0.1, 0.55, 0.9][number % 3], "v", [(600.0, "right")]) for number in range(60)]
    life = taken(logs(rows), random.Random(1), losses=True)
    life.of_versions()
    confidence = life.fold.monitors["m"].versions["v"].confidence
    assert confidence.held.batches > 5
    assert confidence.held.newest.realised == 2 / 3
    assert sum(confidence.calibration[1::3]) >= LEARNED


@pytest.mark.parametrize("kind", ["wrong", "odd"])
def test_a_corrected_label_moves_the_realised_accuracy(kind):
    rows = [(0.0, 0.9, "v", [(600.0, "right")]) for _ in range(60)]
    corrected = [*rows[:-1], (0.0, 0.9, "v", [(600.0, "right"), (1_200.0, kind)])]
    held = []
    for one in (rows, corrected):
        life = taken(logs(one), random.Random(2), losses=True)
        life.of_versions()
        held.append(life.fold.monitors["m"].versions["v"].confidence.held)
    assert held[0].batches == held[1].batches
    assert held[1].newest.realised < held[0].newest.realised
    assert held[1].newest.estimate.value == held[0].newest.estimate.value
    gone = held[0].newest.estimate.predictions - held[1].newest.estimate.predictions
    assert gone == (EACH * 2 // 3 if kind == "odd" else 0)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_bounds_hold_what_labels_say_while_the_concept_stays(case):
    """The short form of ``bench.detection.estimates``: some 60 batches, of which 95 % are nominal."""
    row = simulated(case, 500, 7, seed=3)
    assert row.batches > 60
    if case.name.startswith("concept"):
        assert row.coverage < 0.1
        assert row.error == pytest.approx(-0.1, abs=0.02)
    else:
        assert row.coverage > 0.85
        assert abs(row.error) < 0.01
    if case.name.startswith("covariate"):
        assert row.size < row.known_size / 3
