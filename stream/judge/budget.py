"""Core. From a number of false pages that a team accepts to the run length of each of its detectors.

A detector with a mean run length of ``arl`` losses alarms falsely at most once in that many. A label of a model
is a loss in each series that it belongs to, so a model with ``labels`` a week in ``series`` series each has at
most ``labels * series / arl`` false alarms a week, whatever the number of series; and a team's models add up.
That the series of a model depend on each other does not matter: means add.
"""

from __future__ import annotations

WEEK_S = 604_800.0
FEWEST = 1e6
"""The least run length: a model with few labels would otherwise page on a dozen bad ones, and keep its budget."""
MOST = 1e12


def run_length(labels: int, elapsed_s: float, series: int, models: int, pages_a_week: float) -> float:
    """Return the run length (losses) that keeps a team of ``models`` such models within ``pages_a_week`` (> 0).

    ``labels`` came in ``elapsed_s`` seconds of event time; without any time passed, the longest run length is
    wanted.
    """
    if elapsed_s <= 0.0:
        return MOST
    weekly = labels * WEEK_S / elapsed_s
    return min(max(weekly * series * models / pages_a_week, FEWEST), MOST)
