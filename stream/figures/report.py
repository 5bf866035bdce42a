"""Core. All figures of a version, or of one of its slices, in a window."""

from __future__ import annotations

from stream.events import Task
from stream.figures.classes import accuracy, by_class
from stream.figures.errors import of_errors, of_whole
from stream.figures.figure import Figure
from stream.figures.scores import of_scores
from stream.figures.sums import LOST, OUTCOMES, WIDTHS, Sums
from stream.figures.windows import Total


def of_version(task: Task, sums: Sums, place: int, total: Total) -> list[Figure]:
    """Return all figures of a version; ``place`` is where the cells of all its slices together begin."""
    cells = total.cells
    part = cells[place : place + WIDTHS[task]]
    if task == "regression":
        return of_whole(part, cells, sums.measures, sums.sizes)
    found = [accuracy(part[OUTCOMES], part[LOST]), *by_class(cells, sums.classes)]
    return [*found, *of_scores(cells, sums.scores)]


def of_slice(task: Task, place: int, total: Total) -> list[Figure]:
    """Return the figures that every slice has."""
    part = total.cells[place : place + WIDTHS[task]]
    return of_errors(part) if task == "regression" else [accuracy(part[OUTCOMES], part[LOST])]
