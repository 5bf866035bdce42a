"""Shell. Accuracy estimated before labels: how near it comes, and how often its bounds hold what labels say later.

``python -m bench.detection.estimates`` prints one line a case, simulated and from real streams (half a minute).
Beside each estimate stands what else could be said at that time: the accuracy of the labels that calibrate it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bench.detection.real import DATA, at_of, games, rows
from stream.confidence import PARTS, Confidence
from stream.held import Comparison

HOUR_S = 3_600.0
HORIZON_S = PARTS * HOUR_S
"""So that a cohort is an hour."""
WELL, SHIFTED = 60, 30
"""Cohorts before and after a change. Estimates of the first nine after it were calibrated before it."""
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Generator = np.random.Generator


class Case(NamedTuple):
    """How scores are drawn before and after a change, how often they are right, and which share is labelled."""

    name: str
    before: Callable[[Generator, int], Floats]
    after: Callable[[Generator, int], Floats]
    right: Callable[[Floats], Floats]
    right_after: Callable[[Floats], Floats]
    labelled: Callable[[Floats], Floats]


class Row(NamedTuple):
    """One line: of ``batches``, the share whose bounds held the realised accuracy, and mean figures."""

    name: str
    batches: int
    coverage: float
    realised: float
    error: float
    """Realised less estimated accuracy."""
    size: float
    """Of that without its sign, in the mean."""
    known_size: float
    """The same of the accuracy of the labels that were known."""

    def __str__(self) -> str:
        return (
            f"  {self.name:<58} {self.batches:>6} batches, covered {self.coverage:.3f}, realised "
            f"{self.realised:.4f}, error {self.error:+.4f}, size {self.size:.4f} "
            f"(of known labels {self.known_size:.4f})"
        )


def _sure(rng: Generator, count: int) -> Floats:
    """Return confidences of .5 to 1, of .91 in the mean."""
    return 0.5 + rng.beta(4.0, 0.9, count) / 2.0


def _unsure(rng: Generator, count: int) -> Floats:
    return 0.5 + rng.beta(2.0, 1.5, count) / 2.0


def _too_sure(scores: Floats) -> Floats:
    return 0.5 + (scores - 0.5) * 0.7


def _worse(scores: Floats) -> Floats:
    return scores - 0.1


def _same(scores: Floats) -> Floats:
    return scores


def _all(scores: Floats) -> Floats:
    return np.ones(len(scores))


def _half(scores: Floats) -> Floats:
    return np.full(len(scores), 0.5)


def _unsure_less(scores: Floats) -> Floats:
    """Return the chance of a label: where the model was unsure nobody looks."""
    return np.where(scores < 0.8, 0.3, 1.0)


CASES = (
    Case("no shift", _sure, _sure, _same, _same, _all),
    Case("no shift, scores too sure", _sure, _sure, _too_sure, _too_sure, _all),
    Case("no shift, half labelled", _sure, _sure, _same, _same, _half),
    Case("no shift, unsure ones labelled less often", _sure, _sure, _same, _same, _unsure_less),
    Case("covariate shift", _sure, _unsure, _same, _same, _all),
    Case("covariate shift, scores too sure", _sure, _unsure, _too_sure, _too_sure, _all),
    Case("concept drift: 10 points worse at each score", _sure, _sure, _same, _worse, _all),
)


def simulated(case: Case, an_hour: int, lives: int, seed: int) -> Row:
    """Return how estimates of cohorts after the change did that were calibrated before it."""
    rng = np.random.default_rng([seed, an_hour])
    held: list[Found] = []
    for _ in range(lives):
        one = Confidence(HORIZON_S)
        for hour in range(WELL + SHIFTED):
            is_well = hour < WELL
            scores = (case.before if is_well else case.after)(rng, rng.poisson(an_hour))
            right = rng.random(len(scores)) < (case.right if is_well else case.right_after)(scores)
            labelled = rng.random(len(scores)) < case.labelled(scores)
            held += _hour(one, hour, scores, right, labelled)
    fresh = [one for one in held if WELL <= one[0].began_at / HOUR_S <= WELL + PARTS]
    return _row(f"{case.name}, {an_hour} an hour", fresh)


Found = tuple[Comparison, float]
"""With the accuracy of the labels that calibrated it."""


def _hour(one: Confidence, hour: int, scores: Floats, right: Bools, labelled: Bools) -> Iterator[Found]:
    """Count an hour of predictions, every other one of them ``False``, and their labels."""
    at = (hour + 0.5) * HOUR_S
    for turn, (sure, is_right, is_labelled) in enumerate(zip(scores.tolist(), right, labelled, strict=True)):
        said = turn % 2 == 0
        score = sure if said else 1.0 - sure
        one.predicted(at, said, score, at)
        if is_labelled:
            one.labelled(at, said, score, bool(is_right))
    yield from _closed(one, at)


def _closed(one: Confidence, now: float) -> Iterator[Found]:
    before = one.held.batches
    one.close(now)
    if one.held.batches > before and one.held.newest is not None:
        known = one.calibration
        yield one.held.newest, sum(known[2::3]) / sum(known[1::3])


def _row(name: str, found: list[Found]) -> Row:
    errors = np.array([one.realised - one.estimate.value for one, _ in found])
    known = np.array([one.realised - accuracy for one, accuracy in found])
    covered = float(np.mean([one.is_covered for one, _ in found]))
    realised = float(np.mean([one.realised for one, _ in found]))
    sizes = float(np.abs(errors).mean()), float(np.abs(known).mean())
    return Row(name, len(found), covered, realised, float(errors.mean()), *sizes)


Served = tuple[float, bool, float, bool]
"""Event time, what was said, the score of ``True``, and what happened."""


def _streamed(served: Iterator[Served]) -> list[Found]:
    """Return what was held in a stream whose labels come at once, with the default horizon."""
    one, newest = Confidence(3 * 24 * HOUR_S), float("-inf")
    found: list[Found] = []
    for at, said, score, happened in served:
        newest = max(newest, at)
        found += _closed(one, newest)
        one.predicted(at, said, score, newest)
        one.labelled(at, said, score, said == happened)
    found += _closed(one, newest + 30 * 24 * HOUR_S)
    return found


def _loans() -> Iterator[Row]:
    target = {row["id"]: row["repaid"] for row in rows("car-loan", "analysis_target.csv.gz")}
    loans = [*rows("car-loan", "reference.csv.gz"), *rows("car-loan", "analysis.csv.gz")]
    served = (
        (at_of(row["timestamp"]), row["y_pred"] == "1", float(row["y_pred_proba"]), float(happened) == 1.0)
        for row in loans
        for happened in [row.get("repaid") or target[row["id"]]]
    )
    found = _streamed(served)
    for name, since, until in (("before", "2018", "2019-03-31"), ("after", "2019-03-31", "2020")):
        yield _between(f"car loans {name} their change on 31 March 2019", found, since, until)


def _games() -> Iterator[Row]:
    found = _streamed((at, score >= 0.5, score, won) for _, at, score, won in games())
    for since, until in (("1920", "1950"), ("1950", "1970"), ("1970", "2021")):
        yield _between(f"football {since} to {until}", found, since, until)


def _between(name: str, found: list[Found], since: str, until: str) -> Row:
    began, end = (at_of(f"{text}-01-01"[:10]) for text in (since, until))
    return _row(name, [one for one in found if began <= one[0].began_at < end])


def report(lives: int, seed: int = 1) -> Iterator[Row]:
    """Yield the simulated cases, in so many lives at 50 and 500 predictions a cohort and a tenth at 5,000."""
    for case in CASES:
        for an_hour, part in ((50, 1), (500, 1), (5_000, 10)):
            yield simulated(case, an_hour, max(lives // part, 1), seed)


def streams() -> Iterator[Row]:
    """Yield what real streams give; nothing of those whose data is not on this machine."""
    for name, found in (("car-loan", _loans), ("nfl-elo", _games)):
        if (DATA / name).is_dir():
            yield from found()


if __name__ == "__main__":
    for row in (*streams(), *report(int(sys.argv[1]) if len(sys.argv) > 1 else 30)):
        print(row, flush=True)
