"""The oracle against cases counted by hand, and what the load must contain to be worth storming."""

import json
from collections import Counter

import pytest

from tests.chaos import load, oracle
from tests.chaos.service import MODEL_REASONS, differences

H = 100.0


def predicted(name, at, label="yes"):
    return json.dumps(
        {
            "prediction_id": name,
            "model": "m",
            "version": "v",
            "at": at,
            "prediction": label,
            "slices": {"a": 1},
        }
    )


def known(name, at, label="yes"):
    return json.dumps({"prediction_id": name, "model": "m", "at": at, "outcome": label})


def counted(predictions, outcomes):
    counts = oracle.expected(predictions, outcomes, H).models["m"]
    return {name: count for name, count in counts.items() if count}


CASES = [
    ("an outcome in time", [predicted("p", 0)], [known("p", 100)], {"matched": 1}),
    ("no outcome", [predicted("p", 0)], [], {"unmatched_prediction": 1}),
    ("no prediction", [], [known("p", 0)], {"unmatched_outcome": 1}),
    (
        "an outcome that happened late",
        [predicted("p", 0)],
        [known("p", 101)],
        {"late": 1, "unmatched_prediction": 1},
    ),
    (
        "an outcome that came late",
        [predicted("p", 0)],
        [known("q", 101), known("p", 5)],
        {"late": 1, "unmatched_prediction": 1, "unmatched_outcome": 1},
    ),
    (
        "a prediction that came after its outcome was given up",
        [predicted("q", 106), predicted("p", 0)],
        [known("p", 5)],
        {"unmatched_prediction": 2, "unmatched_outcome": 1},
    ),
    (
        "an outcome two horizons later",
        [predicted("p", 0)],
        [known("q", 201), known("p", 5)],
        {"unmatched_prediction": 1, "unmatched_outcome": 2},
    ),
    (
        "a prediction twice",
        [predicted("p", 0), predicted("p", 0)],
        [known("p", 5)],
        {"matched": 1, "duplicate_prediction": 1},
    ),
    (
        "an outcome twice",
        [predicted("p", 0)],
        [known("p", 5), known("p", 5)],
        {"matched": 1, "duplicate_outcome": 1},
    ),
    (
        "a correction",
        [predicted("p", 0)],
        [known("p", 5), known("p", 6, "no")],
        {"matched": 1, "corrected": 1},
    ),
    (
        "an older second opinion",
        [predicted("p", 0)],
        [known("p", 5), known("p", 4, "no")],
        {"matched": 1, "duplicate_outcome": 1},
    ),
    (
        "a correction that came too late",
        [predicted("p", 0)],
        [known("p", 5), known("q", 101), known("p", 6, "no")],
        {"matched": 1, "duplicate_outcome": 1, "unmatched_outcome": 1},
    ),
]


@pytest.mark.parametrize(
    ("predictions", "outcomes", "wanted"), [case[1:] for case in CASES], ids=[c[0] for c in CASES]
)
def test_the_oracle_counts_as_one_would_by_hand(predictions, outcomes, wanted):
    assert counted(predictions, outcomes) == wanted


def test_a_correction_moves_the_loss():
    series = oracle.expected([predicted("p", 0)], [known("p", 5), known("p", 6, "no")], H).series
    assert series[oracle.Series("m", "v", "all")]["loss_total"] == 1
    assert series[oracle.Series("m", "v", "a=1")]["loss_total"] == 1


def test_a_wrong_count_and_an_absent_series_are_told():
    wanted = oracle.expected([predicted("p", 0)], [known("p", 5)], H)
    row = {"kind": "series", "model": "m", "version": "v", "slice": "all", "metric": "accuracy"}
    others = dict.fromkeys(("late", "duplicates", "corrected", "unmatched", "loss_total"), 0)
    told = differences([row | others | {"predictions": 2, "figure": 1.0}], wanted)
    assert told == [
        "m/v/all: predictions 2: want 1",
        "m/v/all: outcomes None: want 1",
        "m/v/a=1: not in the figures",
        "m: not in the figures",
    ]


def test_the_same_seed_makes_the_same_load():
    shape = load.Shape(events=2_000)
    assert load.build(3, shape, 1e9) == load.build(3, shape, 1e9) != load.build(4, shape, 1e9)


def test_the_load_has_every_fate_poison_and_misrouted_records():
    shape = load.Shape(events=20_000)
    records = load.build(3, shape, 1e9)
    found = Counter()
    for partition in range(shape.partitions):
        lines = [
            [
                one.value
                for one in records
                if one.topic == topic
                and one.kind == "event"
                and load.home_of(one.key.decode(), shape.partitions) == partition
            ]
            for topic in ("predictions", "outcomes")
        ]
        for counts in oracle.expected(*lines, load.HORIZON_S).models.values():
            found.update(counts)
    assert set(found) == set(MODEL_REASONS)
    assert min(found.values()) > 20
    assert {one.kind for one in records} == {"event", "poison"}
    assert any(one.source == load.LEGACY for one in records)
