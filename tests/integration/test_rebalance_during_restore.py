"""A worker that restores gives way to a rebalance: the group waits for all its members, and soon puts it out."""

import asyncio
from itertools import chain
from pathlib import Path

from stream import topics
from stream.demo.processes import Child, free_port
from tests.conftest import Kafka
from tests.integration.one_model import owned

PARTITIONS = 6
SLOW_S = 15.0
"""How long each partition that comes back takes the first worker; three do, within the group's minute."""


def worker(kafka: Kafka, folder: Path, fault: str = "") -> Child:
    folder.mkdir()
    own = {"port": free_port(), "data_dir": folder / "data"}
    environment = kafka.environment(worker=own, topics={"partitions": PARTITIONS})
    return Child("worker", environment | {"TIDEWATCH_FAULT": fault}, folder, own["port"])


async def reach(child: Child, text: str) -> None:
    """Return once the worker's log has the text."""
    while text not in child.tail():
        child.check()
        await asyncio.sleep(0.1)


def restores(child: Child) -> int:
    """Return how many takeovers of partitions the worker's log tells as done."""
    return child.log.read_text(errors="replace").count('"assigned"')


async def own_all(children: list[Child]) -> None:
    """Return once every worker has some partitions, and together they have all."""
    while True:
        shares = [await owned(child) for child in children]
        if all(shares) and sorted(chain(*shares)) == [*range(PARTITIONS)]:
            return
        await asyncio.sleep(0.1)


async def join_a_restore(kafka: Kafka, folder: Path) -> bool:
    """Return whether a worker that came while another one restored had to wait until that was done."""
    assert not (await topics.create(kafka.settings(topics={"partitions": PARTITIONS}))).faults
    children = [worker(kafka, folder / "slow", f"delay:begun:{SLOW_S:g}")]
    try:
        await children[0].ready()
        children.append(worker(kafka, folder / "second"))
        await reach(children[0], "fault point")  # it takes back what it kept
        restored = restores(children[0])
        children.append(worker(kafka, folder / "third"))
        await reach(children[2], '"assigned"')
        has_waited = restores(children[0]) > restored
        await own_all(children)
        return has_waited
    finally:
        for child in children:
            child.stop()


def test_a_worker_that_joins_does_not_wait_for_the_restore_of_another(kafka: Kafka, tmp_path: Path) -> None:
    assert not asyncio.run(asyncio.wait_for(join_a_restore(kafka, tmp_path), 150))
