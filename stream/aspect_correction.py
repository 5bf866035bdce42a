"""Core. A corrected label in what is judged beside the errors: an open finding that rested on it is closed.

Only the values since the likeliest onset, and since that of an open finding, are revised, so that what corrected
labels don't show is not told; evidence and references keep what they took.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

from stream.aspect import Aspect
from stream.aspects import (
    ABOVE,
    BELOW,
    BRIER,
    CALIBRATION,
    LOG_LOSS,
    TYPICAL,
    Aspects,
    chances_of,
    excess,
    surprise_of,
)
from stream.events import ALL, SHIFTS, Finding, Label, Metric, Task
from stream.figures.sums import OTHER, word
from stream.joined import Joined, Served
from stream.scan import usual_of
from stream.version import Version
from stream.withdrawal import is_withdrawn, withdrawn

Part: TypeAlias = tuple[Metric, Aspect, float]
"""What a label is in one aspect: its value there."""


def revise_beside(
    version: Version, served: Served, joined: Joined, outcome: Label | None, increase: float
) -> list[Finding]:
    """Put a sound correction, or none, in the place of a sound outcome; return the findings that this closes."""
    aspects, at = version.aspects, min(served.at, joined.previous_at)
    assert joined.previous is not None
    was = [*parts(aspects, version.task, served, joined.previous)]
    now = [] if outcome is None else [*parts(aspects, version.task, served, outcome)]
    for _, aspect, value in was:
        aspect.correct(at, -1, value, served.prediction_id)
    for _, aspect, value in now:
        aspect.correct(at, 1, value)
    usual = usual_of(version.series[ALL])
    found: list[Finding] = []
    for metric, aspect, _ in (*was, *now):
        finding = aspect.finding
        if finding is not None and _is_over(metric, aspect, usual, increase):
            aspect.withdraw()
            found.append(withdrawn(finding, joined.outcome_at))
    return found


def parts(aspects: Aspects, task: Task, served: Served, happened: Label) -> Iterator[Part]:
    """Yield the values that ``Aspects.take`` counts of a label."""
    said, named = served.prediction, aspects.named
    if task == "regression":
        if ABOVE in named and BELOW in named:
            error = aspects.bounded(float(said) - float(happened))
            yield from (("bias", named[ABOVE], error), ("bias", named[BELOW], -error))
            if TYPICAL in named:  # states from before it have none
                yield "mae", named[TYPICAL], abs(error)
        return
    is_wrong = said != happened
    recall = aspects.recalls.get(word(happened)) or aspects.recalls.get(OTHER)
    if recall is not None:
        yield "recall", recall, float(is_wrong)
    chances = None if served.scores is None else chances_of(served.scores, said, happened)
    if chances is not None and CALIBRATION in named and BRIER in named and LOG_LOSS in named:
        chance, sure, square = chances
        yield "log_loss", named[LOG_LOSS], surprise_of(chance)
        yield "brier", named[BRIER], square
        yield "calibration", named[CALIBRATION], excess(sure, is_wrong)


def _is_over(metric: Metric, aspect: Aspect, usual: float, increase: float) -> bool:
    """Return whether what is left of an open finding is not worth a page; ``usual`` is the mean loss of all."""
    since, before = aspect.told(), abs(aspect.before().mean)
    if since is None:
        return False
    level = before + increase * (usual if metric in SHIFTS else before)
    return is_withdrawn(since, before, level, aspect.back)
