"""The row "Model": how right one model is, by version and slice, against its own rollout."""

from __future__ import annotations

from collections.abc import Iterable

from grafana.panels import GREEN, RED, Column, Panel, Query, graph, listing, states
from grafana.rows import CHOSEN, SERIES, TO_MODEL, WORSENING

WHOLE = f'{CHOSEN},slice="all"'
ACCURACY, ERROR = "tidewatch_model_accuracy_ratio", "tidewatch_model_mae"
PREDICTIONS, OUTCOMES = "tidewatch_model_predictions_total", "tidewatch_model_outcomes_total"


def panels() -> Iterable[Panel]:
    """Yield the figures of the whole model, its degraded times, its slices, and how much of it is known."""
    yield graph(
        "Accuracy",
        "Share of right predictions, all slices together: over the newest events and since the version's "
        "first event. Empty for a regression.",
        "percentunit",
        _recent_against_rollout(ACCURACY),
        span=12,
    )
    yield graph(
        "Mean absolute error",
        "In the prediction's own unit, all slices together: over the newest events and since the version's "
        "first event. Empty for a classification.",
        "none",
        _recent_against_rollout(ERROR),
        span=12,
    )
    yield states(
        "Degraded",
        "While a finding is open, by version and slice.",
        Query(f"max by ({SERIES}) (tidewatch_model_degraded{{{CHOSEN}}})", "{{version}} {{slice}}"),
        {"0": ("as before", GREEN), "1": ("degraded", RED)},
    )
    yield _worst_slices()
    yield _slices()
    yield _traffic()
    yield _coverage()
    yield _mature()
    yield _estimated()
    yield _inputs()
    yield _ages()


def _recent_against_rollout(metric: str) -> list[Query]:
    return [
        Query(f'max by (version) ({metric}{{{WHOLE},window="recent"}})', "{{version}} newest events"),
        Query(f'max by (version) ({metric}{{{WHOLE},window="rollout"}})', "{{version}} since rollout"),
    ]


def _worst_slices() -> Panel:
    chosen = f"{WORSENING}{{{CHOSEN}}}"
    # @ end(): the ten are the same at every moment of the shown time
    expr = f"{chosen} and on ({SERIES}) topk(10, max_over_time({chosen}[$__range] @ end()))"
    return graph(
        "Worst slices",
        "The ten slices that were worst at any moment of the shown time: accuracy points lost, or growth of "
        "the mean absolute error, newest events against the version since its rollout.",
        "percentunit",
        [Query(expr, "{{version}} {{slice}}")],
        span=12,
    )


def _slices() -> Panel:
    def value(window: str) -> str:
        matchers = f'{CHOSEN},window="{window}"'
        return " or ".join(f"max by ({SERIES}) ({metric}{{{matchers}}})" for metric in (ACCURACY, ERROR))

    return listing(
        "Slices",
        "Accuracy (a share) or mean absolute error of each slice: since the version's first event, and over "
        "the newest events.",
        [
            f"{WORSENING}{{{CHOSEN}}}",
            value("rollout"),
            value("recent"),
            f"max by ({SERIES}) ({OUTCOMES}{{{CHOSEN}}})",
        ],
        [
            Column("slice", "slice"),
            Column("version", "version"),
            Column("Value #B", "since rollout", "none"),
            Column("Value #C", "newest events", "none"),
            Column("Value #D", "outcomes", "short"),
            Column("Value #A", "worse by", "percentunit"),
        ],
        TO_MODEL,
        span=12,
    )


def _traffic() -> Panel:
    def rate(counter: str) -> str:
        return f"max by (version) (clamp_min(deriv({counter}{{{WHOLE}}}[$__rate_interval]), 0))"

    return graph(
        "Predictions and outcomes",
        "Events per second by version, all slices together.",
        "eps",
        [
            Query(rate(PREDICTIONS), "{{version}} predictions"),
            Query(rate(OUTCOMES), "{{version}} outcomes"),
        ],
        span=12,
    )


