"""Shell. A simulated fleet through the worker's own monitors: false pages per team-week, harm found and explained.

Models are shared out to as many processes as there are cores.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from heapq import heappop, heappush
from math import inf
from typing import Any

import numpy as np

from bench.detection.cases import CAUSES, DAY_S, FEATURES, SLICES, Case, Cause, Event, case_of, events
from bench.detection.pool import CORES, each
from stream.events import Finding, Instant, Prediction
from stream.joined import Joined, Reason, Served
from stream.judge.budget import WEEK_S
from stream.monitor import Monitor
from stream.version import Judgement

TEAM = 50
HARMED = 100
"""One model of so many gets worse."""
PAGE = "page"
Due = tuple[float, int, Served, bool]
"""When a label is known, the prediction's number, itself, and what happened."""


@dataclass(slots=True)
class Fleet:
    """What came out; counts of harmed models by what was found, by the cause of their harm."""

    harmed: Counter[str] = field(default_factory=Counter)
    detected: Counter[str] = field(default_factory=Counter)
    explained: Counter[str] = field(default_factory=Counter)
    wrong: Counter[str] = field(default_factory=Counter)
    """What was not right of those not explained: slice, onset, feature."""
    metrics: Counter[str] = field(default_factory=Counter)
    """What the first page after the harm was about."""
    pages: int = 0
    """After the harm, of harmed models."""
    false_pages: int = 0
    false_metrics: Counter[str] = field(default_factory=Counter)
    weeks: float = 0.0
    """Of teams."""
    delays: list[tuple[int, float]] = field(default_factory=list)
    """From the harm to the page: losses since the onset as estimated, and seconds."""

    def add(self, other: Fleet) -> None:
        """Put another one's models in."""
        for name in ("harmed", "detected", "explained", "wrong", "metrics", "false_metrics"):
            getattr(self, name).update(getattr(other, name))
        self.pages += other.pages
        self.false_pages += other.false_pages
        self.weeks += other.weeks
        self.delays += other.delays

    def report(self, promised: float) -> dict[str, Any]:
        """Return the figures; ``detected`` is a share of the harmed, ``explained`` of the detected."""
        labels = float(np.median([one[0] for one in self.delays])) if self.delays else None
        seconds = float(np.median([one[1] for one in self.delays])) if self.delays else None
        harmed, detected = self.harmed.total(), self.detected.total()
        return {
            "harmed": harmed,
            "detected": detected / harmed if harmed else None,
            "explained": self.explained.total() / detected if detected else None,
            "by_cause": {
                cause: [self.harmed[cause], self.detected[cause], self.explained[cause]]
                for cause in self.harmed
            },
            "wrong": dict(self.wrong),
            "metrics": dict(self.metrics),
            "pages_per_detected": self.pages / detected if detected else None,
            "false_pages_per_team_week": self.false_pages / self.weeks,
            "false_pages": self.false_pages,
            "false_metrics": dict(self.false_metrics),
            "team_weeks": self.weeks,
            "promised": promised,
            "median_delay_labels": labels,
            "median_delay_hours": None if seconds is None else seconds / 3_600,
        }


def simulate(models: int, days: float, seed: int, harmed: int = HARMED) -> Fleet:
    """Return what a fleet of ``models`` does in ``days`` days, of which one in ``harmed`` gets worse."""
    fleet = Fleet()
    shares = [range(part, models, CORES) for part in range(CORES)]
    for found in each(partial(_some, days, seed, harmed), shares):
        fleet.add(found)
    return fleet


def _some(days: float, seed: int, harmed: int, numbers: range) -> Fleet:
    fleet = Fleet()
    for number in numbers:
        cause = CAUSES[number // harmed % len(CAUSES)] if number % harmed == 0 else None
        one = _one(number, days, seed, cause)
        one.weeks = days * DAY_S / WEEK_S / TEAM
        fleet.add(one)
    return fleet


def _one(number: int, days: float, seed: int, cause: Cause | None) -> Fleet:
    rng = np.random.default_rng([seed, number])
    case, fleet = case_of(rng, days, cause), Fleet()
    life = events(case, days, bool(number % 2), rng)
    found = _findings(f"m{number}", life, Judgement(models_per_team=TEAM))
    _score(fleet, case, [one for one in found if one.state == "open" and one.severity == PAGE])
    return fleet


def _score(fleet: Fleet, case: Case, pages: list[Finding]) -> None:
    true = [one for one in pages if one.detected_at >= case.since]
    fleet.false_pages += len(pages) - len(true)
    fleet.false_metrics.update(one.metric for one in pages if one.detected_at < case.since)
    if case.cause is None:
        return
    fleet.harmed[case.cause] += 1
    if not true:
        return
    first = true[0]
    fleet.detected[case.cause] += 1
    fleet.pages += len(true)
    fleet.metrics[first.metric] += 1
    fleet.delays.append((first.events_since_onset, first.detected_at - case.since))
    faults = [*_faults(case, first)]
    fleet.explained[case.cause] += not faults
    fleet.wrong.update(f"{case.cause}: {fault}" for fault in faults)


def _faults(case: Case, page: Finding) -> Iterator[str]:
    """Yield what the page says wrongly."""
    if page.slice != SLICES[case.where]:
        yield "slice"
    if not (page.onset_after or 0.0) <= case.since <= (page.onset_before or 0.0):
        yield "onset"
    blamed = [
        name
        for cause in page.causes
        for name in FEATURES
        if cause.startswith(f"feature {name} moved") and "without harm" not in cause
    ]
    wanted = [FEATURES[case.feature]] if case.cause == "feature" else []
    if blamed[:1] != wanted:
        yield "feature"


def _findings(model: str, life: Iterator[Event], judgement: Judgement) -> Iterator[Finding]:
    monitor, due = Monitor(model), list[Due]()
    for number, one in enumerate(life):
        while due and due[0][0] < one.at:
            yield from _label(monitor, heappop(due), judgement)
        said = Prediction(
            prediction_id=str(number), model=model, version="v1", at=Instant(one.at), prediction=one.said,
            scores=one.score, features=one.features,
        )  # fmt: skip
        slices = "all", SLICES[one.where]
        bins = monitor.bins(said) if monitor.versions else b""
        served = Served(
            str(number), model, "v1", one.at, one.said, one.score is not None, slices, bins, one.score
        )
        yield from monitor.predicted(said, served, judgement)
        if one.known_at < inf:
            heappush(due, (one.known_at, number, served, one.happened))
    while due:
        yield from _label(monitor, heappop(due), judgement)


def _label(monitor: Monitor, due: Due, judgement: Judgement) -> Iterator[Finding]:
    at, _, served, happened = due
    joined = Joined(Reason.MATCHED, served.model, served, happened, at)
    yield from monitor.take(joined, judgement, None)[1]
