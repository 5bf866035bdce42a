"""A process whose cores are lent to another: every thread moves, and moves back."""

import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from bench.pair import pinned

TWO_THREADS = "import threading; threading.Thread(target=input).start(); print('up', flush=True); input()"


@pytest.fixture
def process() -> Iterator[int]:
    command = [sys.executable, "-c", TWO_THREADS]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        try:
            yield child.pid
        finally:
            child.kill()


def cores_of_threads(pid: int) -> list[set[int]]:
    return [os.sched_getaffinity(int(thread)) for thread in os.listdir(f"/proc/{pid}/task")]


def test_every_thread_runs_on_the_given_core_and_where_it_likes_afterwards(process: int) -> None:
    before = cores_of_threads(process)
    core = {max(os.sched_getaffinity(0))}
    with pinned(process, core):
        assert cores_of_threads(process) == [core, core]
    assert cores_of_threads(process) == before


def test_without_another_core_nothing_is_moved(process: int) -> None:
    before = cores_of_threads(process)
    with pinned(process, set()):
        assert cores_of_threads(process) == before
