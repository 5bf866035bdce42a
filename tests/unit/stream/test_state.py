"""State bytes: what was written is read back, an older schema is migrated, anything else is refused by name."""

import pickle
from math import inf
from pathlib import Path
from typing import Any

import msgspec
import pytest

from stream import state
from stream.batches import LOOKS
from stream.doubles import SIZE
from stream.engine.partition import MARKER
from stream.events import Instant, Prediction
from stream.fold import InputFold
from stream.joined import Joined, Reason, Served
from stream.monitor import Monitor
from stream.pending import MemoryStore
from stream.unjudged import Unjudged
from stream.version import Judgement
from stream.wire import encode
from tests.laws.lives import RULES, Life, Logged

WRITTEN = Path(__file__).parent / "data"
"""``state-N-*.bin``: monitors as the releases with schema N wrote them, each with one open finding."""

KNOWN_6 = {"error": (283, 40, 11, 3932, 5, 11, 30208, 0), "number": (169, 34, 3, 1346, 4, 28, 6453, 147)}


def test_state_of_another_schema_is_refused_by_name():
    with pytest.raises(state.MonitorStateError, match=r"schema '10': want one of 1, 2, 3, 4, 5, 6, 7, 8, 9"):
        state.load(b"10\nwhatever")


@pytest.mark.parametrize("schema", ["1", "2", "3", "4", "5", "6", "7", "8", "9"])
def test_broken_state_is_refused_with_its_schema(schema):
    with pytest.raises(state.MonitorStateError, match=f"schema {schema} can't be read"):
        state.load(f"{schema}\nwhatever".encode())


@pytest.mark.parametrize("model", ["fraud.br", "eta.br"])
def test_state_of_schema_1_is_migrated(model):
    monitor = state.load((WRITTEN / f"state-1-{model}.bin").read_bytes())
    version = monitor.versions["v7"]
    whole = version.series["all"]
    assert monitor.counts == {"matched": 1470, "corrected": 15}
    assert monitor.rollouts == {"v7": (1764000000.0, "live")}
    assert (whole.predictions, whole.outcomes, whole.episode) == (1500, 1470, 1)
    assert whole.rollout() == pytest.approx({"fraud.br": 0.76598, "eta.br": 2.25481}[model], abs=1e-5)
    assert whole.finding is not None
    assert whole.finding.model == model
    assert sum(version.series[f"tier={tier}"].outcomes for tier in "ab") == whole.outcomes
    assert whole.history.newest(10_000).losses == whole.outcomes


@pytest.mark.parametrize("kind", ["error", "number"])
def test_state_of_schema_2_learns_its_references_from_here(kind):
    monitor = state.load((WRITTEN / f"state-2-{kind}.bin").read_bytes())
    series = monitor.versions["v1"].series
    assert series["all"].outcomes == 4_000
    assert [name for name, one in series.items() if one.finding is not None]
    assert {one.guard.known for one in series.values()} == {0}
    for loss in range(1_000):
        series["all"].learn(5_000.0 + loss, float(loss % 10 == 9), str(loss), 200, 1e6, 0.2, True)
    assert series["all"].guard.known == {"error": 1_000, "number": 500}[kind]


def test_state_of_schema_3_finds_its_bins_anew():
    monitor = state.load((WRITTEN / "state-3-error.bin").read_bytes())
    version = monitor.versions["v1"]
    assert version.series["all"].finding is not None
    assert version.series["all"].guard.known > 0
    assert set(version.reference.features) == {"age", "kind"}
    assert all(not one.reference for one in version.reference.features.values())
    assert state.dump(state.load(state.dump(monitor))) == state.dump(monitor)


@pytest.mark.parametrize("kind", ["error", "number"])
def test_state_of_schema_4_goes_on_with_its_adwins(kind):
    monitor = state.load((WRITTEN / f"state-4-{kind}.bin").read_bytes())
    whole = monitor.versions["v1"].series["all"].detector
    assert (whole.seen, whole.delta) == ({"error": 724, "number": 503}[kind], 1e-4)
    assert whole.adwin is not None
    assert (whole.adwin.get_width(), whole.adwin.get_total()) == (whole.seen, pytest.approx(whole.total))
    again = state.load(state.dump(monitor)).versions["v1"].series["all"].detector
    for turn in range(500):
        for one in (whole, again):
            one.update(float(turn % 3 > 0))
    assert whole.seen < 500, "no change was seen"
    ends = [(one.seen, one.total, one.risen, one.adwin.__getstate__()) for one in (whole, again)]
    assert ends[0] == ends[1]


