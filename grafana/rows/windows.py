"""The row "Windows": the figures of one model over 5 minutes to 7 days of event time, all slices together."""

from __future__ import annotations

from collections.abc import Iterable

from grafana.panels import Panel, Query, graph
from grafana.rows import CHOSEN

WHOLE = f'{CHOSEN},slice="all"'
DAY = 'window="24h"'
UNIT_OF_PREDICTION = "none"


def panels() -> Iterable[Panel]:
    """Yield the figures of a classification, then those of a regression; the other half stays empty."""
    yield graph(
        "Accuracy over windows",
        "Share of right predictions, by when they were made. Empty for a regression.",
        "percentunit",
        [_windows("tidewatch_model_accuracy_ratio")],
    )
    yield graph(
        "Balanced accuracy, precision, F1 over a day",
        "Means over the classes, which weigh the same however rare they are.",
        "percentunit",
        [
            _day("balanced_accuracy_ratio", "balanced accuracy"),
            _day("macro_precision_ratio", "precision"),
            _day("macro_f1_ratio", "F1"),
        ],
    )
    yield graph(
        "Classes over a day",
        "Precision, recall and F1 of each class; classes beyond the tenth are together.",
        "percentunit",
        [
            _classes("class_precision_ratio", "precision"),
            _classes("class_recall_ratio", "recall"),
            _classes("class_f1_ratio", "F1"),
        ],
    )
    yield graph(
        "Log loss and Brier score over a day",
        "Of models that send scores: both are 0 at best.",
        "none",
        [_day("log_loss", "log loss"), _day("brier", "Brier")],
    )
    yield graph(
        "Calibration error over a day",
        "How far said probabilities are from what happened, in the mean over tenths; 0 at best.",
        "percentunit",
        [_day("calibration_error_ratio", "error")],
    )
    yield graph(
        "Areas under the curves over a day",
        "ROC and precision-recall, from scores in bins: how well scores tell classes apart, whatever the cut.",
        "percentunit",
        [_day("roc_auc_ratio", "ROC"), _day("pr_auc_ratio", "PR")],
    )
    yield from _regression()


def _regression() -> Iterable[Panel]:
    yield graph(
        "Mean absolute error over windows",
        "In the prediction's own unit, by when predictions were made. Empty for a classification.",
        UNIT_OF_PREDICTION,
        [_windows("tidewatch_model_mae")],
    )
    yield graph(
        "Bias and RMSE over a day",
        "In the prediction's own unit; a bias above 0 means that predictions are too high.",
        UNIT_OF_PREDICTION,
        [_slice("bias", "bias"), _slice("rmse", "RMSE")],
    )
    yield graph(
        "Error quantiles over a day",
        "Median and 90 % quantile of the absolute error, right to a fifth or so: errors are counted in bins.",
        UNIT_OF_PREDICTION,
        [_day("median_error", "median"), _day("p90_error", "90 %")],
    )
    yield graph(
        "Relative error and R2 over a day",
        "Mean absolute error relative to outcomes that are not 0; share of their variance that is explained.",
        "percentunit",
        [_day("mape_ratio", "MAPE"), _day("r2", "R2")],
    )
    yield graph(
        "Outcomes in windows",
        "How many outcomes the figures of the row are made of.",
        "short",
        [_windows("tidewatch_model_window_outcomes")],
    )


def _windows(metric: str) -> Query:
    short = 'window=~"5m|1h|24h|7d"'
    return Query(f"max by (version, window) ({metric}{{{WHOLE},{short}}})", "{{version}} {{window}}")


def _day(name: str, legend: str) -> Query:
    return Query(f"max by (version) (tidewatch_model_{name}{{{CHOSEN},{DAY}}})", f"{{{{version}}}} {legend}")


def _slice(name: str, legend: str) -> Query:
    return Query(f"max by (version) (tidewatch_model_{name}{{{WHOLE},{DAY}}})", f"{{{{version}}}} {legend}")


def _classes(name: str, legend: str) -> Query:
    chosen = f"tidewatch_model_{name}{{{CHOSEN},{DAY}}}"
    return Query(f"max by (version, class) ({chosen})", f"{{{{version}}}} {{{{class}}}} {legend}")
