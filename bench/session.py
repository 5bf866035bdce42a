"""Shell. One run of the benchmark: its broker, its loaded topics, its figures and the noise around it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
import time
from collections.abc import AsyncIterator, Mapping
from typing import Any

import numpy as np

from bench import reference
from bench.cluster import Cluster, write
from bench.figure import Figure
from bench.options import Options
from bench.worker import Worker
from bench.workload import Mix, draw, outcomes, predictions
from stream.kafka.guard import die_with_parent

SPIN = 2_000_000
PROGRAM_TIMEOUT_S = 1_800.0


class Session:
    """What the measurements share. ``figures`` are in the order in which they were made."""

    def __init__(self, cluster: Cluster, options: Options) -> None:
        self.cluster = cluster
        self.options = options
        self.figures: list[Figure] = []
        self.notes: list[str] = []
        self.failures: list[str] = []
        self.spins: list[float] = []
        self._loaded: dict[str, int] = {}
        self._runs = 0

    def say(self, text: str) -> None:
        """Tell the person who waits; the report itself goes to the standard output."""
        sys.stderr.write(f"{time.strftime('%H:%M:%S')}  {text}\n")
        sys.stderr.flush()

    def spin(self) -> None:
        """Time a fixed piece of Python work: how noisy the machine is between repetitions."""
        began = time.perf_counter()
        for _ in range(SPIN):
            pass
        self.spins.append(time.perf_counter() - began)

    async def load(self, name: str, mix: Mix, records: int, start_at: float | None = None) -> int:
        """Write about ``records`` records of a mix into the inputs called ``name``, once; return how many.

        The event time ends now: the outcomes that are not known yet are not there.
        """
        if name in self._loaded:
            return self._loaded[name]
        await self.cluster.create(name, name)
        count = records // 2
        start_at = time.time() - count / mix.rate if start_at is None else start_at
        began = time.monotonic()
        columns = draw(np.random.default_rng(self.options.seed), mix, count, 0, start_at)
        brokers = self.cluster.brokers
        done = await write(brokers, f"{name}.predictions", predictions(columns), mix.models)
        until = start_at + count / mix.rate
        done += await write(brokers, f"{name}.outcomes", outcomes(columns, until), mix.models)
        self.say(f"{name}: {done:,} records written in {time.monotonic() - began:.0f} s")
        self._loaded[name] = done
        return done

    async def site(self, inputs: str, *, is_known: bool = False) -> dict[str, str]:
        """Return the environment of a worker with a new group and new state on loaded inputs.

        ``is_known``: the models of W have references, so that all of them are judged from the start.
        """
        self._runs += 1
        environment = await self.cluster.create(inputs, f"run{self._runs}")
        return environment | self._known() if is_known else environment

    def _known(self) -> dict[str, str]:
        path = self.cluster.folder / "references.json"
        if not path.exists():
            reference.write(path, Mix().models)
        return {"TIDEWATCH_MONITOR_REFERENCE": str(path)}

    @contextlib.asynccontextmanager
    async def worker(
        self,
        environment: Mapping[str, str],
        extra: Mapping[str, str] | None = None,
        core: int | None = None,
        name: str = "a",
    ) -> AsyncIterator[Worker]:
        """Run a worker; it ends with the block."""
        worker = Worker(self.cluster, environment, extra, core, name)
        try:
            yield worker
        finally:
            await asyncio.to_thread(worker.stop)

    async def reader(self, module: str, *arguments: str) -> float:
        """Run one of ``bench.readers`` in its own process; return its records a second."""
        found = await self.program(module, *arguments)
        return float(found["records"] / found["seconds"])

    async def program(self, module: str, *arguments: str, python: str = sys.executable) -> dict[str, Any]:
        """Run one of ``bench.readers`` to its end; return the JSON object of its last line.

        Raises:
            RuntimeError: it failed, or took too long.
        """
        process = await asyncio.create_subprocess_exec(
            *(python, "-m", f"bench.readers.{module}", *arguments),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            preexec_fn=die_with_parent(),
        )
        try:
            printed, complaints = await asyncio.wait_for(process.communicate(), PROGRAM_TIMEOUT_S)
        except TimeoutError:
            process.kill()
            raise RuntimeError(f"{module} did not end within {PROGRAM_TIMEOUT_S:.0f} s") from None
        if process.returncode:
            raise RuntimeError(f"{module} ended with {process.returncode}: {complaints.decode()[-2_000:]}")
        return dict(json.loads(printed.splitlines()[-1]))
