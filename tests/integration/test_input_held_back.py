"""A transaction that a product service leaves open in an input is shown: what it hides is no lag."""

import asyncio
import time
from pathlib import Path

from aiokafka import AIOKafkaProducer
from prometheus_client.parser import text_string_to_metric_families

from stream import topics
from stream.demo.processes import Child
from stream.events import Prediction
from stream.wire import encode
from tests.conftest import Kafka
from tests.integration import one_model

WITHIN_S = 45.0


async def shown(child: Child, topic: str) -> dict[int, float]:
    """Return for how long each partition of the topic is held back, as the page says."""
    child.check()
    page = await asyncio.to_thread(child.get, "/metrics") or ""
    return {
        int(sample.labels["partition"]): sample.value
        for family in text_string_to_metric_families(page)
        for sample in family.samples
        if sample.name == "tidewatch_input_held_back_seconds" and sample.labels["topic"] == topic
    }


async def until(child: Child, topic: str, partition: int, *, is_held: bool) -> None:
    """Return once it is shown that this partition, and no other one, is held back or not."""
    deadline = time.monotonic() + WITHIN_S
    while time.monotonic() < deadline:
        found = await shown(child, topic)
        if {number: held_s > 0 for number, held_s in found.items()} == {
            partition: is_held,
            1 - partition: False,
        }:
            return
        await asyncio.sleep(0.2)
    raise AssertionError(f"after {WITHIN_S} s: {found}")


async def held_back(kafka: Kafka, folder: Path) -> tuple[float, float, float]:
    """Return events and lag while a transaction is open, which is shown; and the events after its end."""
    assert not (await topics.create(kafka.settings())).faults
    topic, partition = one_model.place(kafka)
    event = Prediction(
        prediction_id="open", model=one_model.MODEL, version="v", at=time.time(), prediction="y"
    )
    child = one_model.worker(kafka, folder)
    try:
        await child.ready()
        await one_model.fold(kafka, child, range(1))
        await until(child, topic, partition, is_held=False)
        async with AIOKafkaProducer(
            bootstrap_servers=kafka.brokers,
            transactional_id=f"{kafka.prefix}sender",
            transaction_timeout_ms=300_000,  # longer than anything here waits
        ) as producer:
            await producer.begin_transaction()
            await producer.send_and_wait(topic, encode(event), key=event.model.encode())
            await one_model.send(kafka, range(1, 3))
            await until(child, topic, partition, is_held=True)
            folded = await child.figure("tidewatch_events_total")
            lag = await child.figure("tidewatch_consumer_lag_records")
            await producer.abort_transaction()
        await until(child, topic, partition, is_held=False)
        await one_model.reach(child, "tidewatch_events_total", 3)
        return folded, lag, await child.figure("tidewatch_events_total")
    finally:
        child.stop()


def test_an_open_transaction_is_shown_where_it_is_and_until_it_ends(kafka: Kafka, tmp_path: Path) -> None:
    folded, lag, folded_after = asyncio.run(held_back(kafka, tmp_path))
    assert (folded, lag) == (1, 0), "what it hides is neither folded nor lag"
    assert folded_after == 3
