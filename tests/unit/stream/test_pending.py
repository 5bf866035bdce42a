import os
import shutil
import time
from collections import Counter
from itertools import islice

import pytest
from structlog.testing import capture_logs

from stream.entries import Changes
from stream.events import Instant, Outcome, Prediction
from stream.join import Join
from stream.pending import FORM, MemoryStore, RocksStore
from tests.laws.interleavings import HORIZON_S, told_of


@pytest.fixture(params=["memory", "rocks"])
def store(request, tmp_path):
    one = MemoryStore() if request.param == "memory" else RocksStore(tmp_path / "deep" / "0")
    yield one
    one.close()


def changes(entries=(), records=(), gone=(), position=b"here"):
    return Changes(1, [*entries], sorted(records), [*gone], position)


def test_a_new_store_has_no_offsets_and_no_position(store):
    assert (store.offsets(), store.position()) == ({}, b"")


def test_a_store_in_another_form_is_forgotten_since_the_log_has_it_all(tmp_path):
    one = RocksStore(tmp_path / "0")
    one.write(changes([(b"1", b"one")], [b"p1"]), {"predictions": 7})
    one._entries[FORM] = b"1"
    one.close()
    again = RocksStore(tmp_path / "0")
    assert (again.offsets(), again.position(), again.get_many([b"1"]), again.due(b"p", 9)) == (
        {},
        b"",
        [None],
        [],
    )
    again.close()


@pytest.mark.parametrize(
    ("files", "damage"), [("*.sst", lambda path: os.truncate(path, 10)), ("MANIFEST-*", os.unlink)]
)
def test_a_damaged_store_is_made_anew_since_the_log_has_it_all(tmp_path, files, damage):
    one = RocksStore(tmp_path / "0")
    one.write(changes([(b"1", b"one")], [b"p1"]), {"predictions": 7})
    one._entries.flush()
    one.close()
    for path in (tmp_path / "0").glob(files):
        damage(path)
    with capture_logs() as told:
        again = RocksStore(tmp_path / "0")
    assert (again.offsets(), again.get_many([b"1"]), again.due(b"p", 9)) == ({}, [None], [])
    assert [(line["event"], line["log_level"]) for line in told] == [("join's disk damaged", "warning")]
    again.write(changes([(b"1", b"one")]), {"predictions": 1})
    again.close()


def test_a_store_that_another_has_open_is_left_alone(tmp_path):
    one = RocksStore(tmp_path / "0")
    one.write(changes([(b"1", b"one")]), {"predictions": 7})
    with pytest.raises(Exception, match="lock"):
        RocksStore(tmp_path / "0")
    assert one.get_many([b"1"]) == [b"one"]
    one.close()


def test_a_killed_machine_leaves_entries_and_index_of_the_same_write(tmp_path):
    """All that RocksDB has not made sure of is lost: its log, which nothing waits for."""
    one, names = RocksStore(tmp_path / "0"), [b"%05d" % number for number in range(10_000)]
    for name in names:
        one.write(changes([(name, os.urandom(4_000))], [b"p" + name], position=name), {})
    time.sleep(0.5)  # what is full goes to the disk on threads of its own
    shutil.copytree(tmp_path / "0", tmp_path / "left")
    one.close()
    for log in (tmp_path / "left").glob("*.log"):
        os.truncate(log, 0)
    left = RocksStore(tmp_path / "left")
    found = [name for name, value in zip(names, left.get_many(names), strict=True) if value is not None]
    assert found
    assert (left.due(b"p", 10_000), left.position()) == ([b"p" + name for name in found], found[-1])
    left.close()


def test_entries_are_found_missed_and_deleted(store):
    store.write(changes([(b"1", b"one"), (b"2", b"two")]), {})
    assert store.get_many([b"2", b"0", b"1"]) == [b"two", None, b"one"]
    store.write(changes([(b"1", None), (b"2", b"")]), {})
    assert store.get_many([b"1", b"2"]) == [None, b""]
    assert store.get_many([]) == []


def test_records_come_in_order_from_where_it_is_asked_within_their_kind(store):
    store.write(changes(records=[b"p3", b"p1", b"p2", b"o9", b"z0"]), {})
    assert store.due(b"p", 10) == [b"p1", b"p2", b"p3"]
    assert store.due(b"p2", 1) == [b"p2"]
    assert store.due(b"p3\0", 10) == []
    assert store.due(b"o", 10) == [b"o9"]


