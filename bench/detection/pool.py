"""Shell. As many processes as there are cores."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from os import cpu_count
from typing import Final, TypeVar

CORES: Final = cpu_count() or 1
Task = TypeVar("Task")
Found = TypeVar("Found")


def each(work: Callable[[Task], Found], tasks: Iterable[Task]) -> Iterator[Found]:
    """Yield what ``work``, which can be pickled, makes of each task, in their order."""
    with ProcessPoolExecutor(CORES, get_context("spawn")) as pool:
        yield from pool.map(work, tasks)
