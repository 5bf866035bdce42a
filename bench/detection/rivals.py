"""Core. River's own detectors on the same kind of streams: false alarms, and delays after a clean stretch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
from river.drift import ADWIN, PageHinkley
from river.drift.binary import DDM, HDDMA, HDDMW

from bench.detection.figures import SHIFTS
from stream.judge.harm import HarmDetector

CLEAN = 10_000
AFTER = 10_000
RIVALS: dict[str, Callable[[float], Any]] = {
    "harm, known, ARL 1e6": lambda rate: HarmDetector(rate, 1e6),
    "ADWIN .002": lambda _: ADWIN(),
    "ADWIN .05": lambda _: ADWIN(delta=0.05),
    "DDM": lambda _: DDM(),
    "HDDM_A": lambda _: HDDMA(),
    "HDDM_W": lambda _: HDDMW(),
    "PageHinkley": lambda _: PageHinkley(mode="up"),
}


class Row(NamedTuple):
    """One detector: false alarms per 1e6 clean losses, and by shift the mean delay and the share missed."""

    name: str
    false_alarms: float
    delays: tuple[tuple[str, float, float], ...]

    def __str__(self) -> str:
        shifts = "  ".join(f"{key} {delay:,.0f} ({missed:.2f})" for key, delay, missed in self.delays)
        return f"{self.name:>22}  {self.false_alarms:7.1f}  {shifts}"


def rows(short: bool, seed: int) -> Iterator[Row]:
    """Yield one row a detector; alarms in the clean stretch count as false, and River's begin anew after them."""
    repeats = 4 if short else 40
    for name, make in RIVALS.items():
        false, clean, found = 0, 0, []
        for before, after in SHIFTS:
            rng = np.random.default_rng([seed, int(after * 100), 5])
            waits = []
            for _ in range(repeats):
                alarms, wait = _run(make(before), before, after, rng)
                false, clean = false + alarms, clean + CLEAN
                waits.append(wait)
            seen = [wait for wait in waits if wait is not None]
            mean = float(np.mean(seen)) if seen else float("nan")
            found.append((f"{before:.0%}>{after:.0%}", mean, 1.0 - len(seen) / repeats))
        yield Row(name, false / clean * 1e6, tuple(found))


def _run(detector: Any, before: float, after: float, rng: np.random.Generator) -> tuple[int, int | None]:
    """Return false alarms in the clean stretch, and the losses from the change to the first alarm after it."""
    binary = type(detector).__module__.startswith("river.drift.binary")
    alarms = 0
    for lost in (rng.random(CLEAN) < before).tolist():
        detector.update(lost if binary else float(lost))
        alarms += detector.drift_detected
    for passed, lost in enumerate((rng.random(AFTER) < after).tolist(), 1):
        detector.update(lost if binary else float(lost))
        if detector.drift_detected:
            return alarms, passed
    return alarms, None
