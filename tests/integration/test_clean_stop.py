"""A worker that is asked to end writes what it has folded first, however far the next checkpoint is."""

import asyncio
from pathlib import Path

from stream import topics
from stream.inspect import rows
from tests.conftest import Kafka
from tests.integration.one_model import fold, worker

INTERVAL_S = 600.0
EVENTS = 57


async def written(kafka: Kafka) -> int:
    """Return how many predictions the checkpoints hold."""
    return sum(
        [
            row["predictions"]
            async for row in rows(kafka.settings())
            if row["kind"] == "series" and row["slice"] == "all"
        ]
    )


async def first_written(kafka: Kafka) -> None:
    """Return after the first checkpoint, which is due at once; the next one is not."""
    while True:
        if await written(kafka):
            return
        await asyncio.sleep(0.1)


async def stop_with_much_unwritten(kafka: Kafka, folder: Path) -> tuple[int, int, int]:
    """Return what was written before the worker was asked to end and after it, and its exit code."""
    assert not (await topics.create(kafka.settings())).faults
    child = worker(kafka, folder, checkpoint_interval_s=INTERVAL_S)
    try:
        await child.ready()
        await asyncio.wait_for(fold(kafka, child, range(1)), 30)
        await asyncio.wait_for(first_written(kafka), 30)
        await asyncio.wait_for(fold(kafka, child, range(1, 1 + EVENTS)), 30)
        before = await written(kafka)
        child.process.terminate()
        code = await asyncio.to_thread(child.process.wait, 30)
        return before, await written(kafka), code
    finally:
        child.stop()


def test_a_worker_that_is_asked_to_end_has_written_all_it_folded(kafka: Kafka, tmp_path: Path) -> None:
    before, after, code = asyncio.run(stop_with_much_unwritten(kafka, tmp_path))
    assert before == 1, "it was written in any case: nothing is shown"
    assert after == 1 + EVENTS
    assert code == 0
