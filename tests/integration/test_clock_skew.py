"""A checkpoint on a real broker tells how far the machine's clock is from Kafka's."""

import asyncio
import time
from types import SimpleNamespace

import pytest

from stream import topics
from stream.engine.checkpoint import Checkpoint
from stream.engine.connection import client_options
from stream.engine.partition import Flush
from stream.engine.skew import Skew
from tests.conftest import Kafka

HOUR_S = 3_600.0


async def learned(kafka: Kafka) -> float:
    """Return what a checkpoint tells of the clock, in seconds."""
    settings, skew = kafka.settings(), Skew()
    assert not (await topics.create(settings)).faults
    options = client_options(settings.kafka)
    checkpoint = Checkpoint(options, f"{kafka.prefix}group", settings.topics.checkpoints, 0, skew=skew)
    try:
        await checkpoint.open()
        await checkpoint.write(Flush([], []), {settings.topics.predictions: 0})
    finally:
        await checkpoint.close()
    return skew.seconds


def test_a_clock_that_is_an_hour_ahead_is_known(kafka: Kafka, monkeypatch: pytest.MonkeyPatch) -> None:
    ahead = SimpleNamespace(time=lambda: time.time() + HOUR_S)
    monkeypatch.setattr("stream.engine.checkpoint.time", ahead)
    assert HOUR_S - 30.0 < asyncio.run(learned(kafka)) <= HOUR_S


def test_a_clock_that_is_right_is_known(kafka: Kafka) -> None:
    assert abs(asyncio.run(learned(kafka))) < 1.0
