"""Core. One model's predictions, and their labels when these come, through the worker's own monitor."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from heapq import merge

import numpy as np
from numpy.typing import NDArray

from stream.clock import Clock
from stream.events import Finding, Instant, Prediction
from stream.joined import Joined, Reason, Served
from stream.monitor import Monitor
from stream.traffic import DAY_S
from stream.version import Judgement

BEGAN_AT = 1_700_006_400.0
"""A midnight."""
Floats = NDArray[np.float64]
Place = Callable[[int], tuple[str, Iterable[str]]]
"""Of a prediction by its number: its version, and the slices it is in."""


def page_days(at: Floats, known_at: Floats, wrong: NDArray[np.bool_], place: Place) -> list[float]:
    """Return the days of the pages of a model with these predictions, in order, and labels (both in days)."""
    order = np.argsort(known_at, kind="stable")
    predictions = ((one, 0, number) for number, one in enumerate(at.tolist()))
    labels = zip(known_at[order].tolist(), [1] * len(at), order.tolist(), strict=True)
    monitor, clock, judgement = Monitor("m"), Clock(), Judgement()
    found: list[Finding] = []
    for now, is_label, number in merge(predictions, labels):
        name, instant = f"p{number}", BEGAN_AT + DAY_S * float(at[number])
        version, slices = place(number)
        served = Served(name, "m", version, instant, True, False, tuple(slices))
        clock.move(BEGAN_AT + DAY_S * now)
        if is_label:
            joined = Joined(Reason.MATCHED, "m", served, not wrong[number], BEGAN_AT + DAY_S * now)
            found += monitor.take(joined, judgement, None)[1]
        else:
            monitor.health.predicted(instant, clock, 0.0)
            one = Prediction(
                prediction_id=name, model="m", version=version, at=Instant(instant), prediction=True
            )
            monitor.predicted(one, served, judgement)
    pages = [one for one in found if (one.state, one.severity) == ("open", "page")]
    return [(one.detected_at - BEGAN_AT) / DAY_S for one in pages]
