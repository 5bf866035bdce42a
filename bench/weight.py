"""Edge. What objects weigh, without knowing their classes: by the file that allocated, by class and attribute."""

from __future__ import annotations

import sys
import tracemalloc
import types
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

TOP = 14
OURS = ("stream.", "alerts.")
SHARED = (type, types.ModuleType, types.FunctionType, types.BuiltinFunctionType, types.MethodType)


def by_file(snapshot: tracemalloc.Snapshot, series: int) -> dict[str, float]:
    """Return Python's own allocations a series by source file, heaviest first."""
    rows = snapshot.statistics("filename")[:TOP]
    return {"/".join(row.traceback[0].filename.split("/")[-2:]): row.size / series for row in rows}


def by_attribute(roots: Iterable[Any], series: int) -> dict[str, float]:
    """Return bytes a series by ``Class.attribute``: what hangs there, up to the next object of ours.

    What C code holds outside Python's allocator (part of River's ADWIN) is not seen; the resident memory is.
    """
    weights: Counter[str] = Counter()
    seen: set[int] = set()
    waiting = list(roots)
    seen.update(map(id, waiting))
    while waiting:
        one = waiting.pop()
        weights[type(one).__name__] += sys.getsizeof(one)
        for name, value in attributes(one):
            weight, found = _weigh(value, seen)
            weights[f"{type(one).__name__}.{name}"] += weight
            waiting += found
    return {name: weight / series for name, weight in weights.most_common(TOP)}


def attributes(one: Any) -> Iterator[tuple[str, Any]]:
    """Yield what an object holds by name, of slots and of its dictionary."""
    yield from getattr(one, "__dict__", {}).items()
    for kind in type(one).__mro__:
        slots = kind.__dict__.get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            if hasattr(one, name) and not name.startswith("__"):
                yield name, getattr(one, name)


def _weigh(value: Any, seen: set[int]) -> tuple[int, list[Any]]:
    """Return the bytes below ``value`` and the objects of ours that were met, each object once."""
    weight, ours, waiting = 0, [], [value]
    while waiting:
        one = waiting.pop()
        if id(one) in seen or isinstance(one, SHARED):
            continue
        seen.add(id(one))
        if type(one).__module__.startswith(OURS) and not isinstance(one, tuple):
            ours.append(one)
            continue
        weight += sys.getsizeof(one)
        waiting += children(one)
    return weight, ours


def children(one: Any) -> list[Any]:
    """Return what a foreign object or container refers to."""
    if isinstance(one, dict):
        return [*one.keys(), *one.values()]
    if isinstance(one, str | bytes | int | float | bool | None):
        return []
    held = [value for _, value in attributes(one)]
    if isinstance(one, list | tuple | set | frozenset) or type(one).__name__ == "deque":
        held += list(one)
    elif getattr(one, "base", None) is not None:
        held.append(one.base)  # a numpy view
    return held
