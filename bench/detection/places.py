"""Shell. Where harm is: how often a page names the slice that got worse, and how many pages one harm makes.

``python -m bench.detection.places`` prints one line for each case (some minutes). Slices have dimensions that
overlap, so harm in one is seen in the others.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from functools import partial
from typing import NamedTuple

import click
import numpy as np

from bench.detection.pool import each
from stream.clock import Clock
from stream.events import ALL, Finding, Instant, Label, Prediction, Task
from stream.joined import Joined, Reason, Served
from stream.monitor import Monitor
from stream.version import Judgement

LIVES = 20
AFTER = 3_000
"""Labels from the harm on; it stays."""
SECONDS = 0.05, 8.64
"""Between two predictions: of a busy model, and of one with 10,000 a day."""
BEGAN_AT = 1_764_000_000.0
LAG_S = 2.0
TIERS = 3
CITIES = 10
PLATFORMS = 2


class Case(NamedTuple):
    """Losses before a harm and in it (error rates, or mean absolute errors), where, and after how many labels."""

    task: Task
    before: float
    harm: float
    where: str
    known: int
    every_s: float
    warmup: int = 200
    then: str = ""
    """A second slice that gets as bad ``AFTER`` labels later."""


class Row(NamedTuple):
    """One case over many lives: shares by the slice that the first page names, and pages a life."""

    case: Case
    named: Counter[str]
    pages: float
    early: float
    second: float
    """Share of lives with a page, after the second harm, that names where that is."""

    def __str__(self) -> str:
        case, lives = self.case, self.named.total()
        right = self.named[case.where] / lives
        others = {name: count for name, count in self.named.most_common(4) if name != case.where}
        head = f"  {case.task:<14} {case.before:g} > {case.harm:g} in {case.where:<13} after {case.known:>5,}"
        return (
            f"{head} labels, one in {case.every_s:g} s: {right:.2f} named rightly, {self.pages:.2f} pages,"
            f" {self.early:.2f} before; others {others}"
            + (f"; {case.then} besides: {self.second:.2f} told" if case.then else "")
        )


def cases() -> Iterator[Case]:
    """Yield the cases."""
    for every_s, known in ((SECONDS[0], 800), (SECONDS[0], 6_000), (SECONDS[1], 20_000)):
        for where in (ALL, "tier=t2", "platform=p1", "city=c7"):
            warmup = 100 if known < 1_000 else 200
            yield Case("classification", 0.08, 0.55, where, known, every_s, warmup)
            yield Case("classification", 0.10, 0.25, where, known, every_s, warmup)
            yield Case("regression", 1.0, 4.0, where, known, every_s, warmup)
    for then in ("none", "tier=t1", "platform=p1", "city=c0", ALL):
        yield Case("classification", 0.08, 0.40, "tier=t2", 6_000, SECONDS[0], then=then)
        yield Case("classification", 0.10, 0.25, "tier=t2", 6_000, SECONDS[0], then=then)
        yield Case("regression", 1.0, 3.0, "tier=t2", 6_000, SECONDS[0], then=then)


def life(case: Case, seed: int) -> list[Finding]:
    """Return the pages of one life."""
    rng = np.random.default_rng([seed, case.known, len(case.where)])
    count = case.known + AFTER * (2 if case.then else 1)
    cities = rng.choice(CITIES, count, p=(weights := 1.0 / np.arange(1, CITIES + 1)) / weights.sum())
    places = zip(rng.integers(0, TIERS, count), rng.integers(0, PLATFORMS, count), cities, strict=True)
    judgement, monitor, clock = Judgement(warmup=case.warmup), Monitor("m"), Clock()
    found: list[Finding] = []
    for number, (tier, platform, city) in enumerate(places):
        slices = ALL, f"tier=t{tier}", f"platform=p{platform}", f"city=c{city}", "country=pl"
        is_bad = (number >= case.known and case.where in slices) or (
            number >= case.known + AFTER and case.then in slices
        )
        mean = case.harm if is_bad else case.before
        at = BEGAN_AT + number * case.every_s
        if case.task == "classification":
            said: Label = True
            happened: Label = bool(rng.random() >= mean)
        else:
            said, happened = float(rng.exponential(mean)) * (1 if rng.random() < 0.5 else -1), 0.0
        name = f"p{number}"
        one = Prediction(prediction_id=name, model="m", version="v1", at=Instant(at), prediction=said)
        bins = monitor.bins(one) if monitor.versions else b""
        served = Served(name, "m", "v1", at, said, False, slices, bins)
        clock.move(max(at, clock.at))
        monitor.health.predicted(at, clock, 0.0)
        monitor.predicted(one, served, judgement)
        joined = Joined(Reason.MATCHED, "m", served, happened, at + LAG_S)
        found += monitor.take(joined, judgement, None)[1]
    return [one for one in found if (one.state, one.severity) == ("open", "page")]


def row(lives: int, case: Case) -> Row:
    """Return one case over so many lives."""
    named: Counter[str] = Counter()
    pages = early = second = 0
    since = BEGAN_AT + case.known * case.every_s
    for seed in range(lives):
        found = life(case, seed)
        after = [one for one in found if one.detected_at >= since]
        early += len(found) - len(after)
        pages += len(after)
        second += any(
            one.slice == case.then and one.detected_at >= since + AFTER * case.every_s for one in after
        )
        named[after[0].slice if after else "none"] += 1
    return Row(case, named, pages / lives, early / lives, second / lives)


@click.command()
@click.option("--lives", type=int, default=LIVES, show_default=True)
def main(lives: int) -> None:
    """Say where harm is named, and in how many pages."""
    for found in each(partial(row, lives), [*cases()]):
        click.echo(str(found))


if __name__ == "__main__":
    main()
