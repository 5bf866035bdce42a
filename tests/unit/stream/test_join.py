from itertools import permutations

import pytest
from msgspec.structs import replace

import stream.due
import stream.join
from stream.events import Instant, Outcome, Prediction
from stream.join import Join
from stream.joined import Reason, Served
from stream.pending import MemoryStore

H = 100


def a_prediction(at=0.0, **over):
    fields = {"prediction_id": "p1", "model": "m", "version": "v1", "prediction": "yes"} | over
    return Prediction(at=Instant(at), **fields)


def an_outcome(at=1.0, outcome="yes", **over):
    return Outcome(at=Instant(at), outcome=outcome, **({"prediction_id": "p1", "model": "m"} | over))


def steps(join, *events):
    """Return all reasons but ``waiting``, those of ``expire`` last."""
    found = []
    for event in events:
        found += join.predict(event) if isinstance(event, Prediction) else join.know(event)
    found += join.expire()
    return [one.reason for one in found if one.reason != "waiting"]


def a_join(budget=1000, store=None, memory_entries=1000):
    return Join(H, budget, store or MemoryStore(), memory_entries)


def written(join, store):
    """Put all that changed where the store keeps it."""
    store.write(changes := join.freeze(), {})
    join.written(changes)


@pytest.fixture
def join():
    return a_join()


@pytest.mark.parametrize("order", [*permutations(range(2))])
def test_prediction_and_outcome_match_in_any_order(join, order):
    events = a_prediction(), an_outcome()
    assert steps(join, *(events[i] for i in order)) == ["matched"]
    assert join.pending == 0


def test_the_first_of_a_pair_waits(join):
    (joined,) = join.predict(a_prediction())
    assert (joined.reason, joined.served.prediction_id) == (Reason.WAITING, "p1")
    assert a_join().know(an_outcome())[0].reason is Reason.WAITING


def test_late_outcome_is_counted_not_joined_and_its_prediction_is_unmatched(join):
    assert steps(join, a_prediction(), an_outcome(at=101)) == ["late", "unmatched_prediction"]


def test_outcome_after_expiry_is_late(join):
    assert steps(join, a_prediction(), an_outcome(at=150, prediction_id="other")) == ["unmatched_prediction"]
    assert steps(join, an_outcome(at=50)) == ["late"]


def test_outcome_behind_its_own_clock_is_late_also_when_it_came_first(join):
    found = steps(join, an_outcome(at=150, prediction_id="other"), an_outcome(at=50), a_prediction())
    assert found == ["late", "unmatched_prediction"]


def test_outcome_that_came_in_time_matches_however_late_its_prediction_is_read(join):
    steps(join, an_outcome(at=50), an_outcome(at=5_000, prediction_id="other"))
    assert steps(join, a_prediction()) == ["matched"]


@pytest.mark.parametrize("read_first", ["outcome", "prediction"])
def test_outcome_that_gave_up_does_not_meet_a_prediction_that_came_after(join, read_first):
    early = a_prediction(at=500, prediction_id="p2")
    events = early, a_prediction(at=10)
    if read_first == "outcome":
        assert steps(join, an_outcome(), *events) == ["unmatched_outcome"]
    else:
        assert steps(join, *events, an_outcome()) == ["unmatched_outcome"]
    assert steps(join, an_outcome(at=500, prediction_id="other")) == ["unmatched_prediction"]


def test_same_prediction_twice_counts_once(join):
    assert steps(join, a_prediction(), a_prediction()) == ["duplicate_prediction"]


def test_same_id_two_horizons_later_is_a_new_prediction(join):
    later = a_prediction(at=400, version="v2")
    steps(join, a_prediction(), a_prediction(at=201, prediction_id="p2"))
    assert steps(join, later) == []
    (joined,) = join.know(an_outcome(at=150))
    assert (joined.reason, joined.served.version) == (Reason.LATE, "v1")
    (joined,) = join.know(an_outcome(at=410))
    assert (joined.reason, joined.served.version) == (Reason.MATCHED, "v2")


def test_an_outcome_that_itself_shows_two_horizons_have_passed_meets_nothing(join):
    steps(join, a_prediction(), an_outcome(at=201))
    assert steps(join, a_prediction(at=500, prediction_id="p2")) == ["unmatched_outcome"]


def test_same_outcome_twice_counts_once(join):
    assert steps(join, a_prediction(), an_outcome(), an_outcome()) == ["matched", "duplicate_outcome"]


def test_later_outcome_corrects_and_earlier_one_does_not(join):
    steps(join, a_prediction(), an_outcome(at=5))
    (corrected,) = join.know(an_outcome(at=6, outcome="no"))
    assert (corrected.reason, corrected.previous) == (Reason.CORRECTED, "yes")
    assert steps(join, an_outcome(at=4, outcome="maybe")) == ["duplicate_outcome"]


def test_correction_beyond_the_horizon_is_a_duplicate(join):
    steps(join, a_prediction(), an_outcome(at=5))
    assert steps(join, an_outcome(at=101, outcome="no")) == ["duplicate_outcome"]


