"""A worker beside the broker, for what asks it from outside."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest

from stream.demo.processes import free_port
from stream.topics import create

ROOT = Path(__file__).parents[2]


@pytest.fixture
def worker(kafka, tmp_path):
    asyncio.run(create(kafka.settings()))
    own = {"worker": {"port": free_port(), "data_dir": tmp_path / "worker"}}
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "stream", "worker"],
            env=os.environ | kafka.environment(**own) | {"PYTHONPATH": str(ROOT)},
            stdout=log,
            stderr=log,
        )
    yield process
    process.kill()
    process.wait()
