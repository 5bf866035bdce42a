"""Core. The labels of one model, one after the other, through the worker's own monitor."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from stream.events import ALL, Finding, Instant, Prediction, Task
from stream.joined import Joined, Reason, Served
from stream.judge.known import known_of
from stream.monitor import Monitor
from stream.version import Judgement

NAME, VERSION = "m", "v1"


class Life(NamedTuple):
    """One model's losses in order: ``at`` (epoch seconds) of each prediction, its label ``lag_s`` later.

    The first ``known`` losses are its reference, made beforehand; 0: it learns its own.
    """

    task: Task
    at: Sequence[float]
    losses: Sequence[float]
    known: int
    lag_s: float = 3_600.0


def findings(life: Life) -> Iterator[Finding]:
    """Yield what the monitor finds in the losses after the reference."""
    references = {NAME: {ALL: known_of(life.task, life.losses[: life.known])}} if life.known else {}
    judgement, monitor = Judgement(references=references), Monitor(NAME)
    for at, loss in zip(life.at[life.known :], life.losses[life.known :], strict=True):
        said: bool | float = True if life.task == "classification" else loss
        happened: bool | float = not loss if life.task == "classification" else 0.0
        one = Prediction(prediction_id="p", model=NAME, version=VERSION, at=Instant(at), prediction=said)
        served = Served("p", NAME, VERSION, at, said, False, (ALL,))
        yield from monitor.predicted(one, served, judgement)
        joined = Joined(Reason.MATCHED, NAME, served, happened, at + life.lag_s)
        yield from monitor.take(joined, judgement, None)[1]


def pages(life: Life) -> list[Finding]:
    """Return the pages that were opened."""
    return [one for one in findings(life) if (one.state, one.severity) == ("open", "page")]
