"""Shell. The figures of models for a scrape: those of the most important series, made in slices.

A worker may hold more series than a scrape can show or the event loop can wait for. So ``refresh`` looks through
them a little at a time between other work, and ``collect`` shows what the last ``refresh`` found.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Collection, Iterable, Sequence
from math import isnan, nan
from typing import NamedTuple

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from stream.engine.slices import Slices
from stream.events import ALL
from stream.figures.sums import Sums
from stream.ranked import REST, Shown
from stream.series import Series
from stream.window_figures import Windowed, WindowFamilies, of_series, of_whole

NAMES = ["model", "version", "slice"]
ROWS = 4
"""Rows made between two looks at the clock."""
WHOLE = 10
"""For so many series that are shown there is one version that shows the figures of whole versions."""


class Chunk(NamedTuple):
    """The series of one version, by slice, as they were when asked, and its sums."""

    model: str
    version: str
    series: Sequence[tuple[str, Series]]
    sums: Sums
    trained_until: float = nan
    told: Collection[str] = ()
    """Slices in which a harm of the version is told by its lineage."""


class ModelRow(NamedTuple):
    """One series as a scrape shows it. Undefined values are ``nan`` and make a gap."""

    model: str
    version: str
    slice: str
    metric: str
    """``accuracy`` or ``mae``."""
    rollout: float
    """The metric since the version's first event."""
    recent: float
    """The metric over the newest events."""
    predictions: int
    outcomes: int
    """Never fewer than before: one that was taken back stays counted."""
    degraded: bool
    newest_at: float
    windowed: Sequence[Windowed] = ()
    """Figures over windows."""
    trained_until: float = nan
    """Of a whole version, the newest time in its training data."""


class Families:
    """The metric families that rows become."""

    def __init__(self) -> None:
        def gauge(name: str, text: str) -> GaugeMetricFamily:
            return GaugeMetricFamily(f"tidewatch_model_{name}", text, labels=NAMES)

        def counter(name: str, text: str) -> CounterMetricFamily:
            return CounterMetricFamily(f"tidewatch_model_{name}", text, labels=NAMES)

        self._windows = WindowFamilies()
        self._predictions = counter("predictions", "Predictions.")
        self._outcomes = counter("outcomes", "Joined outcomes.")
        self._degraded = gauge(
            "degraded", "1 while a finding is open on this series or told of it by a lineage."
        )
        self._newest = gauge("newest_event_timestamp_seconds", "Newest event time of the series.")
        self._trained = GaugeMetricFamily(
            "tidewatch_model_trained_until_timestamp_seconds",
            "Newest time in the version's training data, as its rollout said.",
            labels=["model", "version"],
        )

    def add(self, row: ModelRow) -> None:
        """Add one series."""
        labels = [row.model, row.version, row.slice]
        figure = self._windows.gauge(row.metric)
        figure.add_metric([*labels, "rollout"], row.rollout)
        figure.add_metric([*labels, "recent"], row.recent)
        self._windows.add(row.model, row.version, row.slice, row.windowed)
        self._predictions.add_metric(labels, row.predictions)
        self._outcomes.add_metric(labels, row.outcomes)
        self._degraded.add_metric(labels, float(row.degraded))
        self._newest.add_metric(labels, row.newest_at)
        if not isnan(row.trained_until):
            self._trained.add_metric(labels[:2], row.trained_until)

    def metrics(self, dropped: int) -> list[Metric]:
        """Return the families, and how many series are in none of them."""
        text = "Series left out of this scrape by the budget."
        left_out = GaugeMetricFamily("tidewatch_series_dropped", text, value=dropped)
        counts = (self._predictions, self._outcomes, self._degraded, self._newest, self._trained, left_out)
        return [*self._windows.metrics(), *counts]


class ModelFigures(Shown):
    """Shows at most ``budget`` series: those with an open finding, then whole versions, then by predictions.

    The first whole versions, one for ``WHOLE`` of the budget, also show what only whole versions have.

    ``chunks`` returns the live series; they may change between two of its steps.
    """

    def __init__(self, chunks: Callable[[], Iterable[Chunk]], budget: int) -> None:
        self._chunks = chunks
        self._budget = budget
        self.shown = Families().metrics(dropped=0)

    async def refresh(self) -> None:
        """Look through all series anew, and give the event loop back every few milliseconds."""
        slices, best = Slices(REST), Best(self._budget)
        for chunk in self._chunks():
            best.look(chunk)
            await slices.pause()
        families = Families()
        for number, row in enumerate(best.rows()):
            families.add(row)
            if not number % ROWS:
                await slices.pause()
        self.shown = families.metrics(best.seen - len(best.kept))


class Best:
    """Keeps the ``budget`` most important of all series seen; of equal ones the first."""

    def __init__(self, budget: int) -> None:
        self._budget = budget
        self.seen = 0
        self.kept: list[tuple[tuple[bool, bool, int, int], Chunk, str, Series]] = []

    def look(self, chunk: Chunk) -> None:
        """See one version's series."""
        kept = self.kept
        for where, one in chunk.series:
            self.seen += 1
            worth = (
                one.finding is not None or where in chunk.told,
                where == ALL,
                one.predictions,
                -self.seen,
            )
            if len(kept) < self._budget:
                heapq.heappush(kept, (worth, chunk, where, one))
            elif worth > kept[0][0]:
                heapq.heapreplace(kept, (worth, chunk, where, one))

    def rows(self) -> Iterable[ModelRow]:
        """Yield what was kept, the most important first."""
        wholes = max(self._budget // WHOLE, 1)
        for _, chunk, where, one in sorted(self.kept, key=lambda row: row[0], reverse=True):
            degraded = one.finding is not None or where in chunk.told
            counts = (one.predictions, one.outcomes + one.withdrawn)
            figures = (one.metric, one.rollout(), one.recent())
            windowed = [*of_series(chunk.sums, one.place)]
            if where == ALL and wholes:
                wholes -= 1
                windowed += of_whole(chunk.sums, one.place)
            names = (chunk.model, chunk.version, where)
            trained_until = chunk.trained_until if where == ALL else nan
            yield ModelRow(*names, *figures, *counts, degraded, one.newest_at, windowed, trained_until)