@pytest.mark.parametrize("kind", ["error", "number"])
def test_state_of_schema_4_sums_what_is_predicted_from_here_on(kind):
    monitor = state.load((WRITTEN / f"state-4-{kind}.bin").read_bytes())
    version = monitor.versions["v1"]
    known = version.series["all"]
    before = known.outcomes
    said = True if kind == "error" else 10.0
    for at in (known.newest_at, known.newest_at + 60.0):
        served = Served(f"p{at}", "m", "v1", at, said, kind == "error", ("all", "tier=a"))
        monitor.take(Joined(Reason.MATCHED, "m", served, said, at), Judgement(), None)
    # what was learned before is in no sum, so its correction takes nothing out
    old = Served("7", "m", "v1", known.newest_at - 90.0, said, kind == "error", ("all", "tier=a"))
    monitor.take(
        Joined(Reason.CORRECTED, "m", old, said, 1e6, False if said is True else 9.0), Judgement(), None
    )
    whole, tier, other = (version.series[name].place for name in ("all", "tier=a", "tier=b"))
    for found in (version, state.load(state.dump(monitor)).versions["v1"]):
        cells = found.sums.total("rollout").cells
        assert (cells[whole], cells[tier], cells[other]) == (1.0, 1.0, 0.0)
    assert known.outcomes == before + 2


def test_state_of_schema_5_is_estimated_from_the_next_cohort_on():
    fold = InputFold(0, RULES, Life({}), MemoryStore())
    fold.restore(b"m-5", (WRITTEN / "state-5-error.bin").read_bytes())
    version = fold.monitors["m-5"].versions["v1"]
    newest_at = version.series["all"].newest_at
    assert version.series["tier=a"].finding is not None
    for at in (newest_at + 3_600.0, newest_at):
        version.confidence.predicted(at, True, 0.7, newest_at)
        version.confidence.labelled(at, True, 0.7, True)
    assert [sum(cells) for cells in version.confidence.cohorts.values()] == [3]
    assert version.confidence.horizon_s == RULES.label_horizon_s


