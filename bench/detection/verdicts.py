"""Shell. Verdicts asked for after every 50 labels: how often they are wrong, and how many labels right ones take.

``python -m bench.detection.verdicts [LIVES]`` prints one line a case (half an hour with 100 lives). A life is a
live version and a candidate that serve at the same time. Of equal ones nobody stops at an answer: a wrong one has
all its looks to come.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bench.detection.pool import each
from stream.events import ALL, Task
from stream.figures.sums import WIDTHS
from stream.judge.edetector import edetector
from stream.monitor import Monitor
from stream.series import new_series
from stream.verdict.verdict import Decision, Reason, verdict
from stream.version import Judgement, Version

CLASSES: Task = "classification"
ERRORS: Task = "regression"
LOOK = 50
"""Labels between two looks."""
DAY_S = 86_400.0
BEGAN_AT = 1_790_000_000.0
RAMP = (0.01, 0.05, 0.25, 0.5)
"""The candidate's share in each fifth of a life; the last one stays."""
Floats = NDArray[np.float64]
Generator = np.random.Generator
Bools = NDArray[np.bool_]
Losses = Callable[[Generator, Floats, Bools], Floats]
"""Losses, from how many times the usual loss is to be expected of each, and whether it is the candidate's."""


class Case(NamedTuple):
    """Two versions: the candidate loses ``times`` what the live one does."""

    name: str
    losses: Losses
    task: Task = CLASSES
    times: float = 1.0
    share: float | None = 0.5
    """Of the labels that are the candidate's; ``None``: it grows (``RAMP``)."""
    labels: int = 20_000
    days: float = 3.0
    inflation: float = 1.0
    """What the references know of how the losses depend on each other."""
    is_cyclic: bool = False
    """Whether it gets harder by half and easier by half with each day, and harder by half to the end."""


class Row(NamedTuple):
    """One case over many lives: shares of those that were ever told so, and the median labels that it took."""

    case: Case
    lives: int
    rolled_back: float
    better: float
    promoted: float
    labels_to_roll_back: float
    labels_to_promote: float

    def __str__(self) -> str:
        return (
            f"  {self.case.name:<52} roll back {self.rolled_back:.3f} ({self.labels_to_roll_back:,.0f} labels), "
            f"promote {self.promoted:.3f} ({self.labels_to_promote:,.0f}), better {self.better:.3f}"
        )


def wrong(rate: float) -> Losses:
    """Return errors of a classification at this rate."""
    return lambda rng, usual, _: (rng.random(len(usual)) < rate * usual).astype(float)


def clumps(rate: float, follow: float) -> Losses:
    """Return the same in two chains, one of each version, with this lag-1 autocorrelation."""

    def drawn(rng: Generator, usual: Floats, is_ours: Bools) -> Floats:
        stays, fresh = rng.random(len(usual)) < follow, wrong(rate)(rng, usual, is_ours)
        for side in (is_ours, ~is_ours):
            for before, place in pairwise(np.flatnonzero(side).tolist()):
                if stays[place]:
                    fresh[place] = fresh[before]
        return fresh

    return drawn


def tailed(sigma: float) -> Losses:
    """Return log-normal absolute errors."""
    return lambda rng, usual, _: usual * rng.lognormal(-sigma * sigma / 2.0, sigma, len(usual))


def _equal() -> Iterator[Case]:
    for rate, share in ((0.05, 0.5), (0.05, 0.1), (0.05, 0.01), (0.2, 0.5), (0.2, 0.1)):
        yield Case(f"equal, {rate:.0%} wrong, {share:.0%} of the traffic", wrong(rate), share=share)
    for share in (0.5, 0.05):
        yield Case(f"equal, .5% wrong, {share:.0%}", wrong(0.005), share=share, labels=60_000)
    yield Case("equal, 5% wrong, 50%, 20 days", wrong(0.05), days=20.0)
    yield Case("equal, 5% wrong in clumps (lag-1 .5), 50%", clumps(0.05, 0.5), inflation=3.0)
    for days in (3.0, 10.0):
        name = f"equal, 5% wrong, by the hour, 1 to 50%, {days:.0f} days"
        yield Case(name, wrong(0.05), share=None, days=days, is_cyclic=True)
    for sigma, share in ((1.0, 0.5), (1.0, 0.05), (1.5, 0.5), (1.5, 0.05)):
        yield Case(
            f"equal, log-normal errors (sigma {sigma:g}), {share:.0%}", tailed(sigma), ERRORS, share=share
        )
    yield Case(
        "equal, log-normal errors (1), by the hour, 1 to 50%", tailed(1.0), ERRORS, share=None, is_cyclic=True
    )


