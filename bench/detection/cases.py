"""Core. The simulated models of a fleet: what they are sent and said, when their labels come, and what harms some.

Every model has one slice dimension of three values, five features, and predictions of two classes; every other one
sends calibrated scores. Labels come after a log-normal delay, and a wrong prediction's label takes longer, so the
earliest labels look too good. A harmed model gets worse in one slice at a known moment: because one of its
features broke there, or because the world changed; then a feature may move without harm around that time.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import inf, nan
from typing import Final, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

DAY_S = 86_400.0
SLICES = ("city=lagos", "city=lima", "city=oslo")
LABELS_A_DAY = 300
DELAY_S, SIGMA = 7_200.0, 1.5
SLOWER = 3.0
"""How many times longer the label of a wrong prediction takes."""
HORIZON_S = 3 * DAY_S
"""Labels that take longer never come."""
NUMBERS, WORDS = ("distance", "age", "price"), ("payment", "channel")
FEATURES: Final = (*NUMBERS, *WORDS)
KINDS: Final = (4, 8)
"""Words of each feature that has some."""
BROKEN: Final = 0.7
"""The share of a slice's predictions in which a feature is broken."""
FACTOR: Final = 60.0
"""Minutes for hours."""
MOVED: Final = 1.0
"""Standard deviations by which a feature moves without harm; of words a quarter turn into one of them."""
SURE: Final = 0.95
"""The highest rate at which broken predictions are wrong."""
Cause = Literal["feature", "world", "world and a harmless move"]
CAUSES: Final[tuple[Cause, ...]] = ("feature", "world", "world and a harmless move")
Floats = NDArray[np.float64]
Values = list[float | str | None]


@dataclass(frozen=True, slots=True)
class Case:
    """One model: its error rate, and what happens to it; ``feature`` breaks, or moves without harm."""

    rate: float
    cause: Cause | None = None
    since: float = inf
    where: int = -1
    worse: float = nan
    feature: int = -1
    moves_at: float = inf


class Event(NamedTuple):
    """One prediction and its outcome, which is known at ``known_at``; inf: never."""

    at: float
    where: int
    said: bool
    happened: bool
    score: float | None
    features: dict[str, float | str | None]
    known_at: float


def case_of(rng: np.random.Generator, days: float, cause: Cause | None) -> Case:
    """Draw a model of this cause of harm; one in fifty of the healthy has a feature that moves."""
    rate = float(rng.uniform(0.03, 0.2))
    feature = int(rng.integers(len(FEATURES)))
    since = float(rng.uniform(0.4, 0.65)) * days * DAY_S
    if cause is None:
        return Case(rate, feature=feature, moves_at=since if rng.random() < 0.02 else inf)
    odds = rate / (1 - rate) * rng.uniform(3.0, 6.0)
    moves_at = since + float(rng.uniform(-1.0, 1.0)) * DAY_S if cause == "world and a harmless move" else inf
    return Case(rate, cause, since, int(rng.integers(3)), odds / (1 + odds), feature, moves_at)


def events(case: Case, days: float, has_scores: bool, rng: np.random.Generator) -> Iterator[Event]:
    """Yield a model's life, by when it predicted."""
    count = int(LABELS_A_DAY * days)
    at = np.sort(rng.uniform(0.0, days * DAY_S, count))
    where = rng.integers(3, size=count)
    doubt = _doubt(case.rate, count, rng)
    hurt = (at >= case.since) & (where == case.where)
    broken = hurt & (rng.random(count) < BROKEN) if case.cause == "feature" else np.zeros(count, bool)
    risk = doubt.copy()
    if case.cause == "feature":
        risk[broken] = min((case.worse - (1.0 - BROKEN) * case.rate) / BROKEN, SURE)
    else:
        risk[hurt] = np.maximum(doubt, (case.worse - case.rate) / (1.0 - case.rate) + doubt)[hurt].clip(
            0.0, SURE
        )
    wrong = rng.random(count) < risk
    said = rng.random(count) < 0.5
    late = DELAY_S * np.exp(rng.normal(0.0, SIGMA, count)) * np.where(wrong, SLOWER, 1.0)
    known = np.where(late > HORIZON_S, inf, at + late)
    scores = np.where(said, 1.0 - doubt, doubt).tolist() if has_scores else [None] * count
    columns = [_feature(case, place, at, broken, rng) for place in range(len(FEATURES))]
    happened = (said != wrong).tolist()
    rows = zip(
        at.tolist(), where.tolist(), said.tolist(), happened, scores, zip(*columns, strict=True), strict=True
    )
    for (when, city, one, truth, score, values), known_at in zip(rows, known.tolist(), strict=True):
        yield Event(when, city, one, truth, score, dict(zip(FEATURES, values, strict=True)), known_at)


def _doubt(rate: float, count: int, rng: np.random.Generator) -> Floats:
    """Return chances (0..1/2) of being wrong with this mean."""
    return 0.5 * rng.beta(1.0, (1.0 - 2.0 * rate) / (2.0 * rate), count)


def _feature(
    case: Case, place: int, at: Floats, broken: NDArray[np.bool_], rng: np.random.Generator
) -> Values:
    """Return a feature's values; a broken one is in another unit, missing, or a word never seen before."""
    is_it = place == case.feature
    moved = is_it & (at >= case.moves_at)
    if place < len(NUMBERS):
        numbers = np.exp(rng.normal(0.0, 0.5, len(at)) + 0.5 * MOVED * moved)
        values: Values = np.where(is_it & broken, numbers * FACTOR, numbers).tolist()
    else:
        kinds = KINDS[place - len(NUMBERS)]
        drawn = rng.integers(kinds, size=len(at))
        drawn[moved & (rng.random(len(at)) < 0.25)] = 0
        values = [f"w{kind}" for kind in drawn.tolist()]
    if is_it and case.cause == "feature" and place:
        new = None if place % 2 else "new"
        values = [
            new if is_broken else value for value, is_broken in zip(values, broken.tolist(), strict=True)
        ]
    return values
