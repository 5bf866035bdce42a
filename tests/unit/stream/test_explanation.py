"""Why a model got worse: seeded streams whose inputs move with and without harm."""

import re

import numpy as np
import pytest

from stream import state
from stream.entry import Codec
from stream.events import Instant, Outcome, Prediction
from stream.explanation import part_of, when
from stream.join import Join
from stream.monitor import Monitor
from stream.pending import MemoryStore
from stream.rows import ABSENT, ROWS, Row, Rows
from stream.version import Judgement

HURT = 4_000
JUDGEMENT = Judgement()


def play(features, wrong, *, events=5_500, seed=1, judgement=JUDGEMENT):
    """Fold a stream of one model; ``features(i, rng)`` and the error rate ``wrong(i, features, slices)``."""
    rng = np.random.default_rng(seed)
    monitor, join = Monitor("m"), Join(1e9, 100_000, MemoryStore(), 100_000)
    found = []
    for i in range(events):
        values = features(i, rng)
        slices = {"tier": "abc"[rng.integers(3)], "country": ("br", "us")[rng.integers(2)]}
        outcome = bool(rng.random() >= wrong(i, values, slices))
        one = Prediction(
            prediction_id=str(i),
            model="m",
            version="v",
            at=Instant(60.0 * i),
            prediction=True,
            features=values,
            slices=slices,
        )
        served = join.predict(one)[0].served
        monitor.predicted(one, served, judgement)
        join.remember(served, monitor.bins(one))
        known = Outcome(prediction_id=str(i), model="m", at=Instant(60.0 * i + 30), outcome=outcome)
        found += monitor.take(join.know(known)[0], judgement, None)[1]
    return [one for one in found if one.state == "open" and one.severity == "page"], monitor


def both_move(i, rng):
    moved = i >= HURT
    return {
        "calm": float(rng.normal()),
        "harmless": float(rng.normal() + 4.0 * (moved and rng.random() < 0.7)),
        "guilty": None if moved and rng.random() < 0.4 else float(rng.normal()),
    }


def guilty_hurts(i, values, slices):
    return 0.5 if values["guilty"] is None else 0.08


def test_the_input_that_carries_the_loss_is_named_before_one_that_moved_without_harm():
    told = [play(both_move, guilty_hurts, seed=seed)[0][0].causes[:2] for seed in range(8)]
    assert not [first for first, _ in told if "harmless" in first and "explains" in first]
    assert sum(first.startswith("feature guilty moved and explains ") for first, _ in told) >= 6
    assert sum(second.startswith("feature harmless moved without harm") for _, second in told) >= 4


