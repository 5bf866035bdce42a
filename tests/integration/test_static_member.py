"""A worker with a name of its own comes back to its partitions, wherever it starts again, and moves no others."""

import asyncio
import time
from pathlib import Path

from aiokafka import AIOKafkaProducer

from stream import topics
from stream.demo.processes import Child, free_port
from stream.events import Prediction
from stream.wire import encode
from tests.conftest import Kafka
from tests.integration.one_model import owned, reach

PARTITIONS = 4
SESSION_S = 20.0
"""Longer than a process takes to start anew on a busy machine."""


def worker(kafka: Kafka, folder: Path, name: str = "worker-0", session_s: float = 10.0) -> Child:
    own = {"instance": name, "port": free_port(), "data_dir": folder / "data"}
    more = {"topics": {"partitions": PARTITIONS}, "kafka": {"session_timeout_s": session_s}}
    return Child("worker", kafka.environment(worker=own, **more), folder, own["port"])


async def send(kafka: Kafka, *events: Prediction) -> None:
    async with AIOKafkaProducer(bootstrap_servers=kafka.brokers) as producer:
        for event in events:
            topic = kafka.settings().topics.predictions
            await producer.send_and_wait(topic, encode(event), key=event.model.encode())


def prediction(number: str, model: str = "m") -> Prediction:
    return Prediction(prediction_id=number, model=model, version="v1", at=time.time(), prediction="yes")


async def live_twice(kafka: Kafka, folder: Path) -> None:
    """Kill a worker that owns everything; return when the next one has folded an event."""
    assert not (await topics.create(kafka.settings(topics={"partitions": PARTITIONS}))).faults
    first, second = (prediction(number) for number in "12")
    child = worker(kafka, folder)
    try:
        await child.ready()
        await send(kafka, first)
        await asyncio.wait_for(reach(child, "tidewatch_events_total", 1), 30)
        child.process.kill()
        child.process.wait()
        await send(kafka, second)
        child = worker(kafka, folder)
        await asyncio.wait_for(reach(child, "tidewatch_events_total", 1), 60)
    finally:
        child.stop()


def test_a_killed_worker_has_its_partitions_again_at_another_address(kafka: Kafka, tmp_path: Path) -> None:
    asyncio.run(live_twice(kafka, tmp_path))


async def own_half_each(children: list[Child]) -> list[list[int]]:
    """Return what each owns once both own as much."""
    while True:
        shares = [await owned(child) for child in children]
        if all(len(share) == PARTITIONS // len(children) for share in shares):
            return shares
        await asyncio.sleep(0.2)


async def restart_one_of_two(kafka: Kafka, folder: Path) -> None:
    """Stop a worker and start it anew; the other works on and is told of no rebalance."""
    assert not (await topics.create(kafka.settings(topics={"partitions": PARTITIONS}))).faults
    folders = [folder / name for name in ("worker-0", "worker-1")]
    for one in folders:
        one.mkdir()
    children = [worker(kafka, one, one.name, SESSION_S) for one in folders]
    try:
        shares = await asyncio.wait_for(own_half_each(children), 60)
        stopped, other = children
        assignments = other.tail().count('"assigned"')
        assert assignments
        stopped.process.terminate()
        assert await asyncio.to_thread(stopped.process.wait, 30) == 0
        stopped_at = time.monotonic()
        await send(kafka, *(prediction("1", f"model-{number}") for number in range(40)))
        children[0] = worker(kafka, folders[0], "worker-0", SESSION_S)
        while await owned(children[0]) != shares[0]:
            assert await owned(other) == shares[1]
            assert time.monotonic() < stopped_at + SESSION_S, "its session is over: nothing is shown"
            await asyncio.sleep(0.1)
        await asyncio.wait_for(reach(children[0], "tidewatch_events_total", 1), 30)
        await asyncio.wait_for(reach(other, "tidewatch_events_total", 1), 30)
        assert sum([await child.figure("tidewatch_events_total") for child in children]) == 40
        assert [await owned(child) for child in children] == shares
        assert other.tail().count('"assigned"') == assignments
        assert children[0].tail().count('"assigned"') == 1
    finally:
        for child in children:
            child.stop()


def test_a_worker_that_is_restarted_within_its_session_moves_no_partition(
    kafka: Kafka, tmp_path: Path
) -> None:
    asyncio.run(restart_one_of_two(kafka, tmp_path))


async def take_the_name(kafka: Kafka, folder: Path) -> tuple[int, str]:
    """Start a worker under the name of one that runs; return how that ended, and let the new one fold."""
    assert not (await topics.create(kafka.settings(topics={"partitions": PARTITIONS}))).faults
    folders = [folder / name for name in ("first", "second")]
    for one in folders:
        one.mkdir()
    children = [worker(kafka, folders[0])]
    try:
        await children[0].ready()
        await send(kafka, prediction("1"))
        await asyncio.wait_for(reach(children[0], "tidewatch_events_total", 1), 30)
        children.append(worker(kafka, folders[1]))
        code = await asyncio.to_thread(children[0].process.wait, 60)
        await children[1].ready()
        await send(kafka, prediction("2"))
        await asyncio.wait_for(reach(children[1], "tidewatch_events_total", 1), 30)
        assert await owned(children[1]) == list(range(PARTITIONS))
    finally:
        for child in children:
            child.stop()
    return code, children[0].log.read_text()


def test_a_worker_whose_name_another_one_takes_ends_and_says_so(kafka: Kafka, tmp_path: Path) -> None:
    code, said = asyncio.run(take_the_name(kafka, tmp_path))
    assert code == 1, said
    assert "want a worker.instance of its own" in said.splitlines()[-1], said
    assert "Traceback" not in said
