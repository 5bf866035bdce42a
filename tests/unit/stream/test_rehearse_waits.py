"""A rehearsal that Kafka lets wait for a quota ends in its time, and says so."""

import asyncio
import time
from types import SimpleNamespace

import click
import pytest

from stream.rehearsal import Rehearsal
from stream.rehearse import _Stage
from stream.settings import Settings

PRODUCE, FETCH = 0, 1
"""Kafka's numbers of requests."""


class Slow:
    """A producer whose broker takes nothing, and a consumer that finds nothing."""

    def __init__(self):
        self.client = self._client = SimpleNamespace(send=None)

    async def send(self, topic, value, key):
        return None

    async def flush(self):
        await asyncio.sleep(60)

    async def send_and_wait(self, topic, value, key):
        await asyncio.sleep(60)

    async def getmany(self, timeout_ms):
        await asyncio.sleep(timeout_ms / 1000)
        return {}


def stage(kind):
    made = _Stage(Settings(), Slow(), Slow(), Rehearsal("m", "1"), 0.05)
    if kind is not None:
        made._throttling.told(kind, 600.0, time.monotonic())
    return made


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        (
            PRODUCE,
            "Kafka did not take the events within 0.05 s (--timeout); it lets this client wait for a quota",
        ),
        (None, "Kafka did not take the events within 0.05 s (--timeout)"),
    ],
    ids=["a quota", "a slow broker"],
)
def test_what_is_not_taken_in_time_is_told(kind, said):
    with pytest.raises(click.ClickException) as fault:
        asyncio.run(asyncio.wait_for(stage(kind).past(), 10))
    assert said in fault.value.message
    assert ("producer_byte_rate" in fault.value.message) is (kind is not None)


def test_a_finding_that_does_not_come_in_time_names_the_quota_that_may_hide_it(monkeypatch):
    async def taken():
        return None

    playing = stage(FETCH)
    monkeypatch.setattr(playing._producer, "flush", taken)
    with pytest.raises(click.ClickException, match=r"has it no lag.*consumer_byte_rate"):
        asyncio.run(asyncio.wait_for(playing.until("open", 0.6, ""), 10))


def test_a_version_that_can_not_be_retired_keeps_nobody_waiting(capsys):
    asyncio.run(asyncio.wait_for(stage(PRODUCE).take_off(), 10))
    assert "did not take that version 1 is retired within 0.05 s" in capsys.readouterr().err
