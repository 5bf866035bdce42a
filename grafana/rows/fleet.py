"""The row "Fleet": is anything wrong, and where first?"""

from __future__ import annotations

from collections.abc import Iterable

from grafana.panels import ORANGE, RED, Column, Panel, Query, Threshold, figure, graph, listing
from grafana.rows import SERIES, TO_MODEL, WORSENING

OPEN = 'tidewatch_incidents{state=~"open|acknowledged"}'
WORST = f"topk(50, {WORSENING})"


def panels() -> Iterable[Panel]:
    """Yield six figures, the worst series, and the open incidents by owner."""
    yield figure("Models", "Models that the workers know.", "short", "tidewatch:models:sum")
    yield figure(
        "Degraded now",
        "Models with an open finding on any version or slice.",
        "short",
        "tidewatch:models_degraded:sum",
        [Threshold(1, RED)],
    )
    yield figure(
        "Open incidents",
        "Incidents that are open or acknowledged, of all owners.",
        "short",
        f"sum({OPEN})",
        [Threshold(1, RED)],
    )
    yield figure(
        "Events", "Predictions, outcomes and rollouts that are folded.", "eps", "tidewatch:events:rate1m"
    )
    yield figure("Workers", "Workers that answer scrapes.", "short", 'sum(up{job="tidewatch-worker"})')
    yield _not_shown()
    yield _worst_first()
    yield _incidents_by_owner()


def _not_shown() -> Panel:
    return figure(
        "Series not shown",
        "Series and features that a worker's budget keeps out of this page; they are judged and paged all the "
        "same.",
        "short",
        "sum(tidewatch_series_dropped) + sum(tidewatch_features_dropped)",
        [Threshold(1, ORANGE)],
    )


def _worst_first() -> Panel:
    return listing(
        "Worst first",
        "The 50 series whose newest events are worst against their own version since its rollout: accuracy "
        "points lost, or growth of the mean absolute error. A click on a model shows it below.",
        [
            WORST,
            f"max by ({SERIES}) (tidewatch_model_degraded) and on ({SERIES}) {WORST}",
            f"max by ({SERIES}) (tidewatch_model_outcomes_total) and on ({SERIES}) {WORST}",
        ],
        [
            Column("model", "model"),
            Column("version", "version"),
            Column("slice", "slice"),
            Column("Value #B", "degraded", "bool_yes_no"),
            Column("Value #C", "outcomes", "short"),
            Column("Value #A", "worse by", "percentunit"),
        ],
        TO_MODEL,
        span=16,
    )


def _incidents_by_owner() -> Panel:
    return graph(
        "Open incidents by owner",
        "Incidents that are open or acknowledged.",
        "short",
        [Query(f"sum by (owner) ({OPEN})", "{{owner}}")],
    )
