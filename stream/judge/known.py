"""Core. A reference made beforehand from history, as ``tidewatch reference build`` writes it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct, field

from stream.events import Task
from stream.judge import budget
from stream.judge.edetector import edetector
from stream.judge.guard import GIVEN, HALF, QUANTILE, SHARE, Guard, spared
from stream.judge.level import Level, bound_of, cut_of
from stream.judge.mixture import LEAST, rounded


class KnownInput(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the values of one input lay: see ``stream.reference`` for the order of ``counts``.

    ``noise`` and ``typical`` say how far windows lay from each other (``stream.drift``), ``usual`` how far a few
    hundred values lay from all. Without ``is_whole`` the history was too short to tell drift by it: pages are
    explained by it, and it is learned further.
    """

    edges: Sequence[float]
    words: Sequence[str]
    counts: Sequence[int]
    windows: int
    noise: float
    typical: float
    is_whole: bool
    usual: float = 0.0


class Known(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """How one series lost while all was well. ``lost`` of ``losses`` lay above ``cut``; ``total`` is their sum."""

    task: Task
    cut: float
    losses: int
    lost: int
    total: float
    inflation: float
    beside: Mapping[str, Known] = field(default_factory=dict)
    """Of slice ``all``: the same of what is judged beside the errors, by name; ``total`` is of what is told."""
    inputs: Mapping[str, KnownInput] = field(default_factory=dict)
    """Of slice ``all``: the model's inputs, by name."""


References = Mapping[str, Mapping[str, Known]]
"""By model, then by slice."""


def known_of(task: Task, losses: Sequence[float]) -> Known:
    """Return the reference that these losses make, in order of arrival.

    Raises:
        ValueError: there are none.
    """
    if not losses:
        raise ValueError("losses: none; want at least one")
    cut = HALF if task == "classification" else cut_of(losses, QUANTILE)
    return counted(task, cut, losses, float(sum(spared(one, cut) for one in losses)))


def counted(task: Task, cut: float, losses: Sequence[float], total: float) -> Known:
    """Return the reference of losses that are large above ``cut``, in order of arrival; there must be some."""
    level = Level()
    for loss in losses:
        level.add(loss > cut)
    return Known(
        task=task,
        cut=cut,
        losses=level.losses,
        lost=level.lost,
        total=total,
        inflation=level.inflation,
    )


def guard_of(known: Known, increase: float) -> Guard:
    """Return a guard with this reference, frozen; ``increase`` is the least relative rise worth a page."""
    bound = max(bound_of(known.losses, known.lost, known.inflation, SHARE * increase), LEAST)
    bound, inflation = rounded(bound, known.inflation)
    harm = edetector(bound, budget.FEWEST, inflation)
    return Guard(
        known.cut,
        harm=harm,
        known=known.losses,
        known_total=known.total,
        learning=False,
        due=GIVEN,
        known_lost=known.lost,
    )


def guards(references: References, model: str, task: Task, increase: float) -> dict[str, Guard]:
    """Return the guards of a model's slices that the file knows; those of another task are left out."""
    found = references.get(model, {})
    return {name: guard_of(known, increase) for name, known in found.items() if known.task == task}
