"""Core. What a correction changes of figures that have counted the outcome before it."""

from __future__ import annotations

from collections.abc import Sequence

from stream.events import Label, Task
from stream.joined import Joined, Served
from stream.series import Series, loss_of


def revise(task: Task, served: Served, joined: Joined, route: Sequence[Series]) -> None:
    """Put a correction into the figures in the place of what it corrects."""
    previous, outcome = joined.previous, joined.outcome
    assert previous is not None
    assert outcome is not None
    was, now = loss_of(task, served.prediction, previous), loss_of(task, served.prediction, outcome)
    for series in route:
        series.revise(was, now)


def withdraw(task: Task, served: Served, previous: Label, route: Sequence[Series]) -> None:
    """Take an outcome out of the figures: its correction can't be held against the prediction."""
    was = loss_of(task, served.prediction, previous)
    for series in route:
        series.withdraw(was)
