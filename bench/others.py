"""Shell. ``quix_events_s`` and ``bytewax_events_s``: what other stream processors take to decode the same topics.

For the record, and only when asked for: they are installed into an environment of their own, since what they want
of confluent-kafka and of Python is not what Tidewatch's tests want.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from bench.figure import Figure, ratios
from bench.session import Session
from bench.workload import Mix

LOCKED = Path("requirements/others.txt")
HOW = {
    "quix": "Quix Streams application, its own JSON deserializer, own process",
    "bytewax": "Bytewax dataflow in batches of 5,000 and json.loads, own process",
}
"""The readers, and what each is."""


async def measure(session: Session) -> None:
    """Add the speed of each, and its ratio to the bare consumer."""
    total = await session.load("w", Mix(), session.options.events)
    python = str(await install(session.cluster.folder / "others"))
    brokers, topics = session.cluster.brokers, ("w.predictions", "w.outcomes")
    bare: list[float] = []
    speeds: dict[str, list[float]] = {name: [] for name in HOW}
    for turn in range(session.options.repeats):
        session.spin()
        bare.append(await session.reader("bare", brokers, "json", *topics))
        for name, samples in speeds.items():
            found = await session.program(name, brokers, str(total), *topics, python=python)
            samples.append(found["records"] / found["seconds"])
        last = ", ".join(f"{name} {samples[-1]:,.0f}" for name, samples in speeds.items())
        session.say(f"others {turn + 1}/{session.options.repeats}: bare {bare[-1]:,.0f}, {last}")
    for name, samples in speeds.items():
        session.figures += [
            Figure(name=f"{name}_events_s", unit="events/s", samples=samples, how=HOW[name]),
            Figure(
                name=f"{name}_of_bare",
                unit="x",
                samples=ratios(samples, bare),
                how="/ bare consumer with json.loads, within each repetition",
            ),
        ]


async def install(folder: Path) -> Path:
    """Make an environment with the locked packages; return its Python.

    Raises:
        RuntimeError: there is no such package for this Python, or it can't be had.
    """
    python = folder / "bin" / "python"
    await _uv("venv", "--quiet", "--python", sys.executable, str(folder))
    await _uv("pip", "install", "--quiet", "--python", str(python), "--require-hashes", "-r", str(LOCKED))
    return python


async def _uv(*arguments: str) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "uv", *arguments), stderr=asyncio.subprocess.PIPE
    )
    _, complaints = await process.communicate()
    if process.returncode:
        raise RuntimeError(
            f"uv {arguments[0]} ended with {process.returncode}: {complaints.decode().strip()}"
        )
