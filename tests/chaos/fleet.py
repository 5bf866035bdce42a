"""Processes of the service under a supervisor: one that ends is started again, whoever ended it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from stream.demo.processes import free_port
from stream.kafka.guard import die_with_parent
from tests.chaos import service

RESTART_S = 0.3
OWNERS_S = 60.0
START, ENDED = "--- start ", "--- ended "
"""What the supervisor writes into a log, before a process's own words and after them."""
AT_WORK, FIRED = '"assigned"', '"fault point"'
"""What a process says when it takes partitions over, and when it has come to its fault point."""


class Worker:
    """One place where a worker, or a pager, runs: its port, disk and log stay when the process is started anew."""

    def __init__(self, name: str, variables: Mapping[str, str], folder: Path, command: str) -> None:
        self.name = name
        self._command = command
        self.port = free_port()
        self.log = folder / f"{name}.log"
        self.disk = folder / f"{name}-disk"
        self.wanted = True
        self.exits: list[int] = []
        self.unclean: list[int] = []
        """Exit codes other than 0 of processes at work that were asked to end, and were not killed then."""
        self.starts = 0
        self.next_fault = ""
        self.is_stopped = False
        self._killed = False
        self._asked_at_work = False
        self._variables = {**variables, f"TIDEWATCH_{command.upper()}_PORT": str(self.port)}
        self._process: subprocess.Popen[bytes] | None = None
        self._due_at = 0.0

    @property
    def runs(self) -> bool:
        """Whether its process is there."""
        return self._process is not None and self._process.poll() is None

    def start(self, fault: str) -> None:
        """Start the process; ``fault`` is for this one start only, empty for none."""
        self.starts += 1
        self._killed = self._asked_at_work = False
        variables = {**os.environ, **self._variables, **service.of_disk(self.disk)}
        if fault:
            variables["TIDEWATCH_FAULT"] = fault
        with self.log.open("ab") as log:
            log.write(f"{START}{self.starts} {fault}\n".encode())
            log.flush()
            self._process = subprocess.Popen(
                [sys.executable, "-m", "stream", self._command],
                env=variables,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=die_with_parent(),
            )

    def send(self, how: signal.Signals) -> None:
        """Send a signal to the process, if there is one."""
        if self._process is not None and self.runs:
            self._killed |= how in (signal.SIGKILL, signal.SIGTERM)
            # before it is at work it has no handler yet, and nothing to write
            self._asked_at_work |= how == signal.SIGTERM and AT_WORK in self._lives()[-1]
            self._asked_at_work &= how != signal.SIGKILL
            self.is_stopped = how == signal.SIGSTOP
            self._process.send_signal(how)

    def supervise(self) -> None:
        """Note an end, and start the process again a moment later if it is wanted."""
        process = self._process
        if process is not None and process.poll() is not None:
            self._note_end(process.returncode)
            self._process, self._due_at = None, time.monotonic() + RESTART_S
        if self._process is None and self.wanted and time.monotonic() >= self._due_at:
            fault, self.next_fault = self.next_fault, ""
            self.start(fault)

    def _note_end(self, code: int) -> None:
        with self.log.open("ab") as log:
            log.write(f"{ENDED}{code}\n".encode())
        if not self._killed:
            self.exits.append(code)
        if self._asked_at_work and code:
            self.unclean.append(code)

    def lose_disk(self) -> None:
        """Kill it and remove its files."""
        self.send(signal.SIGKILL)
        if self._process is not None:
            self._process.wait()
        shutil.rmtree(self.disk, ignore_errors=True)

    def end(self) -> None:
        """Kill it for good."""
        self.wanted = False
        if self._process is not None and self.runs:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def said(self, word: str) -> int:
        """Return how many lines of its log hold the word."""
        return sum(word in line for line in self.log.read_text(errors="replace").splitlines())

    def faults(self) -> tuple[int, int]:
        """Return how many processes were started with a fault point, and in how many of them it did its work."""
        asked = [life for life in self._lives() if life.partition("\n")[0].partition(" ")[2]]
        return len(asked), sum(_has_fired(life) for life in asked)

    def _lives(self) -> list[str]:
        """Return what each of its processes said, beginning with its number and its fault point."""
        return self.log.read_text(errors="replace").split(START)[1:]

    def tail(self) -> str:
        """Return the end of its log."""
        return self.log.read_text(errors="replace")[-2_000:]


def _has_fired(life: str) -> bool:
    """Whether the fault point was come to, and ended the process if that was what it is for."""
    is_kill = life.partition("\n")[0].partition(" ")[2].startswith("kill:")
    return FIRED in life and (not is_kill or f"{ENDED}-9" in life)


class Fleet:
    """All workers of one round, or all pagers."""

    def __init__(self, variables: Mapping[str, str], folder: Path, command: str = "worker") -> None:
        self.workers: list[Worker] = []
        self._variables = variables
        self._folder = folder
        self._command = command

    def resize(self, count: int) -> None:
        """Have this many wanted: ask the last ones to end, or start more."""
        while len(self.workers) < count:
            name = f"{self._command}-{len(self.workers)}"
            self.workers.append(Worker(name, self._variables, self._folder, self._command))
        for number, worker in enumerate(self.workers):
            worker.wanted = number < count
            if not worker.wanted:
                worker.send(signal.SIGTERM)

    def wanted(self) -> list[Worker]:
        """Return the workers that are meant to run."""
        return [worker for worker in self.workers if worker.wanted]

    def supervise(self) -> None:
        """Look after each."""
        for worker in self.workers:
            worker.supervise()

    def await_owners(self, count: int) -> None:
        """Return when this many own partitions, so that a storm hits workers at work."""
        deadline = time.monotonic() + OWNERS_S
        while sum(service.owns(worker.port) > 0 for worker in self.workers) < count:
            self.supervise()
            time.sleep(0.2)
            if time.monotonic() > deadline:
                told = "\n".join(worker.tail() for worker in self.workers)
                raise RuntimeError(f"{count} workers did not all get partitions; they say:\n{told}")

    def unclean(self) -> list[str]:
        """Return who was asked to end, and ended otherwise than with 0."""
        return [f"{one.name} asked to end: exit {code}" for one in self.workers for code in one.unclean]

    def faults(self) -> tuple[int, int]:
        """Return how many processes were started with a fault point, and in how many it did its work."""
        asked, fired = zip(*(worker.faults() for worker in self.workers), strict=True)
        return sum(asked), sum(fired)

    def end(self) -> None:
        """Kill all."""
        for worker in self.workers:
            worker.end()

    def keep_logs(self, prefix: str) -> None:
        """Copy what all said to where it stays."""
        kept = Path(tempfile.gettempdir(), f"tidewatch-{prefix}logs")
        kept.mkdir(exist_ok=True)
        for worker in self.workers:
            (kept / worker.log.name).write_bytes(worker.log.read_bytes())
