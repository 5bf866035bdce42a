"""Where records are damaged is told, and what comes before them is read first."""

import pytest
from aiokafka import TopicPartition
from aiokafka.consumer import fetcher
from aiokafka.record.default_records import DefaultRecordBatchBuilder

from stream.engine import connection
from stream.engine.damaged import Damaged, Located
from stream.engine.headers import Records

TP = TopicPartition("outcomes", 3)
LAST_DELTA_AT, PAYLOAD_AT = 23, 70
"""Where a batch says how many offsets it has, less one; and where its records are."""


def batch(first: int, count: int) -> bytes:
    builder = DefaultRecordBatchBuilder(2, 0, 0, -1, -1, -1, 1 << 20)
    for offset in range(count):
        builder.append(offset, 1_000, b"k", b"v", [])
    made = builder.build()
    made[:8] = first.to_bytes(8)
    return bytes(made)


def spoiled(data: bytes, at: int = PAYLOAD_AT, by: bytes = b"\xff\xff") -> bytes:
    return data[:at] + by + data[at + len(by) :]


def reading(data: bytes, start: int) -> Located:
    return Located(TP, Records(data), None, start, None, None, True, "read_committed")


def read(data: bytes, start: int) -> list[int]:
    return [record.offset for record in reading(data, start)]


def test_what_comes_before_damaged_records_is_read_and_the_next_fetch_begins_with_them():
    data = batch(5, 2) + spoiled(batch(7, 3)) + batch(10, 1)
    unpacking = reading(data, 5)
    assert [record.offset for record in unpacking] == [5, 6]
    assert unpacking.next_fetch_offset == 7


@pytest.mark.parametrize(
    ("data", "start", "end"),
    [
        (spoiled(batch(7, 3)) + batch(10, 1), 7, 10),
        (spoiled(batch(7, 3)) + batch(10, 1), 8, 10),  # after a deletion within the batch
        (spoiled(batch(7, 3)), 7, 10),
        (spoiled(batch(7, 3), LAST_DELTA_AT, b"\x7f") + batch(10, 1), 7, 10),
        (spoiled(batch(7, 3), LAST_DELTA_AT, b"\xff"), 7, 8),  # nothing tells its end
        (bytes(12) + batch(10, 1), 7, 8),
        (bytes(200), 7, 8),
    ],
)
def test_damaged_records_that_come_first_are_told_with_the_offset_to_go_on_from(data, start, end):
    with pytest.raises(
        Damaged, match=rf"outcomes partition 3: offsets {start} to {end - 1} can't be read"
    ) as told:
        read(data, start)
    assert (told.value.tp, told.value.end) == (TP, end)


def test_what_is_not_damaged_is_read_as_before():
    assert read(batch(5, 2) + batch(7, 1), 6) == [6, 7]


def test_every_consumer_of_a_process_tells_it():
    assert connection.client_options
    assert fetcher.PartitionRecords is Located
