"""Shell. What is judged beside the errors: false alarms while all is well, and pages when only they show a harm.

``python -m bench.detection.beside [LIVES]`` prints a line for each loss without harm, then one for each harm.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

import numpy as np

from bench.detection.life import Life, pages
from bench.detection.streams import wandering
from stream.aspect import Case
from stream.aspects import Aspects
from stream.events import Label, Task

Generator = np.random.Generator
RUN_LENGTH = 20_000.0
"""Mean losses between false alarms that the detectors are set to."""
LABELS, WELL, HURT = 400_000, 4_000, 3_000
CLASSES = "abc"
Scored = float | dict[str, float] | None
Row = tuple[Label, Label, Scored]


def lone(rng: Generator, count: int, memory: float) -> Iterator[Row]:
    """Yield calibrated probabilities of two classes, and what happened."""
    chance = 1.0 / (1.0 + np.exp(-1.5 * wandering(rng.standard_normal(count), memory)))
    for score, happened in zip(chance.tolist(), (rng.random(count) < chance).tolist(), strict=True):
        yield score > 0.5, happened, score


def by_class(rng: Generator, count: int, memory: float) -> Iterator[Row]:
    """Yield calibrated probabilities of three classes; one of them is rare."""
    wild = np.stack([wandering(rng.standard_normal(count), memory) for _ in CLASSES], 1) + np.array(
        [1.0, 0.0, -1.0]
    )
    chances = np.exp(1.5 * wild) / np.exp(1.5 * wild).sum(1, keepdims=True)
    drawn = (chances.cumsum(1) < rng.random((count, 1))).sum(1).clip(max=2)
    for row, happened in zip(chances.tolist(), drawn.tolist(), strict=True):
        said = max(range(3), key=row.__getitem__)
        yield CLASSES[said], CLASSES[happened], dict(zip(CLASSES, row, strict=True))


def regression(rng: Generator, count: int, memory: float) -> Iterator[Row]:
    """Yield numbers that are off by as much to either side."""
    errors = wandering(rng.standard_normal(count), memory).tolist()
    for happened, error in zip(rng.normal(50.0, 10.0, count).tolist(), errors, strict=True):
        yield happened + error, happened, None


METRICS: Mapping[str, str] = {"above": "bias above", "below": "bias below", "typical": "mae"}
"""What the aspects of a regression prove."""
Draw = Callable[[Generator, int, float], Iterator[Row]]
NULLS: Mapping[str, tuple[Task, Draw]] = {
    "a score": ("classification", lone),
    "scores by class": ("classification", by_class),
    "numbers": ("regression", regression),
}


class Null(NamedTuple):
    """Alarms of one loss while all was well, beside how many there may be."""

    name: str
    losses: int
    alarms: int

    def __str__(self) -> str:
        ratio = self.alarms * RUN_LENGTH / self.losses
        return f"  {self.name:<46} {self.losses:>8} losses, {self.alarms:>3} alarms, {ratio:.2f} x nominal"


def nulls(count: int, seed: int) -> Iterator[Null]:
    """Yield each loss of each kind of model, independent and not; every alarm begins the evidence anew."""
    for name, (task, draw) in NULLS.items():
        for memory in (0.0, 0.5):
            aspects, alarms = Aspects(), Counter[str]()
            for place, (said, happened, scores) in enumerate(
                draw(np.random.default_rng(seed), count, memory)
            ):
                case = Case(float(place), f"{task}-{place}", RUN_LENGTH, 0.2)
                for one in aspects.take(task, said, happened, scores, case):
                    alarms[f"{one.metric} {one.label or ''}".strip()] += 1
                    one.aspect.guard.calm()
            kinds = {f"recall {label}": one for label, one in aspects.recalls.items()} | {
                METRICS.get(label, label): one for label, one in aspects.named.items()
            }
            for kind, aspect in kinds.items():
                yield Null(f"{name}, memory {memory}: {kind}", aspect.count, alarms[kind])


def overconfident(rng: Generator, is_hurt: bool) -> Row:
    """Wrong in 10 % all the time; what it says of itself goes from .9 to .99."""
    said = bool(rng.random() < 0.5)
    sure = 0.99 if is_hurt else 0.9
    return said, said if rng.random() < 0.9 else not said, sure if said else 1.0 - sure


def unsure(rng: Generator, is_hurt: bool) -> Row:
    """Wrong in 5 % all the time; what it says of itself goes from .95 to .8."""
    said = bool(rng.random() < 0.5)
    sure = 0.8 if is_hurt else 0.95
    return said, said if rng.random() < 0.95 else not said, sure if said else 1.0 - sure


def blind(rng: Generator, is_hurt: bool) -> Row:
    """Of a tenth of the labels recall falls from .9 to .6; the others gain as many."""
    is_rare = bool(rng.random() < 0.1)
    rate = (0.4 if is_rare else 0.0667) if is_hurt else 0.1
    return is_rare != bool(rng.random() < rate), is_rare, None


def biased(rng: Generator, is_hurt: bool) -> Row:
    """Off by as much as ever, but of four errors three are to one side."""
    error = float(abs(rng.normal()))
    above = rng.random() < (0.75 if is_hurt else 0.5)
    happened = float(rng.normal(50.0, 10.0))
    return happened + (error if above else -error), happened, None


def wider(rng: Generator, is_hurt: bool) -> Row:
    """An eighth is far off all the time, so that the worst tenth is as ever; the others err 2.5 times as much."""
    far = bool(rng.random() < 0.12)
    error = float(rng.choice((-1, 1)) * rng.uniform(6.0, 20.0) if far else rng.normal())
    happened = float(rng.normal(50.0, 10.0))
    return happened + error * (2.5 if is_hurt and not far else 1.0), happened, None


HARMS: Mapping[str, tuple[Task, Callable[[Generator, bool], Row]]] = {
    "scores .9 become .99, 10 % wrong": ("classification", overconfident),
    "scores .95 become .8, 5 % wrong": ("classification", unsure),
    "recall of one in ten .9 becomes .6": ("classification", blind),
    "three of four errors to one side": ("regression", biased),
    "all but the worst errors x 2.5": ("regression", wider),
}


class Harmed(NamedTuple):
    """Lives with one harm that errors don't show: what paged first, how many pages, labels until the first."""

    name: str
    lives: int
    first: Counter[str]
    pages: int
    early: int
    """Pages before the harm."""
    delay: float

    def __str__(self) -> str:
        kinds = ", ".join(f"{kind} {count}" for kind, count in self.first.most_common())
        return (
            f"  {self.name:<36} {self.lives} lives, {self.pages} pages ({self.early} before), "
            f"median {self.delay:.0f} labels; first: {kinds}"
        )


def harms(lives: int, seed: int) -> Iterator[Harmed]:
    """Yield one row for each harm; a model has a label an hour and learns its own reference."""
    for name, (task, draw) in HARMS.items():
        first, delays, total, early = Counter[str](), [], 0, 0
        for life in range(lives):
            rng = np.random.default_rng((seed, life))
            said, happened, scores = zip(
                *(draw(rng, place >= WELL) for place in range(WELL + HURT)), strict=True
            )
            at = [3_600.0 * place for place in range(WELL + HURT)]
            made = pages(Life(task, at, said, happened, 0, scores=scores))
            found = [one.detected_at / 3_600.0 - WELL for one in made]
            total, early = total + len(made), early + sum(delay < 0 for delay in found)
            late = [(delay, one.metric) for delay, one in zip(found, made, strict=True) if delay >= 0]
            if late:
                delays.append(late[0][0])
                first[late[0][1]] += 1
        yield Harmed(name, lives, first, total, early, float(np.median(delays)) if delays else float("nan"))


def main() -> None:
    """Print every row."""
    lives = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    for null in nulls(LABELS, 1):
        print(null)
    for harm in harms(lives, 1):
        print(harm)


if __name__ == "__main__":
    main()
