"""Whatever producers send, a model's state stays within one Kafka record."""

from stream import state
from stream.ending import MADE_ROOM
from stream.events import Instant, Outcome, Prediction, Rollout
from stream.fold import InputFold
from stream.join import Join
from stream.monitor import Monitor
from stream.pending import MemoryStore
from stream.room import FORGOTTEN, FORGOTTEN_VERSION, ROLLOUTS, VERSIONS
from stream.shapes import COMPACTED_RECORD_BYTES
from stream.tally import Tally
from stream.version import OTHERS, SERIES, Judgement, series_of
from stream.wire import encode
from tests.laws.lives import RULES, Logged
from tests.unit.stream.test_wire import FINDING

JUDGEMENT = Judgement(slice_budget=200)


class Play:
    """One model's monitor behind a join."""

    def __init__(self, judgement=JUDGEMENT):
        self.monitor, self.judgement = Monitor("m"), judgement
        self.join = Join(1e9, 10**6, MemoryStore(), 10**6)
        self.sent, self.found = 0, []

    def predict(self, version="v", at=None, said="a", **fields):
        self.sent += 1
        one = Prediction(
            prediction_id=f"{self.sent:0200}",
            model="m",
            version=version,
            at=Instant(self.sent if at is None else at),
            prediction=said,
            **fields,
        )
        self.found += self.monitor.predicted(one, self.join.predict(one)[0].served, self.judgement)
        return one

    def know(self, prediction, outcome, later_s=1):
        known = Outcome(
            prediction_id=prediction.prediction_id,
            model="m",
            at=Instant(prediction.at + later_s),
            outcome=outcome,
        )
        return [self.monitor.take(one, self.judgement, None)[0] for one in self.join.know(known)]

    def rollout(self, version, at, stage):
        self.monitor.rolled_out(Rollout(model="m", version=version, at=Instant(at), stage=stage))


def test_versions_beyond_the_budget_make_room_the_longest_unseen_first():
    play = Play()
    for number in range(VERSIONS):
        play.predict(f"v{number}")
    play.predict("v0")
    play.predict("new")
    assert list(play.monitor.versions) == ["v0", *(f"v{number}" for number in range(2, VERSIONS)), "new"]
    assert play.monitor.counts == {FORGOTTEN_VERSION: 1}


def test_retired_versions_make_room_first():
    play = Play()
    for number in range(VERSIONS):
        play.predict(f"v{number}")
    play.rollout("v7", 1, "retired")
    play.predict("new")
    assert "v7" not in play.monitor.versions
    assert "v0" in play.monitor.versions


def test_a_version_with_an_open_finding_makes_room_last():
    play = Play()
    for number in range(VERSIONS):
        play.predict(f"v{number}")
    play.monitor.versions["v0"].series["all"].finding = FINDING
    play.monitor.versions["v1"].reference.repeats.finding = FINDING
    play.predict("new")
    assert "v0" in play.monitor.versions
    assert "v1" in play.monitor.versions
    assert "v2" not in play.monitor.versions


def test_what_is_open_of_a_version_is_closed_when_it_makes_room():
    play = Play()
    for number in range(VERSIONS):
        play.predict(f"v{number}")
        play.monitor.versions[f"v{number}"].series["all"].finding = FINDING
    play.predict("new")
    assert "v0" not in play.monitor.versions
    (closed,) = play.found
    assert (closed.id, closed.state, closed.causes) == (FINDING.id, "closed", (MADE_ROOM,))


def test_an_outcome_of_a_forgotten_version_is_counted_and_brings_nothing_back():
    play = Play()
    early = play.predict("v0")
    for number in range(1, VERSIONS + 1):
        play.predict(f"v{number}")
    assert play.know(early, "a") == [FORGOTTEN]
    assert "v0" not in play.monitor.versions
    assert play.monitor.counts == {FORGOTTEN_VERSION: 1, FORGOTTEN: 1}


def test_retired_versions_go_when_their_series_are_wanted():
    play = Play()
    for number in range(4):
        for value in range(200):
            play.predict(f"v{number}", slices={"city": str(value)})
    play.rollout("v1", 1, "retired")
    play.predict("new", slices={"city": "1"})
    assert list(play.monitor.versions) == ["v0", "v2", "v3", "new"]
    assert "city=1" in play.monitor.versions["new"].series


def test_an_outcome_brings_no_retired_version_back_whose_series_were_wanted():
    play = Play()
    early = play.predict("v0", slices={"city": "0"})
    for number in range(4):
        for value in range(200):
            play.predict(f"v{number}", slices={"city": str(value)})
    play.rollout("v0", 1, "retired")
    play.predict("new", slices={"city": "1"})
    assert play.know(early, "a") == [FORGOTTEN]
    assert list(play.monitor.versions) == ["v1", "v2", "v3", "new"]


