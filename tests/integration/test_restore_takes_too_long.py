"""A worker that is not given the time to restore its partitions ends, and says so."""

import asyncio
from pathlib import Path

from stream import topics
from stream.demo.processes import Child, free_port
from tests.conftest import Kafka

RESTORE_S = 0.001
"""Less than it takes to open a transaction."""


async def ended(kafka: Kafka, folder: Path) -> tuple[int, str]:
    """Return the exit code and the log of a worker that has no time to restore."""
    assert not (await topics.create(kafka.settings())).faults
    own = {"port": free_port(), "data_dir": folder / "data", "restore_timeout_s": RESTORE_S}
    child = Child("worker", kafka.environment(worker=own), folder, own["port"])
    try:
        code = await asyncio.to_thread(child.process.wait, 60)
        return code, child.log.read_text()
    finally:
        child.stop()


def test_a_worker_whose_restore_outlasts_its_time_ends_and_names_the_setting(
    kafka: Kafka, tmp_path: Path
) -> None:
    code, log = asyncio.run(ended(kafka, tmp_path))
    assert code == 1
    assert "want a higher worker.restore_timeout_s" in log
