"""The figures over windows: since rollout they must be the oracle's, in all windows those of the calm run.

Windows are of event time, so the order in which two topics were read must not matter to them.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from tests.chaos.oracle import Event, Pair, Series

Row = dict[str, Any]
NEAR = 1e-9
"""Sums are of floats, in any order: so far a figure may be from another, relative and absolute."""
NEAR_BOUND = 1e-6
"""A bound is a root of a difference, which may be 0 but for rounding."""
LEAST = 2.0**-52
WHOLE = "all"


def differences(rows: Iterable[Row], joined: dict[Series, list[Pair]]) -> list[str]:
    """Return every figure since rollout that is not what the joined pairs make of it, one line each."""
    found: list[str] = []
    left = {key: pairs for key, pairs in joined.items() if pairs}
    for key, row in _by_series(rows).items():
        pairs = left.pop(key, [])
        have = row["windows"].get("rollout", {})
        wanted = expected(pairs, is_whole=key.slice == WHOLE)
        if not pairs and have:
            found.append(f"{'/'.join(key)}: figures of no outcomes")
        for name, (value, count) in wanted.items():
            one = have.get(name, {"value": None, "count": 0})
            if one["count"] != count or not _near(one["value"], value, NEAR):
                found.append(
                    f"{'/'.join(key)}: {name} {one['value']} of {one['count']}: want {value} of {count}"
                )
    return found + [f"{'/'.join(key)}: no windows" for key in left]


def expected(pairs: Sequence[Pair], *, is_whole: bool) -> dict[str, tuple[float, int]]:
    """Return value and count of the figures of these pairs of prediction and outcome, by name; none of none."""
    if not pairs:
        return {}
    if isinstance(pairs[0][0]["prediction"], float):
        return dict(_of_errors(pairs, is_whole=is_whole))
    return dict(_of_classes(pairs, is_whole=is_whole))


def _of_errors(pairs: Sequence[Pair], *, is_whole: bool) -> Iterator[tuple[str, tuple[float, int]]]:
    errors = [said["prediction"] - was["outcome"] for said, was in pairs]
    count = len(errors)
    yield "mae", (math.fsum(map(abs, errors)) / count, count)
    yield "bias", (math.fsum(errors) / count, count)
    yield "rmse", (math.sqrt(math.fsum(error * error for error in errors) / count), count)
    shares = [
        abs(error / was["outcome"]) for error, (_, was) in zip(errors, pairs, strict=True) if was["outcome"]
    ]
    if is_whole and shares:
        yield "mape", (math.fsum(shares) / len(shares), len(shares))


def _of_classes(pairs: Sequence[Pair], *, is_whole: bool) -> Iterator[tuple[str, tuple[float, int]]]:
    labels = [(said["prediction"], was["outcome"]) for said, was in pairs]
    yield "accuracy", (sum(said == was for said, was in labels) / len(labels), len(labels))
    if not is_whole:
        return
    recalls = []
    for name in sorted({label for pair in labels for label in pair}):
        right = sum(said == was == name for said, was in labels)
        if said_so := sum(said == name for said, _ in labels):
            yield f"precision[{name}]", (right / said_so, said_so)
        if was_so := sum(was == name for _, was in labels):
            recalls.append(right / was_so)
            yield f"recall[{name}]", (recalls[-1], was_so)
    yield "balanced_accuracy", (math.fsum(recalls) / len(recalls), len(labels))
    yield from _of_scores([(said["scores"], was) for said, was in pairs if "scores" in said])


def _of_scores(scored: Sequence[tuple[dict[str, float], Event]]) -> Iterator[tuple[str, tuple[float, int]]]:
    """Yield those of two classes whose scores add up to 1."""
    if scored:
        chances = [scores[was["outcome"]] for scores, was in scored]
        count = len(chances)
        yield "log_loss", (-math.fsum(math.log(max(chance, LEAST)) for chance in chances) / count, count)
        yield "brier", (math.fsum((1.0 - chance) ** 2 for chance in chances) / count, count)


def unlike(rows: Iterable[Row], calm: Iterable[Row]) -> list[str]:
    """Return what differs from the calm run: figures in any window, and which versions have an estimate.

    An estimate's own numbers are of the newest predictions in the order in which they were joined: not compared.
    """
    rows, calm = [*rows], [*calm]
    have, want = _by_series(rows), _by_series(calm)
    found = [
        f"{'/'.join(key)}: windows {have.get(key)}: in the calm run {want.get(key)}"
        for key in sorted(have.keys() | want.keys())
        if key not in have or key not in want or not _alike(have[key], want[key], NEAR)
    ]
    if _estimated(rows) != _estimated(calm):
        found.append(f"estimates of {_estimated(rows) ^ _estimated(calm)} only here, or only in the calm run")
    return found


def estimated(rows: Iterable[Row]) -> int:
    """Return how many versions have an estimate."""
    return len(_estimated(rows))


def _estimated(rows: Iterable[Row]) -> set[tuple[str, str]]:
    return {(row["model"], row["version"]) for row in rows if row["kind"] == "version" and row["estimate"]}


def _by_series(rows: Iterable[Row]) -> dict[Series, Row]:
    return {
        Series(row["model"], row["version"], row["slice"]): row for row in rows if row["kind"] == "windows"
    }


def _alike(one: Any, other: Any, near: float) -> bool:
    if isinstance(one, dict) and isinstance(other, dict):
        bounds = ("lower", "upper")
        return one.keys() == other.keys() and all(
            _alike(one[name], other[name], NEAR_BOUND if name in bounds else near) for name in one
        )
    return _near(one, other, near) if isinstance(one, float) else bool(one == other)


def _near(one: Any, other: Any, near: float) -> bool:
    if one is None or other is None:
        return one is other
    return math.isclose(one, other, rel_tol=near, abs_tol=near)