@pytest.mark.parametrize("kind", ["error", "number"])
def test_state_of_schema_6_keeps_what_its_references_are_learned_from(kind):
    """The numbers are those that schema 6 had in lists, as its release showed them."""
    series = state.load((WRITTEN / f"state-6-{kind}.bin").read_bytes()).versions["v1"].series
    level, young = series["tier=a"].guard.level, series["tier=b"].guard
    seen = (level.lost, level.short, level.short_sum, level.short_squares)
    assert (*seen, level.long, level.long_sum, level.long_squares, len(young.begun) // SIZE) == KNOWN_6[kind]
    assert (level.blocks, level.sums, level.squares, young.first) == ((), (), (), ())


def appended_to(fields: list[Any]) -> set[tuple[float, ...]]:
    """Take out of a monitor's fields what was appended to its versions, and how their labels develop and come."""
    assert fields[4][2].pop() == b""
    assert all(version.pop()[0] == [-inf] * LOOKS for version in fields[1].values())
    return {tuple(version.pop() for _ in range(5)) for version in fields[1].values()}


@pytest.mark.parametrize("kind", ["error", "number"])
def test_state_of_schema_7_is_the_same_without_a_head_and_what_was_appended(kind):
    written = (WRITTEN / f"state-7-{kind}.bin").read_bytes().partition(b"\n")[2]
    body = state.dump(state.load(b"7\n" + written)).partition(b"\n")[2]
    fields = msgspec.msgpack.decode(body[2 + int.from_bytes(body[:2]) :])
    lineage, appended = fields.pop(), fields[4].pop()
    assert appended_to(fields) == {(0.0, False, -inf, 0.0, -inf)}
    assert msgspec.msgpack.encode(fields) == written
    assert lineage is None
    assert msgspec.msgpack.encode(appended) == msgspec.msgpack.encode(Unjudged())


@pytest.mark.parametrize("kind", ["error", "number"])
def test_state_of_schema_8_is_the_same_without_a_lineage_and_what_was_appended(kind):
    written = (WRITTEN / f"state-8-{kind}.bin").read_bytes().partition(b"\n")[2]
    head, body = (written[2:][: int.from_bytes(written[:2])], written[2 + int.from_bytes(written[:2]) :])
    again = state.dump(state.load(b"8\n" + written)).partition(b"\n")[2]
    fields = msgspec.msgpack.decode(again[2 + int.from_bytes(again[:2]) :])
    assert (again[2:][: len(head)], fields.pop()) == (head, None)
    assert appended_to(fields) == {(0.0, False, -inf, 0.0, -inf)}
    assert msgspec.msgpack.encode(fields) == body


def test_migrated_state_is_written_in_the_current_schema():
    migrated = state.load((WRITTEN / "state-1-fraud.br.bin").read_bytes())
    written = state.dump(migrated)
    assert written.startswith(state.SCHEMA)
    assert state.dump(state.load(written)) == written


class Call:
    """Pickles as a call of another function."""

    def __reduce__(self):
        return print, ("code ran",)


def test_state_cannot_run_code():
    with pytest.raises(state.MonitorStateError, match=r"builtins\.print"):
        state.load(b"1\n" + pickle.dumps(Call()))
    hostile = state.dump(Monitor("m")).replace(b"m", pickle.dumps(Call()))
    with pytest.raises(state.MonitorStateError):
        state.load(hostile)


def test_state_of_schema_1_cannot_reach_code_through_a_module_of_river(capfd):
    """Pickle follows dots: ``os.system`` of a module that imports ``os`` is ``os.system``."""

    def text(word):
        return b"\x8c" + bytes([len(word)]) + word.encode()

    call = text("river.datasets.base") + text("os.system") + b"\x93" + text("echo ran") + b"\x85R."
    with pytest.raises(state.MonitorStateError, match=r"river\.datasets\.base\.os\.system"):
        state.load(b"1\n\x80\x04" + call)
    assert capfd.readouterr().out == ""


def test_a_fold_names_the_partition_and_the_model_of_a_state_that_it_cannot_read():
    fold = InputFold(3, RULES, Life({}), MemoryStore())
    with pytest.raises(state.MonitorStateError, match=r"partition 3, model 'm-1': state schema '987': want"):
        fold.restore(b"m-1", b"987\nwhatever")


def test_the_head_of_a_state_is_of_its_monitor_in_each_schema():
    for written in sorted(WRITTEN.glob("state-*.bin")):
        monitor = state.load(written.read_bytes())
        head = state.Head(True, monitor.first, monitor.health.due_at)
        assert state.read_head(written.read_bytes()) == state.read_head(state.dump(monitor)) == head
    rolled_out = Monitor("m", rollouts={"v1": (1.0, "live")})
    assert not state.read_head(state.dump(rolled_out)).is_judged


def test_a_restored_monitor_is_made_when_it_is_asked_for():
    fold = InputFold(3, RULES, Life({}), MemoryStore())
    for model in "ab":
        fold.restore(model.encode(), state.dump(Monitor(model, counts={"matched": 7})))
    damaged = state.dump(Monitor("c"))[:-1]
    fold.restore(b"c", damaged)
    assert [*fold.monitors] == ["a", "b", "c"]
    assert len(fold.monitors) == 3
    assert fold.monitors["b"].counts == {"matched": 7}
    assert fold.monitors["b"] is fold.monitors.get("b")
    assert fold.monitors.get("d") is None
    with pytest.raises(
        state.MonitorStateError, match=r"partition 3, model 'c': state of schema 9 can't be read"
    ):
        fold.monitors["c"]


def test_a_fold_names_the_partition_whose_clocks_it_cannot_read():
    fold = InputFold(3, RULES, Life({}), MemoryStore())
    with pytest.raises(state.MonitorStateError, match=r"partition 3, tidewatch\.clocks: "):
        fold.restore(state.CLOCKS, b'{"predicted_un')


@pytest.mark.parametrize("name", sorted(one.decode() for one in state.TAKEN))
def test_a_model_may_have_the_name_of_a_record_that_is_no_models(name):
    said = Prediction(prediction_id="p", model=name, version="v", at=Instant(1_000.0), prediction="x")
    fold, again = (InputFold(0, RULES, Life({}), MemoryStore()) for _ in range(2))
    fold.apply([Logged("predictions", 0, 1_000_000, encode(said))])
    kept = [*fold.freeze({}).state]
    assert {MARKER}.isdisjoint(dict(kept))
    for key, value in dict(kept).items():
        again.restore(key, value)
    assert {model: one.versions["v"].series["all"].predictions for model, one in again.monitors.items()} == {
        name: 1
    }
    assert again.rebuild_since() == 0.0


def test_state_without_windows_counts_them_from_here():
    monitor = state.load((WRITTEN / "state-3-error.bin").read_bytes())
    assert monitor.versions["v1"].series["all"].finding.windows == ()
    assert monitor.windows.tell() == ()


def test_windows_and_what_was_said_of_them_survive():
    monitor = Monitor("m")
    monitor.windows.add(1_000.0, 1.0)
    monitor.windows.tell()
    again = state.load(state.dump(monitor)).windows
    assert (again.cells, again.said) == (monitor.windows.cells, monitor.windows.said)
