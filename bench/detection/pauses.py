"""Shell. Models whose wrong labels come sooner, or later, than the right ones; they pause, or are rolled out.

After a pause, and of a new version, slow labels are missing: what comes is a biased sample, until as much time has
passed as they take. ``python -m bench.detection.pauses [LIVES]`` prints a line for each kind of model (half an
hour).
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from functools import partial
from statistics import median
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bench.detection.feed import Floats, page_days
from bench.detection.pool import each
from stream.events import ALL
from stream.traffic import DAY_S, HOUR_S

RATE = 0.1
"""How many are wrong."""
DAYS = 28
PAUSED = 14.4
"""The day on which the one pause begins, and ends where it takes no time."""
MINUTE_S = 60.0


class Kind(NamedTuple):
    """``labels_a_day``, and which of them are ``slow``: "right", "wrong", "any" (as many, by chance).

    They take ``slow_h``, the others a minute. It pauses for ``pause_h`` once, or each "weekend" or "night", or
    outside of an "office", where that is the ``rest``. From the end of the one pause on, ``times`` as many are
    wrong. A version lives for so many days.
    """

    labels_a_day: int
    slow: str
    pause_h: float = 0.0
    rest: str = ""
    times: float = 1.0
    lives: float = DAYS
    slow_h: float = 24.0

    def __str__(self) -> str:
        rests = f"rest {self.rest}" if self.rest else f"a pause of {self.pause_h:g} h"
        return f"slow: {self.slow:<5}, {self.slow_h:g} h; {rests}; a version each {self.lives:g} days"


def _served(kind: Kind, rng: np.random.Generator) -> Floats:
    """Return the days of the predictions, in order."""
    at = np.sort(rng.uniform(0.0, DAYS, kind.labels_a_day * DAYS))
    hour = 24.0 * (at % 1)
    rests = {
        "weekend": at % 7 >= 5,
        "night": hour >= 12,
        "office": (hour < 9) | (hour >= 17),
        "": np.zeros(len(at), bool),
    }[kind.rest]
    return at[~rests & ~((at >= PAUSED) & (at < PAUSED + kind.pause_h / 24))]


def _delays_s(kind: Kind, wrong: NDArray[np.bool_], rng: np.random.Generator) -> Floats:
    chance = rng.random(len(wrong)) < 1 - RATE
    slow = {"right": ~wrong, "wrong": wrong, "any": chance}[kind.slow]
    return np.where(slow, kind.slow_h * HOUR_S, MINUTE_S) * rng.uniform(0.9, 1.1, len(wrong))


def pages(kind: Kind, seed: int) -> list[float]:
    """Return the days of the pages of one life, since the end of its pause."""
    rng = np.random.default_rng(seed)
    at, end = _served(kind, rng), PAUSED + kind.pause_h / 24
    wrong = rng.random(len(at)) < RATE * np.where(at >= end, kind.times, 1.0)
    known_at = at + _delays_s(kind, wrong, rng) / DAY_S
    days = page_days(at, known_at, wrong, lambda number: (f"v{int(at[number] // kind.lives)}", (ALL,)))
    return [day - end for day in days]


def kinds() -> Iterator[Kind]:
    """Yield the models that are well."""
    for slow in ("right", "wrong", "any"):
        for pause_h in (1.0, 12.0, 60.0):
            yield Kind(2_000, slow, pause_h)
        for rest in ("weekend", "night"):
            yield Kind(2_000, slow, rest=rest)
        yield Kind(2_000, slow, rest="office", slow_h=2.0)
        for lives in (7.0, 1.0, 0.3):
            yield Kind(2_000, slow, lives=lives)


def main(lives: int) -> None:
    """Print false pages of each kind while it is well, and how soon 1.5 and 3 times as many wrong ones are told.

    Both, since a model that is never judged has no false pages.
    """
    for kind in kinds():
        found = [*each(partial(pages, kind), range(lives))]
        told = "; ".join(_told(kind._replace(times=times), lives) for times in (1.5, 3.0))
        print(
            f"{kind}: {sum(map(len, found))} false pages in {lives} lives of {DAYS} days; {told}", flush=True
        )


def _told(kind: Kind, lives: int) -> str:
    found = each(partial(pages, kind), range(lives))
    told = [min(late) for days in found if (late := [day for day in days if day > 0.0])]
    after = f", median after {24.0 * median(told):.1f} h" if told else ""
    return f"x{kind.times}: told in {len(told)}{after}"


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 2)