def test_outcomes_that_waited_are_told_in_their_order(join):
    steps(join, an_outcome(at=5), an_outcome(at=6, outcome="no"))
    first, second = join.predict(a_prediction())
    assert (first.reason, second.reason, second.previous) == (Reason.MATCHED, Reason.CORRECTED, "yes")


def test_repeats_of_an_outcome_without_prediction_are_duplicates(join):
    found = steps(join, an_outcome(), an_outcome(outcome="no"), a_prediction(at=500, prediction_id="p2"))
    assert sorted(found) == ["duplicate_outcome", "unmatched_outcome"]


def test_a_ninth_different_outcome_is_a_duplicate_in_any_order():
    outcomes = [an_outcome(at=at, outcome=str(at)) for at in range(1, 11)]
    wanted = ["corrected"] * 7 + ["duplicate_outcome"] * 2 + ["matched"]
    assert sorted(steps(a_join(), a_prediction(), *outcomes)) == wanted
    assert sorted(steps(a_join(), *outcomes, a_prediction())) == wanted


def test_the_same_outcome_a_hundred_times_leaves_room_for_a_correction(join):
    steps(join, a_prediction(), *[an_outcome()] * 100)
    assert steps(join, an_outcome(at=2, outcome="no")) == ["corrected"]


def test_prediction_waits_on_the_outcomes_clock_not_on_its_own(join):
    assert steps(join, a_prediction(), a_prediction(at=1_000, prediction_id="p2")) == []


def test_outcome_without_prediction_becomes_unmatched(join):
    steps(join, an_outcome())
    assert steps(join, a_prediction(at=500, prediction_id="p2")) == ["unmatched_outcome"]


def test_what_is_given_up_comes_in_order_of_time_then_key(join):
    for at, name in ((5, "d"), (7, "a"), (5, "c"), (6, "b")):
        join.predict(a_prediction(at=at, prediction_id=name))
    join.know(an_outcome(at=500, prediction_id="other"))
    assert [one.served.prediction_id for one in join.expire()] == ["c", "d", "b", "a"]


def test_what_is_over_budget_is_evicted_oldest_first_and_counted():
    join = a_join(budget=2)
    for number in range(4):
        join.predict(a_prediction(at=number, prediction_id=f"p{number}"))
    evicted = [*join.expire()]
    assert [one.reason for one in evicted] == [Reason.EVICTED] * 2
    assert [one.served.prediction_id for one in evicted] == ["p0", "p1"]
    assert (len(join), join.pending) == (2, 2)


def test_slices_are_named_in_order_and_true_is_not_one(join):
    (one,) = join.predict(a_prediction(slices={"b": True, "a": "x"}))
    (two,) = join.predict(a_prediction(slices={"b": 1, "a": "x"}, prediction_id="p2"))
    assert one.served.slices == ("all", "a=x", "b=true")
    assert two.served.slices == ("all", "a=x", "b=1")


def test_equal_slices_are_one_object(join):
    (one,) = join.predict(a_prediction(slices={"a": "x"}))
    (two,) = join.predict(a_prediction(slices={"a": "x"}, prediction_id="p2"))
    assert one.served.slices is two.served.slices


def test_ids_and_models_that_look_alike_stay_apart(join):
    steps(join, a_prediction(model="a:", prediction_id="b"))
    assert steps(join, an_outcome(model="a", prediction_id=":b")) == []


def checkpoint(join, store, offsets=None):
    changes = join.freeze()
    store.write(changes, offsets or {})
    join.written(changes)
    return changes


@pytest.mark.parametrize(
    ("scores", "kept"),
    [
        (None, None),
        (0.5, 0.5),
        ({"yes": 0.7, "no": 0.3}, {"yes": 0.7, "no": 0.3}),
        ({str(one): 0.1 for one in range(11)}, None),
    ],
)
@pytest.mark.parametrize("outcomes", [1, 2])
def test_what_was_written_leaves_memory_and_is_found_again(scores, kept, outcomes):
    store = MemoryStore()
    join = a_join(store=store, memory_entries=0)
    join.predict(a_prediction(slices={"a": "x"}, scores=scores))
    for number in range(outcomes):
        checkpoint(join, store)
        join.prefetch([an_outcome()])
        (joined,) = join.know(an_outcome(outcome=f"{number}"))
    assert joined.reason is (Reason.MATCHED if outcomes == 1 else Reason.CORRECTED)
    slices = ("all", "a=x")
    assert joined.served is not None
    served = Served("p1", "m", "v1", 0.0, "yes", scores is not None, slices, b"", kept)
    assert replace(joined.served, shape=b"") == served


@pytest.mark.parametrize("label", [True, 7, -1.5, "yes", 2**63 - 1, -(2**63)])
def test_labels_survive_the_disk(label):
    store = MemoryStore()
    join = a_join(store=store, memory_entries=0)
    join.predict(a_prediction(prediction=label))
    checkpoint(join, store)
    (joined,) = join.know(an_outcome(outcome=label))
    assert (joined.served.prediction, type(joined.served.prediction)) == (label, type(label))