def _unequal() -> Iterator[Case]:
    for times in (1.1, 1.2, 1.5, 0.8, 0.5):
        for share in (0.5, 0.1):
            yield Case(f"x{times:g}, 5% wrong, {share:.0%}", wrong(0.05), CLASSES, times, share, 100_000)
    for times in (1.2, 1.5, 0.8):
        yield Case(f"x{times:g}, log-normal errors (1), 10%", tailed(1.0), ERRORS, times, 0.1)
    for times in (1.5, 0.5):
        yield Case(
            f"x{times:g}, 5% wrong, by the hour, 1 to 50%", wrong(0.05), CLASSES, times, None, is_cyclic=True
        )


def _version(case: Case) -> Version:
    made, whole = Version(case.task), new_series(case.task, 1e-4)
    whole.guard.harm = edetector(0.05, 1e6, case.inflation)
    whole.place = made.sums.windows.allot(WIDTHS[case.task])
    made.series[ALL] = whole
    return made


def _drawn(case: Case, rng: Generator) -> tuple[Floats, Bools, Floats]:
    """Return by label when it was predicted, whether by the candidate, and its loss."""
    at = np.sort(rng.random(case.labels)) * case.days * DAY_S
    passed = at / at[-1]
    ramp = np.array((*RAMP, RAMP[-1]))[np.minimum((passed * 5).astype(int), 4)]
    is_ours = rng.random(case.labels) < (ramp if case.share is None else case.share)
    usual = np.where(is_ours, case.times, 1.0)
    if case.is_cyclic:
        usual *= (1.0 + 0.5 * np.sin(2.0 * np.pi * at / DAY_S)) * (0.75 + 0.5 * passed)
    return at, is_ours, case.losses(rng, usual, is_ours)


def life(case: Case, rng: Generator) -> dict[Decision | Reason, int]:
    """Return after how many labels of both each verdict was told first, and each reason."""
    monitor = Monitor("m", versions={"v7": _version(case), "v8": _version(case)})
    increase = Judgement().minimum_increase
    live = monitor.versions["v7"]
    live.sums.take((BEGAN_AT - DAY_S, (live.series[ALL],), 0.0, 0.0, None, 1.0))
    told: dict[Decision | Reason, int] = {}
    labels = zip(*(one.tolist() for one in _drawn(case, rng)), strict=True)
    for number, (at, is_ours, loss) in enumerate(labels, 1):
        one = monitor.versions["v8" if is_ours else "v7"]
        one.sums.take((BEGAN_AT + at, (one.series[ALL],), loss, 0.0, None, 1.0))
        if not number % LOOK:
            found = verdict(monitor, "v8", "v7", increase)
            told.setdefault(found.decision, number)
            told.setdefault(found.reason, number)
            if case.times != 1.0 and found.decision is not Decision.HOLD:
                break
    return told


def _life(which: tuple[int, int]) -> dict[Decision | Reason, int]:
    number, one = which
    return life(CASES[number], np.random.default_rng([1, number, one]))


def row(number: int, lives: int) -> Row:
    """Return what so many lives of a case were told."""
    found = [*each(_life, ((number, one) for one in range(lives)))]

    def share(what: Decision | Reason) -> float:
        return sum(what in one for one in found) / lives

    def labels(what: Decision) -> float:
        taken = [one[what] for one in found if what in one]
        return float(np.median(taken)) if taken else float("nan")

    shares = share(Decision.ROLL_BACK), share(Reason.BETTER), share(Decision.PROMOTE)
    return Row(CASES[number], lives, *shares, labels(Decision.ROLL_BACK), labels(Decision.PROMOTE))


CASES = (*_equal(), *_unequal())

if __name__ == "__main__":
    for case_number in range(len(CASES)):
        print(row(case_number, int(sys.argv[1]) if len(sys.argv) > 1 else 100), flush=True)
