"""A worker that is not given the time to restore its partitions ends, and says so."""

import asyncio
from pathlib import Path

from stream import topics
from tests.conftest import Kafka
from tests.integration.one_model import ended, worker

RESTORE_S = 0.001
"""Less than it takes to open a transaction."""


async def hurried(kafka: Kafka, folder: Path) -> tuple[int, str]:
    """Return the exit code and the log of a worker that has no time to restore."""
    assert not (await topics.create(kafka.settings())).faults
    return await ended(worker(kafka, folder, restore_timeout_s=RESTORE_S), 60)


def test_a_worker_whose_restore_outlasts_its_time_ends_and_names_the_setting(
    kafka: Kafka, tmp_path: Path
) -> None:
    code, log = asyncio.run(hurried(kafka, tmp_path))
    assert code == 1
    assert "want a higher worker.restore_timeout_s" in log
