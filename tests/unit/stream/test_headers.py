"""A header key that is no UTF-8, which Kafka takes from producers, does not end who reads."""

import pytest
from aiokafka import TopicPartition
from aiokafka.consumer import fetcher
from aiokafka.record.default_records import DefaultRecordBatchBuilder

from stream.engine import connection
from stream.engine.headers import Records

TP = TopicPartition("t", 0)


def batch(first: int, *keys: str, codec: int = 0) -> bytes:
    """Return a batch of records, one for each header key."""
    builder = DefaultRecordBatchBuilder(2, codec, 0, -1, -1, -1, 1 << 20)
    for offset, key in enumerate(keys):
        builder.append(offset, 1_000, b"k", b"v%d" % offset, [(key, b"\xff"), ("null", None)])
    made = builder.build()
    made[:8] = first.to_bytes(8)
    return bytes(made)


def read(data: bytes, start: int = 0) -> list[tuple[int, bytes, str]]:
    unpacking = fetcher.PartitionRecords(TP, Records(data), None, start, None, None, False, "read_committed")
    return [(one.offset, one.value, one.headers[0][0]) for one in unpacking]


def spoiled(data: bytes) -> bytes:
    return data.replace(b"BAD!", b"\xff\xfeD!")


def test_records_are_read_as_before():
    data = batch(7, "a", "b") + batch(9, "c")
    assert read(data) == [(7, b"v0", "a"), (8, b"v1", "b"), (9, b"v0", "c")]
    assert read(data, 8) == [(8, b"v1", "b"), (9, b"v0", "c")]
    assert read(b"") == []


def test_a_key_that_is_no_text_is_replaced_and_nothing_is_lost_or_twice():
    data = spoiled(batch(7, "a", "BAD!", "b") + batch(10, "BAD!") + batch(11, "c"))
    assert read(data) == [
        (7, b"v0", "a"),
        (8, b"v1", "\ufffd\ufffdD!"),
        (9, b"v2", "b"),
        (10, b"v0", "\ufffd\ufffdD!"),
        (11, b"v0", "c"),
    ]


def test_every_consumer_of_a_process_reads_so():
    assert connection.client_options
    assert fetcher.MemoryRecords is Records


@pytest.mark.parametrize("cut", [1, 40])
def test_a_batch_that_a_fetch_brought_in_part_is_left_for_the_next(cut):
    data = batch(7, "a")
    assert read(data + batch(8, "b")[:-cut]) == [(7, b"v0", "a")]
    assert Records(data[:-cut]).size_in_bytes() == len(data) - cut
