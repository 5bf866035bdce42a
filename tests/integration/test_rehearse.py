"""``tidewatch rehearse`` on a real broker, with and without a worker."""

import asyncio
import json
import os
import re
import signal
import subprocess
import sys

from aiokafka import TopicPartition

from stream.engine.connection import client_options
from stream.engine.reading import reader
from stream.events import Finding
from stream.replay.kafka import Range, Reader
from stream.topics import create
from stream.wire import decode_told
from tests.signals import hear_all


def retired(kafka) -> bool:
    rollouts = kafka.settings().topics.rollouts
    found = [*Reader(kafka.settings(), Range(0.0, None)).lines(lambda _: None)]
    return [json.loads(line.value)["stage"] for line in found if line.topic == rollouts] == ["retired"]


async def findings(kafka, wanted: int) -> list[Finding]:
    place, found = TopicPartition(kafka.settings().topics.findings, 0), []
    async with reader(client_options(kafka.settings().kafka)) as consumer:
        consumer.assign([place])
        consumer.seek(place, 0)
        while len(found) < wanted:
            batch = await asyncio.wait_for(consumer.getone(), 30)
            found += [told for told in [decode_told(batch.value)] if isinstance(told, Finding)]
    return found


def test_a_worker_finds_the_version_worse_and_then_well(kafka, worker):
    done = kafka.tidewatch("rehearse", "eta.rehearsal")
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(
        r"found worse by \d+ of its outcomes: eta\.rehearsal version rehearsal-\d+: accuracy", done.stdout
    )
    assert "found well again" in done.stdout


def test_without_a_worker_it_says_what_is_missing(kafka):
    asyncio.run(create(kafka.settings()))
    done = kafka.tidewatch("rehearse", "eta.rehearsal", "--timeout", "2")
    assert done.returncode == 1
    assert f"no open finding in {kafka.prefix}findings within 2 s" in done.stderr
    assert "Traceback" not in done.stderr
    assert retired(kafka), "a worker that comes later would page somebody"


def test_an_interrupted_one_retires_its_version(kafka, worker):
    command = [sys.executable, "-m", "stream", "rehearse", "eta.rehearsal"]
    environment = os.environ | kafka.environment()
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, text=True, preexec_fn=hear_all
    ) as process:
        for line in process.stdout:
            if line.startswith("its owner is paged now"):
                process.send_signal(signal.SIGINT)
        assert process.wait(30) == 1
    assert retired(kafka)
    (opened, closed) = asyncio.run(findings(kafka, 2))
    assert (opened.state, closed.state) == ("open", "closed")


def test_without_topics_it_says_how_to_make_them(kafka):
    done = kafka.tidewatch("rehearse", "eta.rehearsal")
    assert done.returncode == 1
    assert "run: tidewatch topics create" in done.stderr
