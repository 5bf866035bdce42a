"""Shell. ``replay_events_s`` and ``replay_ratio``: ``tidewatch replay FILE`` against a loop that only decodes."""

from __future__ import annotations

import asyncio
import heapq
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np

from bench.figure import Figure, ratios
from bench.session import Session
from bench.workload import Mix, draw, outcomes, predictions
from stream.kafka.guard import die_with_parent

START_AT = 1_700_000_000.0
FEW = 6
MODELS = {"replay": Mix().models, "replay_few": FEW}
"""Models of each file, by what its figures begin with."""


class Cost(NamedTuple):
    """What one process took from its start to its end, in seconds; ``last`` is the last line it printed."""

    wall_s: float
    cpu_s: float
    last: bytes


async def measure(session: Session) -> None:
    """Add both ratios of both files and the speeds behind them."""
    for name, models in MODELS.items():
        path = session.cluster.folder / f"{name}.jsonl"
        lines = write(path, Mix(models=models), session.options.events, session.options.seed)
        session.say(f"{name}: {lines:,} lines written")
        replayed, decoded = [], []
        for turn in range(session.options.repeats):
            session.spin()
            replayed.append(await asyncio.to_thread(replay, path, lines))
            decoded.append(await asyncio.to_thread(decode, path, lines))
            session.say(
                f"{name} {turn + 1}/{session.options.repeats}: {lines / replayed[-1].wall_s:,.0f} events/s"
            )
        session.figures += figures(name, models, lines, replayed, decoded)


def write(path: Path, mix: Mix, records: int, seed: int) -> int:
    """Write about ``records`` records of a mix as lines, both topics in order of arrival; return how many."""
    count = records // 2
    columns = draw(np.random.default_rng(seed), mix, count, 0, START_AT)
    topics = predictions(columns), outcomes(columns, START_AT + count / mix.rate)
    lines = 0
    with path.open("wb") as file:
        for one in heapq.merge(*topics, key=lambda record: record.arrived_ms):
            file.write(one.value + b"\n")
            lines += 1
    return lines


def replay(path: Path, lines: int) -> Cost:
    """Replay a file.

    Raises:
        RuntimeError: it failed, or did not read all lines as events.
    """
    cost = run("-m", "stream", "replay", str(path), "--json")
    events = sum(json.loads(cost.last)["events"].values())
    if events != lines:
        raise RuntimeError(f"replay of {path.name}: {events:,} events, want {lines:,}")
    return cost


def decode(path: Path, lines: int) -> Cost:
    """Only read a file and decode its lines.

    Raises:
        RuntimeError: it failed, or did not read all lines.
    """
    cost = run("-m", "bench.readers.lines", str(path))
    if int(cost.last) != lines:
        raise RuntimeError(f"{path.name}: {int(cost.last):,} lines, want {lines:,}")
    return cost


def run(*arguments: str) -> Cost:
    """Run Python to its end without the settings of this machine; its start counts.

    Raises:
        RuntimeError: it failed.
    """
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TIDEWATCH_")}
    began = time.monotonic()
    process = subprocess.Popen(
        (sys.executable, *arguments),
        stdout=subprocess.PIPE,
        env=environment,
        preexec_fn=die_with_parent(),
    )
    assert process.stdout is not None
    with process.stdout as printed:
        last = b""
        for line in printed:
            last = line
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{' '.join(arguments)} ended with {process.returncode}")
    return Cost(time.monotonic() - began, used.ru_utime + used.ru_stime, last)


def figures(name: str, models: int, lines: int, replayed: list[Cost], decoded: list[Cost]) -> list[Figure]:
    """Return the figures of one file."""
    ours, loop = ([lines / one.wall_s for one in costs] for costs in (replayed, decoded))
    ours_cpu, loop_cpu = ([lines / one.cpu_s for one in costs] for costs in (replayed, decoded))
    aim = "100,000 is the aim" if name == "replay" else ""
    how = f"tidewatch replay FILE --json, {lines:,} lines of {models} models, start included"
    return [
        Figure(name=f"{name}_events_s", unit="events/s", samples=ours, how=how, wanted=aim),
        Figure(
            name=f"{name}_events_cpu_s", unit="events/s", samples=ours_cpu, how="a CPU second of the process"
        ),
        Figure(name=f"{name}_loop_events_s", unit="events/s", samples=loop, how="json.loads of each line"),
        Figure(
            name=f"{name}_ratio",
            unit="x",
            samples=ratios(ours, loop),
            how="replay / a process that only reads the file and decodes each line, within each repetition",
        ),
        Figure(
            name=f"{name}_ratio_cpu",
            unit="x",
            samples=ratios(ours_cpu, loop_cpu),
            how="the same by events a CPU second of the process",
        ),
    ]
