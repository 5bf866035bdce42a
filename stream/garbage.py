"""Shell. The garbage collector of a process with a large state that lives long and has no cycles.

What a fold keeps is freed by its reference counts. But each object of it that outlives a few thousand others was
looked through, twice, and by then was out of the processor's cache: 6 % of a worker's time. So what a piece of the
fold leaves behind is moved out of the collector's sight, which only joins two lists.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

GENERATIONS = 5_000, 20, 1_000
"""Allocations before the young are looked through, then the middle-aged, then all.

The young while they are still in the processor's cache; all of them seldom, since that stops the process for
longer than a heartbeat should wait.
"""
ALL_S = 3_600.0
"""Seconds between two looks through everything: each stops the process for 0.4 s with 5,000 models."""


def collect_seldom() -> None:
    """Set this process's collector."""
    gc.set_threshold(*GENERATIONS)


@contextmanager
def out_of_sight() -> Iterator[None]:
    """Do not look again through what is made in here and stays; what was made before has its look first."""
    gc.collect(0)
    try:
        yield
    finally:
        gc.freeze()


def collect_all() -> None:
    """Look through everything, also what is out of sight, and put it there again."""
    gc.unfreeze()
    gc.collect()
    gc.freeze()
