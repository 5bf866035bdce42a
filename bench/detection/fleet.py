"""Core. A simulated fleet through the worker's own monitors: false pages per team and week, harm found and
explained.

Every model has one slice dimension of three values. Labels come after a log-normal delay, and a wrong
prediction's label takes longer, so the earliest labels look too good. One model in a hundred gets worse in one
slice at a known moment.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stream.events import Finding, Instant, Prediction
from stream.joined import Joined, Reason, Served
from stream.judge.budget import WEEK_S
from stream.monitor import Monitor
from stream.version import Judgement

DAY_S = 86_400.0
SLICES = ("city=lagos", "city=lima", "city=oslo")
TEAM = 50
LABELS_A_DAY = 300
DELAY_S = 7_200.0
SIGMA = 1.5
SLOWER = 3.0
"""How many times longer the label of a wrong prediction takes."""
HARMED = 0.01
HORIZON_S = 3 * DAY_S
"""Labels that take longer never come."""


@dataclass(frozen=True, slots=True)
class Case:
    """One model: its error rate, and for a harmed one when, in which slice and to what rate."""

    rate: float
    since: float = float("inf")
    where: int = -1
    worse: float = 0.0


@dataclass(slots=True)
class Fleet:
    """What came out."""

    harmed: int = 0
    detected: int = 0
    explained: int = 0
    false_pages: int = 0
    weeks: float = 0.0
    """Of teams."""
    delays: list[tuple[int, float]] = field(default_factory=list)
    """From the harm to the page: losses since the onset as estimated, and seconds."""

    def report(self, promised: float) -> dict[str, Any]:
        """Return the figures; ``detected`` is a share of the harmed, ``explained`` of the detected."""
        labels = float(np.median([one[0] for one in self.delays])) if self.delays else None
        seconds = float(np.median([one[1] for one in self.delays])) if self.delays else None
        return {
            "harmed": self.harmed,
            "detected": self.detected / self.harmed if self.harmed else None,
            "explained": self.explained / self.detected if self.detected else None,
            "false_pages_per_team_week": self.false_pages / self.weeks,
            "false_pages": self.false_pages,
            "team_weeks": self.weeks,
            "promised": promised,
            "median_delay_labels": labels,
            "median_delay_hours": None if seconds is None else seconds / 3_600,
        }


def simulate(models: int, days: float, seed: int) -> Fleet:
    """Return what a fleet of ``models`` does in ``days`` days; the first harmed ones are in the middle of it."""
    fleet = Fleet(weeks=models / TEAM * days * DAY_S / WEEK_S)
    judgement = Judgement(models_per_team=TEAM)
    for number in range(models):
        rng = np.random.default_rng([seed, number])
        case = _case(rng, days, harmed=number % round(1 / HARMED) == 0)
        findings = [one for one in _findings(f"m{number}", case, days, judgement, rng) if one.state == "open"]
        _score(fleet, case, findings)
    return fleet


def _case(rng: np.random.Generator, days: float, harmed: bool) -> Case:
    rate = float(rng.uniform(0.03, 0.2))
    if not harmed:
        return Case(rate)
    odds = rate / (1 - rate) * rng.uniform(3.0, 6.0)
    since = float(rng.uniform(0.4, 0.65)) * days * DAY_S
    return Case(rate, since, int(rng.integers(3)), odds / (1 + odds))


def _score(fleet: Fleet, case: Case, findings: list[Finding]) -> None:
    true = [one for one in findings if one.detected_at >= case.since]
    fleet.false_pages += len(findings) - len(true)
    if case.where < 0:
        return
    fleet.harmed += 1
    if not true:
        return
    first = true[0]
    fleet.detected += 1
    fleet.delays.append((first.events_since_onset, first.detected_at - case.since))
    within = (first.onset_after or 0.0) <= case.since <= (first.onset_before or 0.0)
    fleet.explained += first.slice == SLICES[case.where] and within


def _findings(
    model: str, case: Case, days: float, judgement: Judgement, rng: np.random.Generator
) -> Iterator[Finding]:
    count = int(LABELS_A_DAY * days)
    at = np.sort(rng.uniform(0.0, days * DAY_S, count))
    where = rng.integers(3, size=count)
    hurt = (at >= case.since) & (where == case.where)
    wrong = rng.random(count) < np.where(hurt, case.worse, case.rate)
    late = DELAY_S * np.exp(rng.normal(0.0, SIGMA, count)) * np.where(wrong, SLOWER, 1.0)
    monitor, known = Monitor(model), at + late
    order: NDArray[np.int64] = np.argsort(known)
    predicted = 0
    for place in order.tolist():
        while predicted < count and at[predicted] <= known[place]:
            _predict(monitor, model, float(at[predicted]), int(where[predicted]), judgement)
            predicted += 1
        if late[place] > HORIZON_S:
            continue
        served = _served(model, float(at[place]), int(where[place]), str(place))
        joined = Joined(Reason.MATCHED, model, served, not wrong[place], float(known[place]))
        yield from monitor.take(joined, judgement, None)[1]


def _served(model: str, at: float, where: int, name: str) -> Served:
    return Served(name, model, "v1", at, True, False, ("all", SLICES[where]))


def _predict(monitor: Monitor, model: str, at: float, where: int, judgement: Judgement) -> None:
    one = Prediction(prediction_id="p", model=model, version="v1", at=Instant(at), prediction=True)
    monitor.predicted(one, _served(model, at, where, "p"), judgement)
