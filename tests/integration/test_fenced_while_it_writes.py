"""A checkpoint whose partition is taken over while it is written says that, whatever it was just doing."""

import asyncio
import time
from collections.abc import Iterator

import pytest
from aiokafka.errors import ProducerFenced

from stream import topics
from stream.engine.checkpoint import Checkpoint
from stream.engine.connection import client_options
from stream.engine.partition import Flush
from tests.conftest import Kafka

LONGEST_S = 20.0


def states(owner: Checkpoint) -> Iterator[tuple[bytes, bytes]]:
    """Make state until Kafka has refused some of it, and then one more."""
    end = time.monotonic() + LONGEST_S
    while not owner._producer._txn_manager.is_fatal_error() and time.monotonic() < end:
        time.sleep(0.02)  # the writer gives others their turn after each
        yield b"state", b"1"
    yield b"state", b"2"


async def fenced(kafka: Kafka) -> list[str]:
    """Return what asyncio was told of while a checkpoint was written that has another owner by now."""
    assert not (await topics.create(kafka.settings())).faults
    told: list[str] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, what: told.append(what["message"]))
    options, topic = client_options(kafka.settings().kafka), kafka.settings().topics.checkpoints
    first, second = (Checkpoint(options, f"{kafka.prefix}group", topic, 0) for _ in range(2))
    try:
        await first.open()
        await second.open()
        with pytest.raises(ProducerFenced):
            await first.write(Flush((), states(first)), {"input": 1})
    finally:
        await first.close()
        await second.close()
    return told


def test_an_owner_that_is_fenced_between_two_records_is_told_that_it_is_fenced(kafka: Kafka) -> None:
    assert asyncio.run(asyncio.wait_for(fenced(kafka), 60)) == []
