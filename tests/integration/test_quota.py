"""A worker that a quota of the brokers keeps from reading says so, shows its lag, and is not taken for dead."""

import asyncio
import json
from pathlib import Path

from stream import topics
from stream.demo.processes import Child, free_port
from tests.conftest import Kafka
from tests.integration.one_model import reach, send
from tests.quotas import limit

EVENTS = 100
SLOW = 1_000.0
"""Bytes a second: what the events take is read for some 15 seconds."""


async def throttled(kafka: Kafka, folder: Path) -> tuple[dict[str, object], float, float]:
    """Return the health and lag of a worker that Kafka lets wait, and how many events it has when it need not."""
    own = {"client_id": f"{kafka.prefix}client"}
    settings, port = kafka.settings(kafka=own), free_port()
    assert not (await topics.create(settings)).faults
    await send(kafka, range(EVENTS))
    await limit(settings, own["client_id"], consumer_byte_rate=SLOW)
    child = Child("worker", kafka.environment(kafka=own, worker={"port": port}), folder, port)
    try:
        await reach(child, "tidewatch_throttled_seconds_total", 5.0)
        while '"throttled"' not in child.log.read_text():
            child.check()
            await asyncio.sleep(0.2)
        health = json.loads(child.get("/healthz") or "{}")
        lag = await child.figure("tidewatch_consumer_lag_records")
        await limit(settings, own["client_id"], consumer_byte_rate=None)
        await reach(child, "tidewatch_events_total", EVENTS)
        return health, lag, await child.figure("tidewatch_events_total")
    finally:
        child.stop()


def test_a_worker_that_kafka_lets_wait_says_so_and_goes_on_when_it_may(kafka: Kafka, tmp_path: Path) -> None:
    health, lag, folded = asyncio.run(asyncio.wait_for(throttled(kafka, tmp_path), 120))
    assert health["throttled"] == ["fetch"], "and it answers 200"
    assert health["waiting"] == lag > 0
    assert folded == EVENTS