KINDS = {
    "nulls": (None, r"; 0\.\d+ of the values are missing \(before: 0\)$"),
    "words": ("zebra", r"; new categories \(zebra\): 0\.\d+ \(before: 0\)$"),
    "range": (1e6, r"; 0\.\d+ of the values are out of range \(before: 0\.00\d+\)$"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_cause_says_what_about_the_input_moved(kind):
    broken, words = KINDS[kind]

    def guilty(i, rng):
        usual = "ab"[i % 2] if kind == "words" else float(rng.uniform())
        return {"guilty": broken if i >= HURT and rng.random() < 0.4 else usual}

    found, _ = play(guilty, lambda i, values, slices: 0.6 if values["guilty"] == broken else 0.08)
    assert found[0].causes[0].startswith("feature guilty moved and explains ")
    assert re.search(words, found[0].causes[0])


def test_an_input_that_always_goes_round_with_the_hours_is_no_cause():
    def features(i, rng):
        moved = i >= 15_000 and rng.random() < 0.4
        return {"hour": float(i % 1_440 // 60), "guilty": None if moved else float(rng.normal())}

    (page,), monitor = play(features, guilty_hurts, events=15_600)
    assert "guilty" in page.causes[0]
    assert not [one for one in page.causes if "hour" in one]
    kept = state.load(state.dump(monitor)).versions["v"].reference.features["hour"]
    assert kept.usual == monitor.versions["v"].reference.features["hour"].usual > 0.5


def test_an_input_that_moved_altogether_is_named_and_not_accused():
    found, _ = play(
        lambda i, rng: {"unit": float(rng.normal() + 100.0 * (i >= HURT))},
        lambda i, values, slices: 0.4 if i >= HURT else 0.08,
    )
    assert found[0].causes[0].startswith("feature unit moved: population stability index")


@pytest.mark.parametrize("seed", range(4))
def test_an_input_that_moved_outside_of_the_harmed_slice_as_well_is_not_accused(seed):
    found, _ = play(
        lambda i, rng: {"unit": float(rng.normal() + 100.0 * (i >= HURT))},
        lambda i, values, slices: 0.5 if i >= HURT and slices["tier"] == "a" else 0.08,
        seed=seed,
    )
    assert found[0].slice == "tier=a"
    assert found[0].causes[0].startswith("feature unit moved without harm, as much outside of the slice: ")


@pytest.mark.parametrize("seed", range(5))
def test_the_part_of_slices_that_is_harmed_is_named(seed):
    def hurt(i, values, slices):
        return 0.7 if i >= HURT and slices == {"tier": "a", "country": "br"} else 0.08

    found, _ = play(lambda i, rng: {}, hurt, seed=seed)
    # the page names one of the two, its first cause the pair
    assert found[0].slice in ("tier=a", "country=br")
    assert sorted(found[0].causes[0].partition(": ")[0].split(" and ")) == ["country=br", "tier=a"]


@pytest.mark.parametrize("seed", [0, 2, 3, 4, 5])
def test_a_slice_that_is_harmed_as_a_whole_has_no_pair(seed):
    found, _ = play(
        lambda i, rng: {},
        lambda i, values, slices: 0.5 if i >= HURT and slices["tier"] == "a" else 0.08,
        seed=seed,
    )
    assert (found[0].slice, found[0].causes) == ("tier=a", ())


def test_a_slice_value_that_was_never_seen_before_is_named():
    seen = []

    def tiers(i, values, slices):
        if i >= HURT and i % 5 == 0:
            slices["country"] = "new"
        seen.append(slices["country"])
        return 0.6 if slices["country"] == "new" else 0.08

    found, _ = play(lambda i, rng: {}, tiers)
    assert "new" not in seen[:HURT]
    assert "country=new" in f"{found[0].slice} {found[0].causes}"


def test_a_slice_value_beyond_the_budget_is_named():
    def countries(i, values, slices):
        slices["country"] = f"c{i * i % 397 % 60}" if i % 4 else "late" if i > 400 else "c1"
        return 0.6 if i >= HURT and slices["country"] == "late" else 0.08

    found, monitor = play(lambda i, rng: {}, countries, judgement=Judgement(slice_budget=20))
    assert len(monitor.versions["v"].series) <= 20 + 2
    assert found[0].slice in {"all", "country=__other__"}
    assert found[0].causes[0].startswith("country=late: ")


def test_no_rows_name_no_pair():
    assert part_of([], 0.1, "all", ()) is None
    assert part_of([Row(0.0, 1.0, ("all", "a=1", "b=2"), b"")], 0.1, "all", ()) is None


def test_a_ring_keeps_the_newest_rows_and_survives_bytes():
    rows, wanted = Rows(), []
    for i in range(3 * ROWS):
        slices, bins = ("all", f"id={i}"), bytes([i % 7] * (1 + i // 100))
        rows.add(float(i), i / 4, slices, bins)
        wanted.append((float(i), i / 4, slices, bins))
    again = Rows(rows.fields())
    for one in (rows, again):
        found = sorted(one.since(2.0 * ROWS))
        assert [(row.at, row.loss, row.slices) for row in found] == [row[:3] for row in wanted[2 * ROWS :]]
        assert [row.bins.rstrip(bytes([ABSENT])) for row in found] == [row[3] for row in wanted[2 * ROWS :]]
        assert len(one.combinations) <= ROWS + 1
    newest = 3 * ROWS - 1
    assert [row.at for row in rows.since(0.0) if f"id={newest}" in row.slices] == [newest]


@pytest.mark.parametrize("taken", [30, 128, 300])
def test_a_ring_of_an_older_state_grows(taken, monkeypatch):
    monkeypatch.setattr("stream.rows.ROWS", 128)
    rows = Rows()
    for i in range(taken):
        rows.add(float(i), 0.0, ("all",), bytes([i % 7]))
    monkeypatch.undo()
    again = Rows(rows.fields())
    for i in range(taken, taken + 2 * ROWS):
        kept = sorted((row.at, row.bins[0]) for row in again.since(0.0))
        assert kept == [(float(at), at % 7) for at in range(max(taken - 128, i - ROWS, 0), i)]
        again.add(float(i), 0.0, ("all",), bytes([i % 7]))


def test_bins_travel_through_the_join_and_its_disk():
    codec, store = Codec(), MemoryStore()
    join = Join(100.0, 100, store, 0)
    one = Prediction(prediction_id="1", model="m", version="v", at=Instant(1), prediction="a")
    join.remember(join.predict(one)[0].served, b"\3\4")
    changes = join.freeze()
    store.write(changes, {})
    join.written(changes)
    (known,) = join.know(Outcome(prediction_id="1", model="m", at=Instant(2), outcome="a"))
    assert known.served.bins == b"\3\4"
    assert codec.serve(one).bins == b""


def test_state_keeps_the_rows():
    _, monitor = play(both_move, guilty_hurts, events=1_000)
    assert len(monitor.versions["v"].rows.ats) == ROWS
    assert state.dump(state.load(state.dump(monitor))) == state.dump(monitor)


@pytest.mark.parametrize(("where", "named"), [("__other__", "b=9"), ("b=__other__", "b=9")])
def test_of_all_others_only_one_of_those_is_named(where, named):
    rows = [
        Row(float(i), float(i % 2), ("all", "a=1" if i % 2 else "a=2", "b=9" if i % 2 else "b=8"), b"")
        for i in range(60)
    ]
    found = part_of(rows, 0.0, where, {"a=1": 0, "a=2": 0, where: 0})
    assert found.startswith(f"{named}: 100%")


@pytest.mark.parametrize(
    ("at", "said"),
    [
        (9_910.0, "90 s before the onset"),
        (6_400.0, "60 min before the onset"),
        (-14_791.0, "6.9 h before the onset"),
        (13_253.0, "54 min after the likeliest onset, within its interval"),
    ],
)
def test_when_something_was_is_said_in_a_unit_that_people_read(at, said):
    assert when(at, 10_000.0) == said
