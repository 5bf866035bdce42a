"""Core. A ride-hailing company: 10 models in 20 countries, two versions each, labels late and out of order.

All randomness comes from the generator passed in, so a seed decides everything, the secret plan included.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import msgspec
import numpy as np

from stream.events import Event, Instant, Outcome, Prediction, Rollout

REGRESSIONS = {"eta": 4.0, "fare": 2.5, "demand": 8.0, "surge": 0.2, "tip": 0.8}
"""Mean absolute error of the healthy model, in its own unit."""
CLASSIFICATIONS = {"fraud": 0.03, "cancel": 0.12, "accept": 0.08, "rating": 0.1, "churn": 0.06}
"""Error rate of the healthy model."""
KINDS = (*REGRESSIONS, *CLASSIFICATIONS)
COUNTRY_NAMES = "us br in mx gb fr de au co ar es it pl ng ke eg sa za nl se"
COUNTRIES = tuple(COUNTRY_NAMES.split())
TEAMS = {
    "maps": ("eta",),
    "pricing": ("fare", "surge", "tip"),
    "marketplace": ("demand", "accept", "cancel"),
    "trust": ("fraud",),
    "growth": ("churn",),
}
DEFAULT_TEAM = "ml-platform"
VERSIONS = ("v7", "v8")
CANARY_SHARE = 0.1
TIERS = ("standard", "premium", "airport")
TIER_SHARES = (0.34, 0.33, 0.33)
PLATFORMS = ("ios", "android")
SLICES = ("all", *(f"tier={tier}" for tier in TIERS))
"""Where a model may degrade; the rarest has 0.3 of its traffic."""
FLATNESS = 0.1
"""Traffic of the nth country is as n to minus this; small, so that a minute is enough to judge the last."""
ERROR_FACTOR = 4.0
BAD_ERROR_RATE = 0.55
MEDIAN_DELAY_S = 1.5
UNLABELLED = 0.01


class Plan(NamedTuple):
    """What only the demo knows: which model degrades where, and when. Instants in epoch seconds."""

    model: str
    version: str
    slice: str
    team: str
    metric: str
    degrades_at: float
    recovers_at: float

    def hurts(self, model: str, version: str, tier: str, at: float) -> bool:
        """Return whether a prediction falls into the harm."""
        return (
            model == self.model
            and version == self.version
            and self.slice in ("all", f"tier={tier}")
            and self.degrades_at <= at < self.recovers_at
        )


def team_of(model: str) -> str:
    """Return the team that owns a model; models of no team fall to the default owner."""
    kind = model.partition(".")[0]
    return next((team for team, kinds in TEAMS.items() if kind in kinds), DEFAULT_TEAM)


def make_plan(rng: np.random.Generator, degrades_at: float, recovers_at: float) -> Plan:
    """Choose any model of any country, its live version, and one slice or all."""
    kind = KINDS[rng.integers(len(KINDS))]
    model = f"{kind}.{COUNTRIES[rng.integers(len(COUNTRIES))]}"
    where = SLICES[rng.integers(len(SLICES))]
    metric = "mae" if kind in REGRESSIONS else "accuracy"
    return Plan(model, VERSIONS[0], where, team_of(model), metric, degrades_at, recovers_at)


class Timed(NamedTuple):
    """An event and when it is sent, in epoch seconds."""

    sent_at: float
    event: Event


@dataclass(slots=True)
class Fleet:
    """Makes the company's events. ``plan`` may be ``None``: then nobody degrades."""

    rng: np.random.Generator
    plan: Plan | None
    made: int = 0

    def rollouts(self, at: float) -> Iterator[Timed]:
        """Yield the rollouts that brought every model's versions into service."""
        for kind in KINDS:
            for country in COUNTRIES:
                model = f"{kind}.{country}"
                yield Timed(at, Rollout(model=model, version=VERSIONS[0], at=Instant(at), stage="live"))
                yield Timed(at, Rollout(model=model, version=VERSIONS[1], at=Instant(at), stage="canary"))

    def traffic(self, start: float, seconds: float, count: int) -> Iterator[Timed]:
        """Yield ``count`` predictions spread over the time, with their outcomes; not in order of sending."""
        rng = self.rng
        weights = np.arange(1, len(COUNTRIES) + 1) ** -FLATNESS
        kinds = rng.integers(0, len(KINDS), count)
        countries = rng.choice(len(COUNTRIES), count, p=weights / weights.sum())
        ats = np.sort(rng.uniform(start, start + seconds, count))
        canary = rng.random(count) < CANARY_SHARE
        tiers = rng.choice(3, count, p=TIER_SHARES)
        platforms = rng.integers(0, 2, count)
        delays = rng.lognormal(np.log(MEDIAN_DELAY_S), 0.6, count)
        for i in range(count):
            model = f"{KINDS[kinds[i]]}.{COUNTRIES[countries[i]]}"
            slices = {"tier": TIERS[tiers[i]], "platform": PLATFORMS[platforms[i]]}
            yield from self._ride(model, VERSIONS[int(canary[i])], slices, float(ats[i]), float(delays[i]))

    def _ride(
        self, model: str, version: str, slices: dict[str, str], at: float, delay_s: float
    ) -> Iterator[Timed]:
        self.made += 1
        bad = self.plan is not None and self.plan.hurts(model, version, slices["tier"], at)
        said, scores, happened = self._label(model.partition(".")[0], bad)
        one = Prediction(
            prediction_id=f"r{self.made}",
            model=model,
            version=version,
            at=Instant(round(at, 3)),
            prediction=said,
            scores=scores,
            slices={**slices, "country": model.partition(".")[2]},
            features={"distance_km": round(float(self.rng.gamma(2.0, 3.0)), 2), "hour": int(at // 3600 % 24)},
        )
        yield Timed(at, one)
        yield from self._label_later(one, happened, at, delay_s)

    def _label(self, kind: str, bad: bool) -> tuple[bool | float, float | None, bool | float]:
        rng = self.rng
        if kind in REGRESSIONS:
            mean = REGRESSIONS[kind] * (ERROR_FACTOR if bad else 1.0)
            truth = float(rng.gamma(4.0, REGRESSIONS[kind] * 2))
            error = float(rng.exponential(mean)) * (1 if rng.random() < 0.5 else -1)
            return round(truth + error, 3), None, round(truth, 3)
        said = bool(rng.random() < 0.7)
        wrong = rng.random() < (BAD_ERROR_RATE if bad else CLASSIFICATIONS[kind])
        return said, round(float(rng.uniform(0.5, 1.0) if said else rng.uniform(0, 0.5)), 3), said != wrong

    def _label_later(
        self, one: Prediction, happened: bool | float, at: float, delay_s: float
    ) -> Iterator[Timed]:
        luck = self.rng.random()
        if luck < UNLABELLED:
            return
        known = Outcome(
            prediction_id=one.prediction_id,
            model=one.model,
            at=Instant(round(at + delay_s, 3)),
            outcome=happened,
        )
        early = luck < 2 * UNLABELLED
        yield Timed(at - 0.2 if early else at + delay_s, known)
        if luck > 1 - UNLABELLED:
            yield Timed(at + delay_s + 0.5, known)
        elif luck > 1 - 2 * UNLABELLED and isinstance(happened, bool):
            first = msgspec.structs.replace(known, at=Instant(round(at + delay_s + 1.0, 3)))
            yield Timed(at + delay_s + 1.0, msgspec.structs.replace(first, outcome=not happened))
            again = msgspec.structs.replace(known, at=Instant(round(at + delay_s + 1.5, 3)))
            yield Timed(at + delay_s + 1.5, again)
