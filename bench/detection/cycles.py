"""Shell. Models whose errors go round with hour and weekday, without a reference: false pages, and harm found.

``python -m bench.detection.cycles [LIVES]`` prints a line for each kind of well model, then one for each harm.
"""

from __future__ import annotations

import sys
from functools import partial
from typing import NamedTuple

import numpy as np

from bench.detection import life
from bench.detection.pool import each
from stream.traffic import DAY_S

BEGAN_AT, RATE = 1.7e9, 0.1
DAYS, STAYS = 15, 4
"""Days of a life that is well, and of one after its harm began."""
NEVER = float("inf")


class Kind(NamedTuple):
    """Errors of 10 %, ``wave`` of that more or less with the hour, ``weekend`` of that more at weekends.

    From day ``hurt`` on they are ``times`` as many; the wave's phase and the weekend's day are the seed's.
    """

    labels_a_day: int
    wave: float
    weekend: float = 0.0
    hurt: float = NEVER
    times: float = 1.0


def pages(kind: Kind, seed: int) -> list[float]:
    """Return the days of the pages of one life, since its beginning; since the harm when there is one."""
    rng = np.random.default_rng(seed)
    hurt = kind.hurt + seed / 8
    days = DAYS if kind.hurt == NEVER else hurt + STAYS
    at = np.sort(rng.uniform(0.0, days, int(kind.labels_a_day * days)))
    rate = 1.0 + kind.wave * np.sin(2.0 * np.pi * at + seed)
    rate += kind.weekend * (np.floor(at + seed) % 7 >= 5)
    wrong = rng.random(len(at)) < RATE * rate * np.where(at > hurt, kind.times, 1.0)
    instants, right = (BEGAN_AT + DAY_S * at).tolist(), [False] * len(at)
    found = life.pages(life.Life("classification", instants, wrong.tolist(), right, 0, 600.0))
    since = 0.0 if kind.hurt == NEVER else hurt
    return [(one.detected_at - BEGAN_AT) / DAY_S - since for one in found]


def main(lives: int) -> None:
    """Print false pages of the well by when they came, and the harms found."""
    say = sys.stdout.write
    waves = [(0.3, 0.0), (0.5, 0.0), (0.8, 0.0), (0.0, 0.3), (0.0, 0.5), (0.5, 0.3)]
    for kind in (Kind(count, *one) for count in (500, 10_000) for one in waves):
        found = [day for days in each(partial(pages, kind), range(lives)) for day in days]
        first, week = sum(day < 1 for day in found), sum(1 <= day < 7 for day in found)
        say(
            f"{kind.labels_a_day:>6} labels a day, wave {kind.wave}, weekend {kind.weekend}: {lives} lives of"
            f" {DAYS} days, false pages on the first day {first}, in the first week {week},"
            f" later {len(found) - first - week}\n"
        )
    harms = [(0.3, 2.0), (3.3, 1.5), (3.3, 2.0), (10.3, 1.5), (10.3, 2.0)]
    for kind in (
        Kind(count, wave, 0.0, *one) for count in (500, 10_000) for wave in (0.0, 0.5) for one in harms
    ):
        lives_found = [
            [day for day in days if day > 0.0] for days in each(partial(pages, kind), range(lives))
        ]
        delays = [24.0 * days[0] for days in lives_found if days]
        say(
            f"{kind.labels_a_day:>6} labels a day, wave {kind.wave}, x{kind.times} after day {kind.hurt}:"
            f" {len(delays)} of {lives}, median {np.median(delays) if delays else np.nan:.1f} h\n"
        )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 20)
