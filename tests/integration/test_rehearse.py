"""``tidewatch rehearse`` on a real broker, with and without a worker."""

import asyncio
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from stream.demo.processes import free_port
from stream.topics import create

ROOT = Path(__file__).parents[2]


def rehearse(kafka, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", "from stream.rehearse import rehearse; rehearse()", *arguments],
        env=os.environ | kafka.environment() | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=150,
    )


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


def test_a_worker_finds_the_version_worse_and_then_well(kafka, worker):
    done = rehearse(kafka, "eta.rehearsal")
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(
        r"found worse by \d+ of its outcomes: eta\.rehearsal version rehearsal-\d+: accuracy", done.stdout
    )
    assert "found well again" in done.stdout


def test_without_a_worker_it_says_what_is_missing(kafka):
    asyncio.run(create(kafka.settings()))
    done = rehearse(kafka, "eta.rehearsal", "--timeout", "2")
    assert done.returncode == 1
    assert f"no open finding in {kafka.prefix}findings within 2 s" in done.stderr
    assert "Traceback" not in done.stderr


def test_without_topics_it_says_how_to_make_them(kafka):
    done = rehearse(kafka, "eta.rehearsal")
    assert done.returncode == 1
    assert "run: tidewatch topics create" in done.stderr
