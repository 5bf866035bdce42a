"""Shell. Versions that follow each other sooner than their labels come: what is told of harm, and of none.

``python -m bench.detection.successions [LIVES]`` prints one line for each pace and harm (some minutes). 1,200
predictions a day in 20 countries, label delays log-normal, those beyond twice the median wrong more often.
"""

from __future__ import annotations

import sys
from functools import partial
from math import inf, nan
from statistics import median
from typing import NamedTuple

import numpy as np

from bench.detection.pool import each
from stream.events import Finding, Instant, Outcome, Prediction, SliceValue
from stream.join import Join
from stream.monitor import Monitor
from stream.pending import MemoryStore
from stream.traffic import DAY_S, HOUR_S
from stream.version import Judgement

DAILY, COUNTRIES = 1_200, 20
QUICK, SLOW = 0.12, 0.42
"""How often quick labels say that a prediction was wrong, and slow ones."""
LIVES = 12


class Pace(NamedTuple):
    """How long versions live and labels take (median, and the standard deviation of the logarithm)."""

    name: str
    lives_s: float
    delay_s: float
    spread: float


class Harm(NamedTuple):
    """From day ``begins`` to ``ends`` so many more are wrong (a share), in one country or in all."""

    name: str
    begins: float
    ends: float
    more: float
    country: int | None = None


class Life(NamedTuple):
    """Pages before the harm and after it began, the first one's delay in hours, and pages still open."""

    early: int
    pages: int
    delay_h: float
    left: int


HOURLY = Pace("each hour, labels after 20 min", HOUR_S, 1_200.0, 0.8)
QUARTERLY = Pace("each 4 h, labels after 1 h", 4 * HOUR_S, HOUR_S, 0.8)
NIGHTLY = Pace("each day, labels after 20 h", DAY_S, 20 * HOUR_S, 0.3)
WELL = Harm("all is well", inf, inf, 0.0)
CASES = (
    *((pace, WELL) for pace in (HOURLY, QUARTERLY, NIGHTLY)),
    *(
        (pace, Harm("a quarter more is wrong for two days", 15.0, 17.0, 0.25))
        for pace in (HOURLY, QUARTERLY, NIGHTLY)
    ),
    (QUARTERLY, Harm("one release is wrong in half more", 15.0, 15.0 + 1 / 6, 0.5)),
    (QUARTERLY, Harm("a third more is wrong in the largest country", 15.0, 30.0, 0.33, 0)),
)
DAYS = 24


def live(pace: Pace, harm: Harm, seed: int) -> Life:
    """Return what is told in one life."""
    rng = np.random.default_rng([23, seed])
    at = np.sort(rng.uniform(0.0, DAYS, DAILY * DAYS)) * DAY_S
    share = 1.0 / (1.0 + np.arange(COUNTRIES)) ** 0.9
    country = rng.choice(COUNTRIES, len(at), p=share / share.sum())
    delay = rng.lognormal(np.log(pace.delay_s), pace.spread, len(at))
    wrong = np.where(delay > 2.0 * pace.delay_s, SLOW, QUICK)
    is_harmed = (at >= harm.begins * DAY_S) & (at < harm.ends * DAY_S)
    if harm.country is not None:
        is_harmed &= country == harm.country
    is_wrong = rng.random(len(at)) < wrong + harm.more * is_harmed
    monitor, join, judgement = Monitor("m"), Join(90 * DAY_S, 10**7, MemoryStore(), 10**7), Judgement()
    events = sorted(
        (
            *zip(at.tolist(), range(len(at)), strict=True),
            *zip((at + delay).tolist(), range(-len(at), 0), strict=True),
        )
    )
    found: list[Finding] = []
    for now, number in events:
        name = str(number % len(at))
        if number >= 0:
            version = f"r{int(now // pace.lives_s)}"
            where: dict[str, SliceValue] = {"country": int(country[number])}
            made = Prediction(
                prediction_id=name, model="m", version=version, at=Instant(now), prediction="x", slices=where
            )
            served = join.predict(made)[0].served
            assert served is not None
            found += monitor.predicted(made, served, judgement)
        else:
            said = "xy"[int(is_wrong[number])]
            for one in join.know(Outcome(prediction_id=name, model="m", at=Instant(now), outcome=said)):
                found += monitor.take(one, judgement, None)[1]
    pages = [one for one in found if one.severity == "page" and one.state == "open"]
    told = [one.detected_at - harm.begins * DAY_S for one in pages]
    late = [one for one in told if one >= 0]
    closed = sum(one.severity == "page" and one.state == "closed" for one in found)
    return Life(len(told) - len(late), len(late), late[0] / HOUR_S if late else nan, len(pages) - closed)


def main() -> None:
    """Print the figures."""
    lives = int(sys.argv[1]) if len(sys.argv) > 1 else LIVES
    for pace, harm in CASES:
        found = [*each(partial(live, pace, harm), range(lives))]
        told = [one.delay_h for one in found if one.pages]
        after = f", median after {median(told):.1f} h" if told else ""
        print(
            f"{pace.name:31} {harm.name:45} {sum(one.early for one in found)} false pages in {lives} lives;"
            f" told in {len(told)}{after}; {sum(one.pages for one in found)} pages,"
            f" {sum(one.left for one in found)} open"
        )


if __name__ == "__main__":
    main()