def test_records_that_are_gone_are_gone_and_one_that_is_back_is_back(store):
    store.write(changes(records=[b"p1", b"p2"]), {})
    store.write(changes(records=[b"p2"], gone=[b"p1", b"p2"]), {})
    assert store.due(b"p", 10) == [b"p2"]


def test_offsets_and_position_are_those_last_written(store):
    store.write(changes(position=b"a"), {"predictions": 3})
    store.write(changes(position=b"b"), {"predictions": 5, "outcomes": 1})
    assert (store.position(), store.offsets()) == (b"b", {"predictions": 5, "outcomes": 1})


def test_a_wiped_store_is_new_and_can_be_written(store):
    store.write(changes([(b"1", b"one")], [b"p1"]), {"predictions": 3})
    store.wipe()
    assert (store.offsets(), store.position(), store.get_many([b"1"]), store.due(b"p", 9)) == (
        {},
        b"",
        [None],
        [],
    )
    store.write(changes([(b"1", b"two")]), {})
    assert store.get_many([b"1"]) == [b"two"]


def test_what_was_written_is_there_after_closing(tmp_path):
    store = RocksStore(tmp_path / "0")
    store.write(changes([(b"1", b"one")], [b"p1"]), {"predictions": 3})
    store.close()
    again = RocksStore(tmp_path / "0")
    assert again.get_many([b"1"]) == [b"one"]
    assert (again.due(b"p", 9), again.offsets(), again.position()) == ([b"p1"], {"predictions": 3}, b"here")
    again.close()


def test_a_folder_can_be_opened_again_at_once_also_when_an_iteration_was_not_finished(tmp_path):
    store = RocksStore(tmp_path / "0")
    store.write(changes(records=[b"p%d" % number for number in range(100)]), {})
    assert len([*islice(store.due(b"p", 100), 3)]) == 3
    store.close()
    RocksStore(tmp_path / "0").close()


def test_a_join_over_rocksdb_counts_what_the_topics_decide_through_checkpoints_and_reopening(tmp_path):
    """Nothing unchanged stays in memory; one outcome in four never comes, one is late."""
    store, told = RocksStore(tmp_path / "0"), Counter()
    join = Join(HORIZON_S, 10_000, store, 0)
    predictions = [a_prediction(number) for number in range(800)]
    outcomes = sorted((an_outcome(number) for number in range(650) if number % 4), key=lambda one: one.at)
    for part in range(20):
        mine = [predictions[40 * part :][:40], [one for one in outcomes if one.at // 40 == part + 1]]
        for batch, take in zip(mine, (join.predict, join.know), strict=True):
            join.prefetch(batch)
            for event in batch:
                told.update(names_of(take(event)))
        told.update(names_of(join.expire()))
        frozen = join.freeze()
        store.write(frozen, {"predictions": 40 * part + 40})
        join.written(frozen)
        if part % 5 == 4:
            store.close()
            store = RocksStore(tmp_path / "0")
            join = Join(HORIZON_S, 10_000, store, 0)
    wanted = told_of(predictions, [one for one in outcomes if one.at < 840])
    assert told == wanted
    assert len(join) < 400
    assert {str(reason) for reason, _ in wanted} == {"matched", "late", "unmatched_prediction"}
    store.close()


def names_of(found):
    return [(one.reason, one.served.prediction_id) for one in found if one.reason != "waiting"]


def a_prediction(number):
    return Prediction(
        prediction_id=f"p{number}",
        model="m",
        version="v",
        at=Instant(number),
        prediction="x",
        slices={"a": number % 3},
    )


def an_outcome(number):
    return Outcome(
        prediction_id=f"p{number}",
        model="m",
        at=Instant(number + (150 if number % 4 == 1 else 50)),
        outcome="x",
    )


def test_a_store_on_disk_says_what_it_takes(tmp_path):
    one = RocksStore(tmp_path / "0")
    before = one.size()
    one.write(changes([(b"%d" % number, bytes(1_000)) for number in range(1_000)]), {})
    after = one.size()
    assert after.disk >= before.disk + 100_000
    assert after.memory >= before.memory + 1_000_000
    one.close()
