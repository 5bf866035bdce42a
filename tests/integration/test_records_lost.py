"""A worker that was away while its input was deleted says how much it never saw."""

import asyncio
from pathlib import Path

from stream import topics
from tests.conftest import Kafka
from tests.integration.one_model import been, delete, reach, send, worker

FOLDED, SENT, DELETED = 20, 50, 43


async def away(kafka: Kafka, folder: Path) -> tuple[float, float, str]:
    """Return what the worker that came back counts as lost, what it folded, and its log."""
    assert not (await topics.create(kafka.settings())).faults
    await been(kafka, folder, range(FOLDED))
    await send(kafka, range(FOLDED, SENT))
    await delete(kafka, DELETED)
    second = worker(kafka, folder)
    try:
        await second.ready()
        await reach(second, "tidewatch_events_total", SENT - DELETED)
        await reach(second, "tidewatch_records_lost_total", 1)
        lost = await second.figure("tidewatch_records_lost_total")
        return lost, await second.figure("tidewatch_events_total"), second.log.read_text()
    finally:
        second.stop()


def test_a_worker_that_comes_back_says_what_was_deleted_meanwhile(kafka: Kafka, tmp_path: Path) -> None:
    lost, folded, log = asyncio.run(asyncio.wait_for(away(kafka, tmp_path), 150))
    assert (lost, folded) == (DELETED - FOLDED, SENT - DELETED)
    assert "records lost" in log
