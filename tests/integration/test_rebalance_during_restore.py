"""A worker that restores gives way to a rebalance: the group waits for all its members, and soon puts it out."""

import asyncio
import json
import time
from itertools import chain
from pathlib import Path

from stream import topics
from stream.demo.processes import Child, free_port
from tests.conftest import Kafka

PARTITIONS = 6
SLOW_S = 15.0
"""How long each partition that comes back takes the first worker; three do, within the group's minute."""


def worker(kafka: Kafka, folder: Path, fault: str = "") -> Child:
    folder.mkdir()
    own = {"port": free_port(), "data_dir": folder / "data"}
    environment = kafka.environment(worker=own, topics={"partitions": PARTITIONS})
    return Child("worker", environment | {"TIDEWATCH_FAULT": fault}, folder, own["port"])


async def owned(child: Child) -> list[int]:
    child.check()
    page = await asyncio.to_thread(child.get, "/readyz")
    return [] if page is None else json.loads(page)["partitions"]


async def reach(child: Child, text: str) -> None:
    """Return once the worker's log has the text."""
    while text not in child.tail():
        child.check()
        await asyncio.sleep(0.1)


async def own_all(children: list[Child]) -> None:
    """Return once every worker has some partitions, and together they have all."""
    while True:
        shares = [await owned(child) for child in children]
        if all(shares) and sorted(chain(*shares)) == [*range(PARTITIONS)]:
            return
        await asyncio.sleep(0.1)


async def join_a_restore(kafka: Kafka, folder: Path) -> float:
    """Return how long a worker was without partitions that came while another one restored."""
    assert not (await topics.create(kafka.settings(topics={"partitions": PARTITIONS}))).faults
    children = [worker(kafka, folder / "slow", f"delay:begun:{SLOW_S:g}")]
    try:
        await children[0].ready()
        children.append(worker(kafka, folder / "second"))
        await reach(children[0], "fault point")  # it takes back what it kept
        began = time.monotonic()
        children.append(worker(kafka, folder / "third"))
        await reach(children[2], '"assigned"')
        took_s = time.monotonic() - began
        await own_all(children)
        return took_s
    finally:
        for child in children:
            child.stop()


def test_a_worker_that_joins_does_not_wait_for_the_restore_of_another(kafka: Kafka, tmp_path: Path) -> None:
    took_s = asyncio.run(asyncio.wait_for(join_a_restore(kafka, tmp_path), 150))
    assert took_s < 2 * SLOW_S