def _coverage() -> Panel:
    met, made = (f"max by (version) ({counter}{{{WHOLE}}})" for counter in (OUTCOMES, PREDICTIONS))
    return graph(
        "Outcomes per prediction",
        "How many predictions have met their outcome since the version's first event. The rest is still "
        "waiting, or its outcome never came.",
        "percentunit",
        [Query(f"{met} / {made}", "{{version}}")],
        span=12,
    )


def _mature() -> Panel:
    def value(name: str) -> str:
        return f'max by (model) (tidewatch_model_{name}{{model="$model"}})'

    return graph(
        "Mature figure",
        "Loss (share of wrong predictions, or mean absolute error) of the predictions that are labelled as far as "
        "they will be, all versions together: what is in of younger ones is a biased sample, their quick labels. "
        "Beside it the share of predictions that has an outcome in the end.",
        "none",
        [
            Query(value("mature_loss"), "{{model}} mature loss"),
            Query(value("labelled_final_ratio"), "{{model}} labelled in the end"),
        ],
    )


def _estimated() -> Panel:
    def value(name: str) -> str:
        return f"max by (version) (tidewatch_model_{name}{{{CHOSEN}}})"

    covered, held = value("held_estimates_covered_total"), value("held_estimates_total")
    return graph(
        "Estimated accuracy, before labels",
        "What the scores of the newest predictions let expect, with 95 % bounds, by how often labelled "
        "predictions with such scores were right. Beside it predictions that have their labels by now: what was "
        "expected of them and what came; how far off estimates are in the mean, and the share whose bounds held "
        "(.95 is as promised). It sees a shift to harder cases, never a concept that changed: what came does.",
        "percentunit",
        [
            Query(value("estimated_accuracy_ratio"), "{{version}} estimated"),
            Query(value("estimated_accuracy_lower_ratio"), "{{version}} at least"),
            Query(value("estimated_accuracy_upper_ratio"), "{{version}} at most"),
            Query(value("held_estimate_ratio"), "{{version}} was estimated"),
            Query(value("held_accuracy_ratio"), "{{version}} realised"),
            Query(value("held_error_ratio"), "{{version}} mean error"),
            Query(f"{covered} / {held}", "{{version}} bounds held"),
        ],
    )


def _inputs() -> Panel:
    chosen, by = f"tidewatch_feature_psi{{{CHOSEN}}}", "(version, feature)"
    farthest = f"max by {by} (max_over_time({chosen}[$__range] @ end()))"  # whichever workers showed them
    expr = f"max by {by} ({chosen}) and on {by} topk(10, {farthest})"
    return graph(
        "Inputs that moved",
        "Population stability index of the newest window (at least a day) against the version's first week, "
        "for the ten inputs that were farthest at any moment of the shown time; @score and @prediction are "
        "what the model said. 0 is no change; from about 0.1 on, if it is no chance, it is a ticket.",
        "none",
        [Query(expr, "{{version}} {{feature}}")],
    )


def _ages() -> Panel:
    def value(window: str) -> str:
        matchers = f'{WHOLE},window="{window}"'
        return " or ".join(
            f"max by (model, version) ({metric}{{{matchers}}})" for metric in (ACCURACY, ERROR)
        )

    return listing(
        "Figure by age",
        "Accuracy (a share) or mean absolute error of each version over a day, a week and since rollout, beside "
        "how old its training data is, where its rollout said trained_until: how fast a model goes stale.",
        [
            f"time() - max by (model, version) (tidewatch_model_trained_until_timestamp_seconds{{{CHOSEN}}})",
            value("24h"),
            value("7d"),
            value("rollout"),
        ],
        [
            Column("version", "version"),
            Column("Value #B", "24 h", "none"),
            Column("Value #C", "7 days", "none"),
            Column("Value #D", "since rollout", "none"),
            Column("Value #A", "age", "s"),
        ],
        TO_MODEL,
    )
