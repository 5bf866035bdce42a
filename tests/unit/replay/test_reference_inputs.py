"""A reference made from history knows the model's inputs: their drift is told without a week of learning."""

import msgspec
import numpy as np
import pytest

from stream.events import Instant, Outcome, Prediction
from stream.joined import Served
from stream.monitor import Monitor
from stream.reference_known import known_reference
from stream.references import read_references, write_references
from stream.replay.build import EXPIRED, History
from stream.replay.source import Line
from stream.settings import SettingsError
from stream.version import Judgement
from stream.wire import encode

BEGAN_AT, STEP_S = 1_764_000_000.0, 300.0
A_DAY = 288


def prediction(i, rng, moved=0.0):
    return Prediction(
        prediction_id=f"p{i}", model="m", version="v1", at=Instant(BEGAN_AT + STEP_S * i), prediction=True,
        features={"age": float(rng.normal(moved)), "kind": str(rng.choice(["a", "b"])), "odd": None},
    )  # fmt: skip


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Return the path of the references of twenty days."""
    rng, history, events = np.random.default_rng(1), History(3_600.0), []
    for i in range(20 * A_DAY):
        said = prediction(i, rng)
        at = Instant(said.at + 60.0)
        events += [said, Outcome(prediction_id=f"p{i}", model="m", at=at, outcome=bool(rng.random() > 0.1))]
        events += [said] if i % 50 == 0 else []
    history.read(Line("f", number, encode(event)) for number, event in enumerate(events))
    path = tmp_path_factory.mktemp("built") / "reference.json"
    path.write_bytes(write_references(history.references(200)))
    return path


def tickets(references, *, moved, days=6):
    rng, monitor, found = np.random.default_rng(2), Monitor("m"), []
    for i in range(days * A_DAY):
        said = prediction(i, rng, moved)
        served = Served(said.prediction_id, "m", "v1", float(said.at), True, False, ("all",))
        found += monitor.predicted(said, served, Judgement(references=references))
    return found


def test_drift_from_the_first_day_is_told(built):
    references = read_references(built)
    (found,) = tickets(references, moved=2.0)
    assert (found.feature, found.state) == ("age", "open")
    assert found.detected_at < BEGAN_AT + 4 * 86_400.0
    assert tickets(references, moved=0.0) == []
    assert tickets({}, moved=2.0) == []


def test_each_prediction_counts_once_and_what_is_always_null_is_known(built):
    inputs = read_references(built)["m"]["all"].inputs
    assert [*inputs] == ["age", "kind", "odd"]
    sizes = {sum(one.counts) for one in inputs.values()}
    assert all(19 * A_DAY - 500 < size <= 20 * A_DAY for size in sizes)
    assert inputs["odd"].counts[0] == sum(inputs["odd"].counts)
    assert all(one.is_whole for one in inputs.values())
    assert known_reference({}, "m").features == {}


def test_a_short_history_gives_bins_only(tmp_path):
    rng, history = np.random.default_rng(1), History(3_600.0)
    for i in range(3 * A_DAY):
        said = prediction(i, rng)
        at = Instant(said.at + 60.0)
        pair = said, Outcome(prediction_id=f"p{i}", model="m", at=at, outcome=True)
        history.read(Line("f", number, encode(event)) for number, event in enumerate(pair))
    path = tmp_path / "reference.json"
    path.write_bytes(write_references(history.references(200)))
    references = read_references(path)
    assert not any(one.is_whole for one in references["m"]["all"].inputs.values())
    assert known_reference(references, "m").features["age"].cells
    assert tickets(references, moved=2.0) == []


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"counts": [1, 2]}, "2 counts; want"),
        ({"edges": [2.0, 1.0]}, "counts; want"),
        ({"words": ["a", "a"]}, "want each once"),
        ({"noise": -1.0}, "noise -1.0"),
        ({"windows": -1}, "windows -1"),
    ],
)
def test_faults_of_inputs_are_named(built, tmp_path, wrong, told):
    found = msgspec.json.decode(built.read_bytes())
    found["m"]["all"]["inputs"]["kind"] |= wrong
    path = tmp_path / "wrong.json"
    path.write_bytes(msgspec.json.encode(found))
    with pytest.raises(SettingsError, match=f"m, all: input 'kind': .*{told}"):
        read_references(path)


def test_while_a_reference_is_built_ids_are_remembered_no_longer_than_an_outcome_may_meet_them():
    history, rng = History(STEP_S * 100), np.random.default_rng(3)
    said = [prediction(i, rng) for i in range(2 * EXPIRED)]
    known = [Outcome(prediction_id=one.prediction_id, model="m", at=one.at, outcome=True) for one in said]
    pairs = (event for pair in zip(said, known, strict=True) for event in pair)
    history.read(Line("f", number, encode(event)) for number, event in enumerate(pairs))
    assert len(history._join) <= EXPIRED // 2 + 2 * 100
