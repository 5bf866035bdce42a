"""Core. How a told harm is called over: how soon when it is, and how often when it is not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from stream.judge.recovery import Extent, recovery

LONGEST = 20_000
LOOKED_AT = 8
INCREASE = 0.2
"""``monitor.minimum_increase``."""


class Case(NamedTuple):
    """Error rates before a harm, in it and after its page, which came when it was ``ill`` losses old."""

    before: float
    harm: float
    then: float
    ill: int


STAYS = (Case(0.10, 0.15, 0.15, 700), Case(0.10, 0.20, 0.20, 220), Case(0.10, 0.40, 0.40, 30))
HOVERS = (Case(0.10, 0.15, 0.12, 700), Case(0.10, 0.20, 0.125, 220))
"""They fall to the level between well and ill: with ``INCREASE``, and with a quarter of the harm."""
ENDS = (Case(0.05, 0.50, 0.05, 30), Case(0.10, 0.20, 0.10, 220), Case(0.10, 0.15, 0.10, 700))


class Row(NamedTuple):
    """One case over many lives: the share called over, and the median losses that it took (nan: none was)."""

    case: Case
    over: float
    losses: float

    @property
    def key(self) -> str:
        """What it is called in the report."""
        return "_".join(f"{rate * 100:g}" for rate in self.case[:3])

    def __str__(self) -> str:
        before, harm, then, ill = self.case
        head = f"  {before:.1%} > {harm:.1%} for {ill:>3}, then {then:.1%}"
        return f"{head}: {self.over:.3f} called over, after {self.losses:,.0f} losses in the median"


def rows(lives: int, seed: int) -> Iterator[Row]:
    """Yield harms that stay, that hover, and that end with the page; ``LONGEST`` losses each."""
    for case in (*STAYS, *HOVERS, *ENDS):
        taken = [_losses(case, np.random.default_rng([seed, life, 8])) for life in range(lives)]
        over = [losses for losses in taken if losses]
        yield Row(case, len(over) / lives, float(np.median(over)) if over else float("nan"))


def _losses(case: Case, rng: np.random.Generator) -> int:
    """Return how many losses after the page the harm is called over; 0: never."""
    found = recovery("classification", Extent(*(case.before, case.harm) * 2), INCREASE, case.ill)
    for number, lost in enumerate((rng.random(LONGEST) < case.then).astype(float).tolist(), 1):
        found.take(lost)
        if not number % LOOKED_AT and found.is_over("classification", 1.0):
            return number
    return 0
