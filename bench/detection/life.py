"""Core. The labels of one model, one after the other, through the worker's own monitor."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import NamedTuple

import numpy as np
from msgspec.structs import replace

from stream.aspect import Case
from stream.aspect_known import Recorded
from stream.clock import Clock
from stream.events import ALL, Finding, Instant, Label, Prediction, Task
from stream.joined import Joined, Reason, Served
from stream.judge.known import References, known_of
from stream.judge.level import FEWEST
from stream.monitor import Monitor
from stream.series import loss_of
from stream.version import Judgement

NAME, VERSION = "m", "v1"


class Life(NamedTuple):
    """One model's predictions in order: ``at`` (epoch seconds), what it said and what happened ``lag_s`` later.

    The first ``known`` of them are its reference, made beforehand; 0: it learns its own.
    """

    task: Task
    at: Sequence[float]
    said: Sequence[Label]
    happened: Sequence[Label]
    known: int
    lag_s: float = 3_600.0
    scores: Sequence[float | None] = ()


def of_losses(task: Task, at: Sequence[float], losses: Sequence[float], known: int) -> Life:
    """Return a life with these losses: of two classes, or errors to both sides, as a coin decides."""
    coins = (np.random.default_rng(0).random(len(losses)) < 0.5).tolist()
    if task == "classification":
        return Life(
            task, at, coins, [coin != bool(loss) for coin, loss in zip(coins, losses, strict=True)], known
        )
    said = [loss if coin else -loss for coin, loss in zip(coins, losses, strict=True)]
    return Life(task, at, said, [0.0] * len(said), known)


def _rows(life: Life) -> Iterator[tuple[str, float, Label, Label, float | None]]:
    scores = life.scores or [None] * len(life.at)
    for number, row in enumerate(zip(life.at, life.said, life.happened, scores, strict=True)):
        yield f"p{number}", *row


def _reference(life: Life) -> References:
    if not life.known:
        return {}
    losses, beside = [], Recorded()
    for name, at, said, happened, score in islice(_rows(life), life.known):
        losses.append(loss_of(life.task, said, happened))
        beside.take(life.task, said, happened, score, Case(at, name, 1.0, 0.0))
    return {NAME: {ALL: replace(known_of(life.task, losses), beside=beside.known(life.task, FEWEST))}}


def findings(life: Life) -> Iterator[Finding]:
    """Yield what the monitor finds after the reference."""
    judgement, monitor, clock = Judgement(references=_reference(life)), Monitor(NAME), Clock()
    for name, at, said, happened, score in islice(_rows(life), life.known, None):
        one = Prediction(
            prediction_id=name, model=NAME, version=VERSION, at=Instant(at), prediction=said, scores=score
        )
        served = Served(name, NAME, VERSION, at, said, False, (ALL,), scores=score)
        clock.move(max(at, clock.at))
        monitor.health.predicted(at, clock, 0.0)
        yield from monitor.predicted(one, served, judgement)
        joined = Joined(Reason.MATCHED, NAME, served, happened, at + life.lag_s)
        yield from monitor.take(joined, judgement, None)[1]


def pages(life: Life) -> list[Finding]:
    """Return the pages that were opened."""
    return [one for one in findings(life) if (one.state, one.severity) == ("open", "page")]
