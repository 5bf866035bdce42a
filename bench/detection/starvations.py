"""Core. Starvation of labels: false tickets against what was asked for, and how soon labels that stop are missed.

``python -m bench.detection.starvations`` prints one line for each label delay and rate (some minutes).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from heapq import merge
from math import isnan

import numpy as np
from numpy.typing import NDArray

from bench.detection.silences import ODDS, Found
from stream.gaps import FEWEST, SHORTEST_S
from stream.maturity import Maturity
from stream.traffic import DAY_S, HOUR_S, Traffic

DAYS, ENDS = 40, 35
"""Simulated days, and the day on which the labels, or the predictions, of some models stop."""
LABELLED = 0.97
"""Of all predictions, in the end."""
BEGAN_AT = 1_764_000_000.0 // DAY_S * DAY_S
Floats = NDArray[np.float64]


def _quick(rng: np.random.Generator, at: Floats) -> Floats:
    return np.asarray(at + rng.lognormal(np.log(20.0), 1.0, len(at)))


def _slow(rng: np.random.Generator, at: Floats) -> Floats:
    return np.asarray(at + rng.lognormal(np.log(2 * HOUR_S), 1.5, len(at)))


def _nightly(rng: np.random.Generator, at: Floats) -> Floats:
    night = np.ceil((at - BEGAN_AT) / DAY_S) * DAY_S + BEGAN_AT + 3 * HOUR_S
    return np.asarray(night + rng.uniform(0.0, 600.0, len(at)))


DELAYS: dict[str, Callable[[np.random.Generator, Floats], Floats]] = {
    "20 s": _quick,
    "2 h, heavy tail": _slow,
    "nightly": _nightly,
}


def simulate(delay: str, daily: float, models: int, stops: str) -> Found:
    """Return what models are told of which nothing stops, or on day ``ENDS`` their "labels" or "predictions"."""
    opened, delays = 0, []
    end = BEGAN_AT + ENDS * DAY_S if stops else float("inf")
    for number in range(models):
        rng = np.random.default_rng([7, number, int(daily)])
        at = BEGAN_AT + np.sort(rng.uniform(0.0, DAYS * DAY_S, rng.poisson(daily * DAYS)))
        known = DELAYS[delay](rng, at)
        is_made = (at < end) | (stops != "predictions")
        is_known = is_made & (rng.random(len(at)) < LABELLED) & ((known < end) | (stops != "labels"))
        told = _tickets(at[is_made], at[is_known], known[is_known])
        opened += sum(one < end or stops == "predictions" for one in told)
        delays += [(one - end) / HOUR_S for one in told if one >= end][:1] if stops == "labels" else []
    return Found(opened, models * float(DAYS - FEWEST), delays)


def _events(at: Floats, labelled: Floats, known: Floats) -> Iterator[tuple[float, int, float]]:
    """Yield predictions (0), labels (1) with their prediction's time, and looks (2) in order of time."""
    order = np.argsort(known, kind="stable")
    predictions = ((one, 0, one) for one in at.tolist())
    labels = zip(known[order].tolist(), [1] * len(order), labelled[order].tolist(), strict=True)
    looks = ((BEGAN_AT + step * SHORTEST_S, 2, 0.0) for step in range(int(DAYS * DAY_S / SHORTEST_S)))
    yield from merge(predictions, labels, looks)


def _tickets(at: Floats, labelled: Floats, known: Floats) -> list[float]:
    """Return when one model's tickets are opened; the clock goes on without it and loses nothing."""
    traffic, maturity = Traffic(), Maturity()
    told: list[float] = []
    is_open = False
    for now, kind, predicted_at in _events(at, labelled, known):
        if kind == 0:
            traffic.seen(now, 0.0)
            maturity.predicted(now)
        elif kind == 1:
            maturity.labelled(predicted_at, now - predicted_at, 0.0, 1.0, now, 0.0)
            is_open = False
        else:
            final = maturity.final()
            a_day = 0.0 if isnan(final) else traffic.hours.a_day() * final
            if maturity.is_starved(now, 0.0, ODDS, a_day) and not is_open:
                told.append(now)
                is_open = True
    return told


def main() -> None:
    """Print the figures."""
    for delay in DELAYS:
        for daily, models in ((50.0, 12), (1_000.0, 8)):
            calm = simulate(delay, daily, models, "")
            ended = simulate(delay, daily, models, "labels")
            gone = simulate(delay, daily, models, "predictions")
            after = f"{np.median(ended.delays):.1f} h" if ended.delays else "never"
            print(
                f"{delay:16} {daily:6.0f} a day: {calm.opened} false, nominal {calm.days * ODDS:.2f};"
                f" {len(ended.delays)} of {models} whose labels stopped told, median after {after};"
                f" {gone.opened} tickets where predictions stopped"
            )


if __name__ == "__main__":
    main()
