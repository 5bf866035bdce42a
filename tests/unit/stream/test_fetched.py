"""What aiokafka's fetcher makes of fetched bytes when it is told to make nothing superfluous."""

from types import SimpleNamespace

from aiokafka import TopicPartition
from aiokafka.consumer.fetcher import FetchError, FetchResult, PartitionRecords
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.memory_records import MemoryRecords

from stream.engine.fetched import Fetched, slim

TP = TopicPartition("predictions", 3)
HEADERS = [("ce_source", b"/shop")]


def fetched(*records):
    builder = DefaultRecordBatchBuilder(2, 0, 0, -1, -1, -1, 1_000_000)
    for offset, (key, value, headers) in enumerate(records):
        builder.append(offset, 1_700_000_000_000 + offset, key, value, headers)
    unpacking = PartitionRecords(
        TP, MemoryRecords(bytes(builder.build())), [], 0, None, None, True, "read_committed"
    )
    state = SimpleNamespace(paused=False, position=0, consumed_to=lambda offset: None)
    assignment = SimpleNamespace(active=True, state_value=lambda tp: state)
    return FetchResult(TP, assignment=assignment, partition_records=unpacking, backoff=0)


def test_records_have_what_a_fold_asks_for():
    held = fetched((b"m", b"{}", HEADERS), (None, None, []))
    slim(SimpleNamespace(_records={TP: held}))
    assert held.getall() == [
        Fetched("predictions", 3, 0, 1_700_000_000_000, b"m", b"{}", tuple(HEADERS)),
        Fetched("predictions", 3, 1, 1_700_000_000_001, None, None, ()),
    ]


def test_an_error_that_the_fetcher_holds_and_what_was_taken_are_left_alone():
    taken = fetched((b"m", b"{}", []))
    taken.getall()
    fault = KeyError("no such partition")
    slim(SimpleNamespace(_records={TP: FetchError(error=fault, backoff=0), "other": taken}))
    assert taken.has_more() is False
