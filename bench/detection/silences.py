"""Core. Silence of traffic: false tickets against what was asked for, and how soon a model that stops is missed.

``python -m bench.detection.silences`` prints one line for each shape of traffic and rate (a minute or two).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bench.detection.streams import wandering
from stream.gaps import FEWEST, SHORTEST_S
from stream.health import KINDS
from stream.traffic import DAY_S, HOUR_S, Traffic
from stream.version import Judgement

DAYS, LAST = 49, 4
"""Simulated days, and how many of them a model that stops is silent at most."""
BEGAN_AT = 1_764_000_000.0 // 604_800.0 * 604_800.0
ODDS = Judgement().silence_odds(KINDS)
Rates = NDArray[np.float64]
Generator = np.random.Generator


class Found(NamedTuple):
    """False tickets in so many judged model-days; delays of those that stopped, in hours."""

    opened: int
    days: float
    delays: list[float]


def _flat(_rng: Generator) -> Rates:
    return np.ones(DAYS * 24)


def _daily(_rng: Generator) -> Rates:
    return np.asarray(1.0 + 0.9 * np.sin(2 * np.pi * (np.arange(DAYS * 24) % 24 - 9) / 24))


def _weekly(rng: Generator) -> Rates:
    return np.asarray(_daily(rng) * np.where(np.arange(DAYS * 24) // 24 % 7 >= 5, 0.3, 1.28))


def _office(_rng: Generator) -> Rates:
    hours = np.arange(DAYS * 24)
    is_open = (hours % 24 >= 8) & (hours % 24 < 18) & (hours // 24 % 7 < 5)
    return np.asarray(np.where(is_open, 3.36, 0.0))


def _burst(rng: Generator) -> Rates:
    levels = wandering(rng.standard_normal(DAYS * 24), 0.8)
    return np.asarray(_weekly(rng) * np.exp(levels))


def _holidays(rng: Generator) -> Rates:
    return np.asarray(_weekly(rng) * np.repeat(np.where(rng.random(DAYS) < 0.05, 0.1, 1.0), 24))


SHAPES: dict[str, Callable[[Generator], Rates]] = {
    "flat": _flat,
    "daily": _daily,
    "weekly": _weekly,
    "office hours": _office,
    "bursts": _burst,
    "holidays": _holidays,
}


def simulate(shape: str, daily: float, models: int, *, stops: bool, seed: int = 5) -> Found:
    """Return what models with about ``daily`` predictions a day are told; some stop in the last ``LAST`` days."""
    opened, delays = 0, []
    for number in range(models):
        rng = np.random.default_rng([seed, number, int(daily)])
        counts = rng.poisson(SHAPES[shape](rng) * daily / 24)
        starts = np.repeat(np.arange(DAYS * 24) * HOUR_S, counts)
        at = BEGAN_AT + np.sort(starts + rng.uniform(0.0, HOUR_S, counts.sum()))
        stop_at = BEGAN_AT + (DAYS - LAST + rng.random()) * DAY_S if stops else float("inf")
        told = tickets(at[at < stop_at].tolist())
        opened += sum(one < stop_at for one in told)
        delays += [(one - stop_at) / HOUR_S for one in told if one >= stop_at][:1]
    return Found(opened, models * float(DAYS - FEWEST), delays)


def tickets(predictions: list[float]) -> list[float]:
    """Return when one model's tickets are opened; the clock is looked at every ``SHORTEST_S``."""
    traffic, told, taken, is_open = Traffic(), [], 0, False
    for step in range(int(DAYS * DAY_S / SHORTEST_S)):
        now = BEGAN_AT + step * SHORTEST_S
        while taken < len(predictions) and predictions[taken] <= now:
            traffic.seen(predictions[taken], 0.0)
            taken, is_open = taken + 1, False
        if not is_open and traffic.is_silent(now, 0.0, ODDS):
            told.append(now)
            is_open = True
    return told


def main() -> None:
    """Print the figures."""
    for shape in SHAPES:
        for daily, models in ((20.0, 40), (300.0, 40), (5_000.0, 10)):
            calm = simulate(shape, daily, models, stops=False)
            ended = simulate(shape, daily, max(models // 4, 3), stops=True)
            delay = f"{np.median(ended.delays):.1f} h" if ended.delays else "never"
            print(
                f"{shape:12} {daily:6.0f} a day: {calm.opened} false, nominal {calm.days * ODDS:.2f};"
                f" {len(ended.delays)} of {max(models // 4, 3)} that stopped told, median after {delay}"
            )


if __name__ == "__main__":
    main()
