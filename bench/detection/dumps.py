"""Shell. Models whose labels come in a dump each night: a part of one that is sorted is no fair sample.

``python -m bench.detection.dumps [LIVES]`` prints a line for each kind of model (half an hour).
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from functools import partial
from statistics import median
from typing import NamedTuple

import numpy as np

from bench.detection.feed import Floats, page_days
from bench.detection.pool import each
from stream.events import ALL
from stream.traffic import DAY_S, HOUR_S

DAYS = 28
HARMED = 14.4
"""The day from which on more are wrong."""
RATES = 0.05, 0.1, 0.25
"""How many are wrong, by place."""
DUMPED_S, EACH_S = 2 * HOUR_S, 0.02
"""How long after midnight a day's labels come, and between two of them."""
TIERS = 2


class Kind(NamedTuple):
    """``labels_a_day``, and what they are sorted by: "place", "outcome", "prediction", or "chance".

    From ``HARMED`` on, ``times`` as many are wrong.
    """

    labels_a_day: int
    order: str
    times: float = 1.0

    def __str__(self) -> str:
        return f"{self.labels_a_day:>6,} labels a night, by {self.order:<10}"


def _known_at(kind: Kind, at: Floats, places: Floats, wrong: Floats, rng: np.random.Generator) -> Floats:
    """Return when the labels come, in days: in the night after, one after the other."""
    keys = {"place": places, "outcome": wrong, "prediction": at, "chance": rng.random(len(at))}
    day = at.astype(int)
    known_at = np.empty(len(at))
    for one in range(DAYS):
        those = np.flatnonzero(day == one)
        order = those[np.argsort(keys[kind.order][those], kind="stable")]
        known_at[order] = one + 1 + (DUMPED_S + EACH_S * np.arange(len(order))) / DAY_S
    return known_at


def pages(kind: Kind, seed: int) -> list[float]:
    """Return the days of the pages of one life, since the harm."""
    rng = np.random.default_rng(seed)
    at = np.sort(rng.uniform(0.0, DAYS, kind.labels_a_day * DAYS))
    places, tiers = rng.integers(0, len(RATES), len(at)), rng.integers(0, TIERS, len(at))
    wrong = rng.random(len(at)) < np.array(RATES)[places] * np.where(at >= HARMED, kind.times, 1.0)
    known_at = _known_at(kind, at, places.astype(float), wrong.astype(float), rng)

    def place(number: int) -> tuple[str, tuple[str, ...]]:
        return "v1", (ALL, f"place={places[number]}", f"tier={tiers[number]}")

    return [day - HARMED for day in page_days(at, known_at, wrong, place)]


def kinds() -> Iterator[Kind]:
    """Yield the models that are well."""
    for labels_a_day in (200, 2_000, 8_000, 20_000):
        for order in ("place", "outcome", "prediction", "chance"):
            yield Kind(labels_a_day, order)


def main(lives: int) -> None:
    """Print false pages of each kind while it is well, and how soon 1.5 and 3 times as many wrong are told."""
    for kind in kinds():
        found = [*each(partial(pages, kind), range(lives))]
        told = "; ".join(_told(kind._replace(times=times), lives) for times in (1.5, 3.0))
        counts = ", ".join(str(len(one)) for one in found)
        print(f"{kind}: false pages in lives of {DAYS} days {counts}; {told}", flush=True)


def _told(kind: Kind, lives: int) -> str:
    found = each(partial(pages, kind), range(lives))
    told = [min(late) for days in found if (late := [day for day in days if day > 0.0])]
    after = f", median after {24.0 * median(told):.0f} h" if told else ""
    return f"x{kind.times}: told in {len(told)}{after}"


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 4)
