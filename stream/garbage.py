"""Shell. The garbage collector of a process with a large state that lives long and has no cycles."""

from __future__ import annotations

import gc

GENERATIONS = 5_000, 20, 1_000
"""Allocations before the young are looked through, then the middle-aged, then all.

The young while they are still in the processor's cache; all of them seldom, since that stops the process for
longer than a heartbeat should wait.
"""


def collect_seldom() -> None:
    """Set this process's collector."""
    gc.set_threshold(*GENERATIONS)
