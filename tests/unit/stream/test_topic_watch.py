"""What is done to the topics under a running process is told, once, and so is that it is mended."""

import asyncio

from aiokafka.errors import KafkaConnectionError
from structlog.testing import capture_logs

from stream.settings import SettingsError
from stream.shapes import Fault
from stream.topic_watch import TopicWatch

COMPACTED = Fault("predictions", "cleanup.policy compact: want delete", "run: this")
COPIES = Fault("findings", "replication 1: want 3", "run: that", "warning")


def looked(*answers):
    """Return what is logged, and how many errors are shown, when the looks find these."""
    waiting, shown = list(answers), []

    async def check():
        found = waiting.pop(0)
        if isinstance(found, Exception):
            raise found
        return found

    watch = TopicWatch(check, shown.append)

    async def look():
        for _ in answers:
            await watch.look()

    with capture_logs() as logs:
        asyncio.run(look())
    return [(line["event"], line["log_level"], line["topic"]) for line in logs], shown


def test_a_fault_is_told_once_and_so_is_its_end():
    said, shown = looked([], [COMPACTED, COPIES], [COMPACTED, COPIES], [COPIES])
    assert said == [
        ("topic unfit", "warning", "findings"),
        ("topic unfit", "error", "predictions"),
        ("topic fit again", "info", "predictions"),
    ]
    assert shown == [0, 1, 1, 0], "a warning keeps no process from starting"


def test_a_topic_of_which_something_else_is_wrong_now_is_not_fit_again():
    smaller, larger = (Fault("predictions", f"{have} partitions: want 8", "run: this") for have in (2, 4))
    said, _ = looked([smaller], [larger], [])
    assert [event for event, *_ in said] == ["topic unfit", "topic unfit", "topic fit again"]


def test_a_cluster_that_can_not_be_asked_changes_nothing():
    said, shown = looked([COMPACTED], KafkaConnectionError(), TimeoutError(), [COMPACTED])
    assert said == [("topic unfit", "error", "predictions")]
    assert shown == [1, 1]


def test_a_password_file_that_can_not_be_read_is_told_and_ends_nothing():
    watch = TopicWatch(_unreadable, lambda count: None)
    with capture_logs() as logs:
        asyncio.run(watch.look())
    (line,) = logs
    assert (line["event"], line["log_level"]) == ("topics not looked at", "warning")
    assert "kafka.sasl_password_file" in line["fault"]


async def _unreadable():
    raise SettingsError("settings: kafka.sasl_password_file: no such file")


def test_the_line_says_what_mends_it():
    with capture_logs() as logs:
        asyncio.run(TopicWatch(lambda: _found(COMPACTED), lambda count: None).look())
    (line,) = logs
    assert (line["what"], line["mend"]) == (COMPACTED.what, COMPACTED.mend)


async def _found(*faults):
    return faults