def test_series_of_many_busy_versions_fall_into_one_other():
    play = Play()
    for number in range(VERSIONS):
        for value in range(250):
            play.predict(f"v{number}", slices={"city": str(value)})
    versions = play.monitor.versions
    assert series_of(versions) <= SERIES + 2 * VERSIONS
    for version in versions.values():
        assert sum(one.predictions for name, one in version.series.items() if name != "all") == 250


def test_slice_names_past_the_budget_share_one_other():
    play = Play()
    for number in range(3_000):
        play.predict(slices={f"request-{number}": "x"})
    series = play.monitor.versions["v"].series
    assert len(series) <= JUDGEMENT.slice_budget + OTHERS + 1
    assert sum(one.predictions for name, one in series.items() if name != "all") == 3_000


def test_a_prediction_counts_once_in_an_other_that_several_of_its_slices_share():
    play = Play(Judgement(slice_budget=1))
    for number in range(40):
        play.predict(slices={f"a{number}": "x", f"b{number}": "y", f"c{number}": "z"})
    series = play.monitor.versions["v"].series
    assert series["__other__"].predictions < 40
    assert max(one.predictions for one in series.values()) == series["all"].predictions == 40


def test_restored_state_routes_as_the_living_one_after_a_version_made_room():
    play = Play()
    for number in range(VERSIONS):
        for value in range(60):
            play.predict(f"v{number}", slices={"city": str(value)})
    play.predict("new")
    restored = state.load(state.dump(play.monitor))
    for value in range(60):
        one = play.predict("v19", slices={"city": str(value)})
        served = Join(1e9, 10, MemoryStore(), 10).predict(one)[0].served
        restored.predicted(one, served, JUDGEMENT)
    assert state.dump(restored) == state.dump(play.monitor)


def test_inherited_references_do_not_grow_from_version_to_version():
    play = Play(Judgement(slice_budget=5))
    for number in range(60):
        play.predict(f"v{number}", slices={f"build-{number}": "x"})
        newest = play.monitor.versions[f"v{number}"]
        assert len(newest.inherited) <= 5
        for one in newest.series.values():
            for _ in range(3_000):
                one.guard.take(0.0, 1e5, 0.2)
            assert one.guard.heir() is not None


def test_rollouts_are_bounded_and_the_newest_stage_counts_in_any_order():
    play = Play()
    play.rollout("v", 2_000, "live")
    play.rollout("v", 1_000, "canary")
    assert play.monitor.rollouts == {"v": (2_000.0, "live")}
    play.predict("v")
    for number in range(500):
        play.rollout(f"build-{number}", 3_000 + number, "shadow")
    assert len(play.monitor.rollouts) == ROLLOUTS
    assert play.monitor.rollouts["v"] == (2_000.0, "live")
    assert "build-499" in play.monitor.rollouts


def test_the_fullest_state_fits_its_record():
    play = Play()
    for number in range(VERSIONS):
        version = f"version-{number}-".ljust(200, "v")
        for value in range(250):
            words = {f"feature-{k}".ljust(64, "f"): f"{value}".ljust(250, "w") for k in range(50)}
            slices = {"name".ljust(64, "s"): f"{value}".ljust(128, "s")}
            play.predict(version, slices=slices, features=words if value < 199 else {})
        play.rollout(version, number, "live")
    assert play.monitor.lineage is not None
    for version in (*play.monitor.versions.values(), play.monitor.lineage):
        for series in version.series.values():
            for number in range(600):
                series.learn(number, float(number % 10 == 0), "x" * 200, 200, 1e5, 0.2, True)
    assert len(state.dump(play.monitor)) < COMPACTED_RECORD_BYTES - (1 << 20)


def test_outcomes_of_unknown_models_are_counted_and_make_no_monitor():
    told = []

    class Watch:
        def folded(self, tally: Tally):
            told.append(tally)

    fold = InputFold(0, RULES, Watch(), MemoryStore())

    def record(topic, event, offset):
        return Logged(topic, offset, int(event.at * 1_000), encode(event))

    orphans = [
        Outcome(prediction_id=str(n), model=f"orphan-{n}", at=Instant(1_000), outcome=1) for n in range(1_000)
    ]
    fold.apply([record("outcomes", one, n) for n, one in enumerate([*orphans, *orphans])])
    assert fold.monitors == {}
    assert told[-1].joined == {}
    later = Prediction(prediction_id="x", model="m", version="v", at=Instant(9_000), prediction=1)
    fold.apply([record("predictions", later, 0)])
    while fold.is_behind:
        fold.apply([])
    assert list(fold.monitors) == ["m"]
    assert sum(one.joined.get("unmatched_outcome", 0) for one in told) == 1_000
