"""The measures of zombies see a zombie when there is one: on segments made by hand."""

import struct
from collections import defaultdict

import pytest

from tests.chaos.topiclog import TopicLog, returning_writers, transactional

COMMIT, ABORT = 1, 0
TRANSACTIONAL, CONTROL = 0x10, 0x20


def batch(base, writer, attributes, records=b"", count=1):
    """Return one batch of Kafka's format, version 2."""
    producer, epoch = writer
    body = (
        struct.pack(">ibIhiqqqhii", 0, 2, 0, attributes, count - 1, 0, 0, producer, epoch, 0, count) + records
    )
    return struct.pack(">qi", base, len(body)) + body


def ending(base, writer, kind):
    """Return a control batch; its record: length, attributes, two deltas, the key and its length, no value."""
    record = bytes([20, 0, 0, 0, 8]) + struct.pack(">hh", 0, kind) + bytes([1, 0])
    return batch(base, writer, TRANSACTIONAL | CONTROL, record)


def written(folder, *endings):
    place = folder / "checkpoints-0"
    place.mkdir()
    content = b"".join(
        batch(2 * number, writer, TRANSACTIONAL) + ending(2 * number + 1, writer, kind)
        for number, (writer, kind) in enumerate(endings)
    )
    (place / "00000000000000000000.log").write_bytes(content)
    return returning_writers(folder, "checkpoints", 0)


OLD, NEW, OTHER = (7, 0), (7, 1), (8, 0)
CASES = [
    ("one writer", [(OLD, COMMIT), (OLD, COMMIT)], 0),
    ("a takeover", [(OLD, COMMIT), (NEW, COMMIT), (NEW, COMMIT)], 0),
    ("a zombie of the same id", [(OLD, COMMIT), (NEW, COMMIT), (OLD, COMMIT)], 1),
    ("a zombie of another id", [(OLD, COMMIT), (OTHER, COMMIT), (OLD, COMMIT)], 1),
    ("a zombie that was aborted", [(OLD, COMMIT), (NEW, COMMIT), (OLD, ABORT)], 0),
    ("two that alternate", [(OLD, COMMIT), (OTHER, COMMIT), (OLD, COMMIT), (OTHER, COMMIT)], 2),
]


@pytest.mark.parametrize(("endings", "wanted"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_a_writer_that_comes_back_after_another_is_counted(endings, wanted, tmp_path):
    assert written(tmp_path, *endings) == wanted


def test_what_was_written_in_transactions_is_told_from_what_was_not(tmp_path):
    place = tmp_path / "predictions-0"
    place.mkdir()
    parts = batch(0, OLD, 0, count=3) + batch(3, NEW, TRANSACTIONAL, count=2) + batch(5, OLD, 0)
    (place / "00000000000000000000.log").write_bytes(parts)
    assert transactional(tmp_path, "predictions", 0) == {3, 4}


def test_a_marker_that_includes_less_than_the_one_before_is_counted():
    log = TopicLog.__new__(TopicLog)
    log.markers = defaultdict(
        list, {0: [{"a": 5}, {"a": 9, "b": 1}, {"a": 7, "b": 2}], 1: [{"a": 1}, {"a": 1}]}
    )
    assert log.backward_markers() == 1
