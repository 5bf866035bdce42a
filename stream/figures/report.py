"""Core. All figures of a version, or those that each of its slices has, in a window."""

from __future__ import annotations

from collections.abc import Sequence

from stream.events import Task
from stream.figures.classes import by_class
from stream.figures.errors import of_errors, of_whole
from stream.figures.figure import Figure, share
from stream.figures.scores import of_scores
from stream.figures.sums import LOST, OUTCOMES, WIDTHS, Sums


def of_version(sums: Sums, place: int, window: str) -> list[Figure]:
    """Return all figures of a version; ``place`` is where the cells of all its slices together begin.

    Raises:
        KeyError: there is no such window.
    """
    return of_cells(sums, place, sums.total(window).cells)


def of_cells(sums: Sums, place: int, cells: Sequence[float]) -> list[Figure]:
    """Return all figures of cells that are laid out as those of a version's sums, which have none waiting."""
    part = cells[place : place + WIDTHS[sums.task]]
    if sums.task == "regression":
        return of_whole(part, cells, sums.measures, sums.sizes)
    return [*_of_part(sums.task, part), *by_class(cells, sums.classes), *of_scores(cells, sums.scores)]


def of_slice(sums: Sums, place: int, window: str) -> list[Figure]:
    """Return the figures that every slice has.

    Raises:
        KeyError: there is no such window.
    """
    sums.settle()
    return _of_part(sums.task, sums.windows.part(window, place, WIDTHS[sums.task]))


def _of_part(task: Task, part: Sequence[float]) -> list[Figure]:
    if task == "regression":
        return of_errors(part)
    return [share("accuracy", part[OUTCOMES] - part[LOST], part[OUTCOMES])]