def test_a_reopened_join_knows_clocks_counts_and_who_is_due():
    store = MemoryStore()
    join = a_join(store=store)
    steps(
        join, a_prediction(at=3), a_prediction(at=-5, prediction_id="p0"), an_outcome(at=1, prediction_id="o")
    )
    checkpoint(join, store, {"predictions": 2})
    again = a_join(store=store)
    assert (again.predicted_until, again.known_until, again.pending, len(again)) == (3, 1, 2, 3)
    again.know(an_outcome(at=500, prediction_id="other"))
    assert [one.served.prediction_id for one in again.expire()] == ["p0", "p1"]
    assert store.offsets() == {"predictions": 2}


def test_what_both_clocks_left_two_horizons_behind_is_forgotten_on_disk_too():
    store = MemoryStore()
    join = a_join(store=store, memory_entries=0)
    steps(join, a_prediction(), an_outcome())
    checkpoint(join, store)
    steps(join, a_prediction(at=500, prediction_id="p2"), an_outcome(at=500, prediction_id="p2"))
    checkpoint(join, store)
    assert (len(join), len(store.entries), len(store.records)) == (1, 1, 1)


def test_frozen_changes_do_not_follow_later_events():
    store = MemoryStore()
    join = a_join(store=store)
    join.predict(a_prediction())
    changes = join.freeze()
    join.know(an_outcome())
    store.write(changes, {})
    again = a_join(store=store)
    assert (again.pending, again.know(an_outcome())[0].reason) == (1, Reason.MATCHED)


def test_prefetch_asks_nothing_while_all_is_in_memory():
    class Closed(MemoryStore):
        def get_many(self, keys):
            raise AssertionError(keys)

    join = a_join(store=Closed())
    join.prefetch([a_prediction()])
    join.predict(a_prediction())
    assert steps(join, an_outcome()) == ["matched"]


def test_an_entry_that_a_correction_kept_is_not_forgotten_at_its_old_time():
    store = MemoryStore()
    join = a_join(store=store, memory_entries=0)
    steps(join, a_prediction(), an_outcome(at=0))
    checkpoint(join, store)
    steps(join, an_outcome(at=150, outcome="no"))
    checkpoint(join, store)
    steps(join, a_prediction(at=210, prediction_id="p2"), an_outcome(at=210, prediction_id="p2"))
    assert len(join) == 2
    assert steps(join, an_outcome(at=1), a_prediction(at=220, prediction_id="p3")) == ["duplicate_outcome"]


def test_a_batch_leaves_no_objects_behind():
    join = a_join()
    join.predict(a_prediction())
    assert len(join._entries._live) == 1
    assert [*join.expire()] == []
    assert not join._entries._live
    assert len(join) == 1


def test_what_is_due_at_once_is_given_up_and_forgotten_in_pieces(monkeypatch):
    for module in (stream.due, stream.join):
        monkeypatch.setattr(module, "PIECE", 3)
    join = a_join(store=(store := MemoryStore()))
    for number in range(8):
        join.predict(a_prediction(at=number, prediction_id=f"p{number}"))
    join.know(an_outcome(at=2 * H, prediction_id="other"))
    told = []
    while join.is_behind:
        told.append([one.served.prediction_id for one in join.expire()])
        written(join, store)
    assert told == [["p0", "p1", "p2"], ["p3", "p4", "p5"], ["p6", "p7"]]
    join.predict(a_prediction(at=4 * H, prediction_id="new"))
    join.know(an_outcome(at=4 * H, prediction_id="new"))
    sizes = []
    while join.is_behind:
        told = [*join.expire()]
        sizes.append(len(join))
    assert (told, sizes) == ([], [7, 4, 2])


def test_an_outcome_that_comes_again_is_given_up_though_the_disk_says_since_before_that_it_waits():
    join = a_join(store=(store := MemoryStore()))

    join.know(an_outcome(at=0))
    written(join, store)
    join.predict(a_prediction(at=2 * H, prediction_id="other"))
    assert [one.reason for one in join.expire()] == [Reason.UNMATCHED_OUTCOME]
    join.know(an_outcome(at=0))
    written(join, store)
    assert [one.reason for one in join.expire()] == [Reason.DUPLICATE_OUTCOME]


def test_what_is_given_up_in_the_last_write_before_a_restart_is_forgotten_after_it():
    join = a_join(store=(store := MemoryStore()))
    assert steps(join, a_prediction(), a_prediction(90, prediction_id="p2")) == []
    assert steps(join, an_outcome(90, prediction_id="p2")) == ["matched"]
    written(join, store)
    assert steps(join, an_outcome(101, prediction_id="other")) == ["unmatched_prediction"]
    written(join, store)
    again = a_join(store=store)
    for _ in range(2):  # what is given up now is forgotten when it is written
        steps(again, a_prediction(10 * H, prediction_id="p3"), an_outcome(10 * H, prediction_id="p3"))
        written(again, store)
    assert (len(again), [*store.entries]) == (1, [b"1:mp3"])
