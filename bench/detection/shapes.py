"""Shell. Made-up lives of one model: how often each shape of harm is told, and how long after its end that
is closed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import NamedTuple

import numpy as np

from bench.detection.life import Life, findings, of_losses
from bench.detection.pool import each
from bench.detection.streams import Floats, chained, wandering

HOUR_S = 3_600.0
YEAR = 8_766
"""Hours."""
KNOWN = 5_000
"""Losses of the reference."""

Shape = Callable[[np.random.Generator], tuple[Life, int]]
"""Makes a life and says at which loss its harm ended; 0: it had none, or it goes on."""


class Row(NamedTuple):
    """One shape over some seeds: pages opened in the fewest, mean and most of them; closings after the end."""

    name: str
    fewest: int
    mean: float
    most: int
    closed: float
    """Median losses from the end of the harm to the closing, in parts of the harm's length; nan if none."""

    def __str__(self) -> str:
        after = (
            "" if np.isnan(self.closed) else f", closed {self.closed:.2f} lengths of the harm after its end"
        )
        return f"{self.name:>32}  {self.fewest}..{self.most} pages, {self.mean:.2f} in the mean{after}"


def _steps(*steps: tuple[int, float]) -> Floats:
    return np.concatenate([np.full(count, level) for count, level in steps])


def _life(task: str, losses: Floats) -> Life:
    at = (np.arange(len(losses)) * HOUR_S).tolist()
    return of_losses("regression" if task == "regression" else "classification", at, losses.tolist(), KNOWN)


def _wrong(rates: Floats, rng: np.random.Generator) -> Life:
    return _life("classification", (rng.random(len(rates)) < rates).astype(float))


def _burst(before: int, during: int, level: float) -> Shape:
    def make(rng: np.random.Generator) -> tuple[Life, int]:
        return _wrong(_steps((before, 0.1), (during, level), (3 * during, 0.1)), rng), before + during

    return make


def _cycle(period: int) -> Shape:
    def make(rng: np.random.Generator) -> tuple[Life, int]:
        turns = 0.15 - 0.1 * np.cos(2.0 * np.pi * np.arange(6 * period) / period)
        return _wrong(np.concatenate([np.full(KNOWN + 1_000, 0.08), turns]), rng), 0

    return make


def _stays(rng: np.random.Generator) -> tuple[Life, int]:
    return _wrong(_steps((10_000, 0.1), (50_000, 0.2)), rng), 0


def _rises(rng: np.random.Generator) -> tuple[Life, int]:
    return _wrong(np.concatenate([np.full(8_000, 0.08), np.linspace(0.08, 0.4, 40_000)]), rng), 0


def _rare(rng: np.random.Generator) -> tuple[Life, int]:
    return _wrong(_steps((20_000, 0.005), (8_000, 0.02), (24_000, 0.005)), rng), 28_000


def _dependent(during: float) -> Shape:
    def make(rng: np.random.Generator) -> tuple[Life, int]:
        found = [
            float(draw()[0])
            for rate, count in ((0.1, 12_000), (during, 3_000), (0.1, 9_000))
            for draw in [chained(rate, 0.5, 1, rng)]
            for _ in range(count)
        ]
        return _life("classification", np.array(found)), 15_000 if during > 0.1 else 0

    return make


def _heavy(during: float) -> Shape:
    def make(rng: np.random.Generator) -> tuple[Life, int]:
        levels = _steps((12_000, 1.0), (3_000, during), (9_000, 1.0))
        errors = np.abs(wandering(rng.standard_t(2.2, len(levels)), 0.3)) * levels
        return _life("regression", errors), 15_000 if during > 1.0 else 0

    return make


def _seasons(rng: np.random.Generator) -> tuple[Life, int]:
    hours = np.arange(3 * YEAR)
    day, year = np.sin(2.0 * np.pi * hours / 24), np.sin(2.0 * np.pi * hours / YEAR)
    errors = np.abs(wandering(rng.standard_normal(len(hours)), 0.7))
    return _life("regression", errors * (1.0 + 0.5 * day) * np.exp(0.1 * year)), 0


SHAPES: Mapping[str, Shape] = {
    "well, dependent 0.5": _dependent(0.1),
    "well, heavy tails": _heavy(1.0),
    "well, day and mild season": _seasons,
    "10>40% for 400": _burst(12_000, 400, 0.4),
    "10>20% for 3,000": _burst(12_000, 3_000, 0.2),
    "10>20% after 200,000 well": _burst(200_000, 3_000, 0.2),
    "0.5>2% for 8,000": _rare,
    "10>30% for 3,000, dependent 0.5": _dependent(0.3),
    "x3 for 3,000, heavy tails": _heavy(3.0),
    "10>20% and it stays": _stays,
    "8>40%, slowly": _rises,
    "5..25% in turns of 1,000": _cycle(1_000),
    "5..25% in turns of 5,000": _cycle(5_000),
    "5..25% in turns of 20,000": _cycle(20_000),
}


LONG = {"10>20% after 200,000 well", "10>20% and it stays", "5..25% in turns of 20,000"}
"""Shapes whose lives take minutes."""


def rows(seeds: int, seed: int, *, is_short: bool = False) -> Iterator[Row]:
    """Yield each shape's pages over so many seeds; those that are ``LONG`` are left out of the short form."""
    yield from each(partial(_row, seeds, seed), [one for one in SHAPES if not (is_short and one in LONG)])


def _row(seeds: int, seed: int, name: str) -> Row:
    opened, closed = [], []
    for number in range(seeds):
        life, ended = SHAPES[name](np.random.default_rng([seed, number, 7]))
        found = [one for one in findings(life) if one.severity == "page"]
        opened.append(sum(one.state == "open" for one in found))
        ends = [one.closed_at / HOUR_S for one in found if one.closed_at is not None]
        if ended and ends:
            began = min(one.onset_at for one in found) / HOUR_S
            closed.append((ends[-1] - ended) / (ended - began))
    after = float(np.median(closed)) if closed else float("nan")
    return Row(name, min(opened), float(np.mean(opened)), max(opened), after)
