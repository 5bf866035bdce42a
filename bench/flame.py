"""Shell. ``--profile FILE``: a py-spy profile of a worker that reads workload W, instead of any figure."""

from __future__ import annotations

import asyncio
import shutil
import sys
from pathlib import Path

from bench.session import Session
from bench.worker import follow
from bench.workload import Mix

RATE = 200
"""Samples a second."""


async def record(session: Session, into: Path) -> None:
    """Write the profile: a flame graph, or folded stacks when the file's name ends with ``.txt``.

    Raises:
        RuntimeError: py-spy is not installed, or failed.
    """
    program = Path(sys.executable).with_name("py-spy")
    found = str(program) if program.exists() else shutil.which("py-spy")
    if found is None:
        raise RuntimeError("py-spy is not installed: .venv/bin/pip install py-spy")
    total = await session.load("w", Mix(), session.options.events)
    async with session.worker(await session.site("w", is_known=True)) as worker:
        await worker.ready()
        kind = "raw" if into.suffix == ".txt" else "flamegraph"
        process = await asyncio.create_subprocess_exec(
            *(found, "record", "--nonblocking", "--threads", "--rate", str(RATE), "--format", kind),
            *("--output", str(into), "--pid", str(worker.pid)),
        )
        await follow(session.cluster, worker.group, int(0.95 * total), [worker])
        process.send_signal(2)
        if await process.wait() not in (0, 130):
            raise RuntimeError(f"py-spy ended with {process.returncode}")
    session.say(f"profile of {total:,} records written to {into}")
