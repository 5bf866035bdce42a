"""What the join has in memory between batches, and what a checkpoint is given of it."""

import pytest
from msgspec.structs import replace

from stream.entries import Entries
from stream.entry import DECAYING, OPEN, Codec, record
from stream.events import Instant, Prediction
from stream.pending import MemoryStore

KEY = b"1:mp1"
POSITION = b"here"


@pytest.fixture
def store():
    return MemoryStore()


@pytest.fixture
def codec():
    return Codec()


def served(codec, at=1.0):
    return codec.serve(
        Prediction(prediction_id="p1", model="m", version="v", at=Instant(at), prediction="yes")
    )


def opened(entries, codec, at=1.0):
    entry = entries.add(KEY)
    entry.served, entry.clock = served(codec, at), at
    return entry


def touched(entries):
    entry = entries.find(KEY)
    entries.touch(entry)
    return entry


def write(entries, store, changes):
    for _ in entries.dump():
        pass
    store.write(changes, {})
    entries.written(changes.epoch)


def put(entries, store):
    changes = entries.freeze(POSITION)
    write(entries, store, changes)
    return changes


def test_an_entry_is_one_object_until_it_is_sealed_and_equal_after(store, codec):
    entries = Entries(store, codec, 9, 0)
    entry = opened(entries, codec)
    assert entries.find(KEY) is entry
    entries.seal()
    again = entries.find(KEY)
    assert again is not entry
    assert again.served == entry.served
    assert entries.find(KEY) is again


def test_what_was_only_looked_at_is_not_written_again(store, codec):
    entries = Entries(store, codec, 9, 0)
    opened(entries, codec)
    put(entries, store)
    assert entries.find(KEY) is not None
    assert put(entries, store).entries == []


def test_records_are_told_from_freeze_to_freeze_not_from_batch_to_batch(store, codec):
    entries = Entries(store, codec, 9, 0)
    opened(entries, codec)
    first = put(entries, store)
    assert (first.records, first.gone) == ([record(OPEN, 1.0, KEY)], [])
    for fate in (4, 1):  # given up, then decided: two batches, in both of which it waits for nothing
        touched(entries).fate = fate
        entries.seal()
    second = put(entries, store)
    assert (second.records, second.gone) == ([record(DECAYING, 1.0, KEY)], [record(OPEN, 1.0, KEY)])
    assert store.records == [record(DECAYING, 1.0, KEY)]


@pytest.mark.parametrize("is_sealed", [False, True])
def test_what_comes_back_after_it_was_removed_leaves_nothing_of_the_one_before(store, codec, is_sealed):
    entries = Entries(store, codec, 9, 0)
    opened(entries, codec)
    put(entries, store)
    entries.remove(KEY)
    assert entries.find(KEY) is None
    if is_sealed:
        entries.seal()
    opened(entries, codec, 5.0)
    put(entries, store)
    assert entries.count == len(store.entries) == 1
    assert store.records == [record(OPEN, 5.0, KEY)]
    assert Entries(store, codec, 9, 1).find(KEY).served.at == 5.0


def test_what_is_removed_in_the_batch_that_made_it_is_never_written(store, codec):
    entries = Entries(store, codec, 9, 0)
    opened(entries, codec)
    entries.remove(KEY)
    entries.seal()
    put(entries, store)
    assert (entries.count, store.entries, store.records, entries.memory) == (0, {}, [], {})


def test_what_changed_since_a_freeze_stays_in_memory_though_nothing_is_kept(store, codec):
    entries = Entries(store, codec, 0, 0)
    opened(entries, codec)
    changes = entries.freeze(POSITION)
    entry = touched(entries)
    entry.served = replace(entry.served, bins=b"\1")
    entries.seal()
    write(entries, store, changes)
    assert [*entries.memory] == [KEY]
    assert entries.find(KEY).served.bins == b"\1"
    put(entries, store)
    assert entries.memory == {}
    assert entries.find(KEY).served.bins == b"\1"


def test_a_freeze_lists_what_was_frozen_not_what_came_after(store, codec):
    entries = Entries(store, codec, 9, 0)
    opened(entries, codec)
    changes = entries.freeze(POSITION)
    entries.remove(KEY)
    for _ in entries.dump():
        pass
    assert [key for key, value in changes.entries if value is not None] == [KEY]
    write(entries, store, changes)
    assert len(store.entries) == 1
    put(entries, store)
    assert (store.entries, store.records) == ({}, [])


def test_what_changed_and_went_between_two_freezes_is_deleted(store, codec):
    entries = Entries(store, codec, 9, 0)
    opened(entries, codec)
    put(entries, store)
    touched(entries).fate = 4
    entries.seal()
    entries.remove(KEY)
    put(entries, store)
    assert (entries.count, store.entries, store.records) == (0, {}, [])


def test_what_changed_in_a_later_freeze_stays_when_an_earlier_one_is_written(store, codec):
    entries = Entries(store, codec, 0, 0)
    opened(entries, codec)
    first = entries.freeze(POSITION)
    touched(entries).fate = 4
    entries.freeze(POSITION)
    write(entries, store, first)
    assert entries.find(KEY).fate == 4


def test_what_comes_back_as_it_was_after_its_removal_was_frozen_has_its_record(store, codec):
    entries = Entries(store, codec, 9, 0)
    opened(entries, codec)
    put(entries, store)
    entries.remove(KEY)
    first = entries.freeze(POSITION)
    opened(entries, codec)
    write(entries, store, first)
    put(entries, store)
    assert store.records == [record(OPEN, 1.0, KEY)]


def test_a_dump_that_was_begun_is_ended_by_the_next_freeze(store, codec, monkeypatch):
    monkeypatch.setattr("stream.entries.PIECE", 1)
    entries = Entries(store, codec, 9, 0)
    for number in range(3):
        entries.add(b"1:mp%d" % number).served = served(codec)
    first = entries.freeze(POSITION)
    next(entries.dump())
    entries.freeze(POSITION)
    assert len(first.entries) == len(first.records) == 3
