"""However the demo ends, nothing that it started goes on, and folders are as they were."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from tests.dashboards import ROOT
from tests.signals import hear_all

MARK = "TIDEWATCH_TEST_MARK"
UP = "worker and pager are up"
GONE_WITHIN_S = 30.0


class Run:
    """A demo on an embedded Kafka; whatever it starts inherits a mark in its environment."""

    def __init__(self, log: Path, cwd: Path) -> None:
        self.mark = f"{MARK}={uuid4().hex}"
        self.log = log
        self.cwd = cwd
        self.scratch = log.with_name("scratch")
        self.scratch.mkdir()
        name, _, value = self.mark.partition("=")
        with log.open("wb") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "stream", "demo", "--seed", "3"],
                cwd=cwd,
                env=os.environ | {name: value, "PYTHONPATH": str(ROOT), "TMPDIR": str(self.scratch)},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=hear_all,
            )

    def living(self) -> dict[int, str]:
        """Return the command lines of the marked processes by pid."""
        found = {}
        for folder in Path("/proc").iterdir():
            try:
                if folder.name.isdigit() and self.mark.encode() in (folder / "environ").read_bytes():
                    line = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                    found[int(folder.name)] = line
            except OSError:  # it ended meanwhile, or is not ours to read
                continue
        return {pid: line for pid, line in found.items() if line}

    def pid_of(self, words: str) -> int:
        (pid,) = [pid for pid, line in self.living().items() if words in line]
        return pid

    def until(self, true: Callable[[], bool], within_s: float, what: str) -> None:
        ends = time.monotonic() + within_s
        while not true():
            text = self.log.read_text()
            assert time.monotonic() < ends, f"not within {within_s} s: {what}; {self.living()}\n{text}"
            time.sleep(0.1)


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    if not Path("/proc/self/environ").exists():
        pytest.skip("NOT SHOWN without /proc: that no process of the demo is left")
    cwd = tmp_path / "cwd"
    cwd.mkdir()
    started = Run(tmp_path / "demo.log", cwd)
    try:
        yield started
        assert [*cwd.iterdir()] == []
    finally:
        for pid in started.living():
            os.kill(pid, signal.SIGKILL)
        started.process.wait()


def play_until_all_are_up(run: Run) -> None:
    def up() -> bool:
        assert run.process.poll() is None, run.log.read_text()
        return UP in run.log.read_text()

    run.until(up, 120, UP)
    lines = run.living().values()
    for part in ("kafka.Kafka", "guard.py", "stream worker", "stream pager"):
        assert any(part in line for line in lines), f"{part} is not among {lines}"


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupted_demo_leaves_no_process_behind(run: Run, ending: signal.Signals) -> None:
    play_until_all_are_up(run)
    run.process.send_signal(ending)
    assert run.process.wait(GONE_WITHIN_S) == 130
    assert "stopped" in run.log.read_text()
    assert "Traceback" not in run.log.read_text()
    assert run.living() == {}
    assert [*run.scratch.iterdir()] == []


def test_a_killed_demo_leaves_no_process_behind(run: Run) -> None:
    play_until_all_are_up(run)
    run.process.kill()
    run.process.wait()
    run.until(lambda: not run.living(), GONE_WITHIN_S, "everything ends")


def test_a_demo_whose_worker_dies_says_so_and_leaves_no_process_behind(run: Run) -> None:
    play_until_all_are_up(run)
    os.kill(run.pid_of("stream worker"), signal.SIGKILL)
    assert run.process.wait(60) == 1
    assert "WRONG: worker ended with -9" in run.log.read_text()
    assert run.living() == {}
