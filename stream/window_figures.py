"""Shell. The families of the figures over windows, as a scrape shows them: of every series, and of whole versions.

A window without outcomes has no sample, and a figure that is not defined none either.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import isnan
from typing import Final, NamedTuple

from prometheus_client.core import GaugeMetricFamily, Metric

from stream.figures.figure import Figure
from stream.figures.report import of_slice, of_version
from stream.figures.sums import Sums
from stream.figures.windows import LEVELS, ROLLOUT

BY_CLASS_IN: Final = ("24h", ROLLOUT)
"""The windows that classes are shown in."""

OF_SERIES: Final[Mapping[str, tuple[str, str]]] = {
    "accuracy": ("accuracy_ratio", "Share of right predictions."),
    "mae": ("mae", "Mean absolute error, in the prediction's unit."),
    "bias": ("bias", "Mean of prediction less outcome, in the prediction's unit."),
    "rmse": ("rmse", "Root of the mean squared error, in the prediction's unit."),
}
OF_VERSIONS: Final[Mapping[str, tuple[str, str]]] = {
    "balanced_accuracy": ("balanced_accuracy_ratio", "Mean recall over the classes."),
    "macro_precision": ("macro_precision_ratio", "Mean precision over the classes."),
    "macro_f1": ("macro_f1_ratio", "Mean F1 over the classes."),
    "log_loss": ("log_loss", "Mean log loss of the scores, in nats."),
    "brier": ("brier", "Mean Brier score of the scores."),
    "ece": ("calibration_error_ratio", "Expected calibration error of the scores over tenths."),
    "roc_auc": ("roc_auc_ratio", "Area under the ROC curve, from binned scores."),
    "pr_auc": ("pr_auc_ratio", "Average precision, from binned scores."),
    "mape": ("mape_ratio", "Mean absolute error relative to the outcome, of outcomes that are not 0."),
    "r2": ("r2", "Share of the outcomes' variance that is explained; below 0 worse than their mean."),
    "median_error": ("median_error", "Median absolute error, from bins, in the prediction's unit."),
    "p90_error": ("p90_error", "90 % quantile of the absolute error, from bins, in the prediction's unit."),
}
OF_CLASSES: Final[Mapping[str, tuple[str, str]]] = {
    "precision": ("class_precision_ratio", "Share of right ones among those said to be of a class."),
    "recall": ("class_recall_ratio", "Share of right ones among those of a class."),
    "f1": ("class_f1_ratio", "Harmonic mean of a class's precision and recall."),
}


class Windowed(NamedTuple):
    """One figure in one window."""

    window: str
    figure: Figure


def of_series(sums: Sums, place: int) -> Iterator[Windowed]:
    """Yield what every series shows: of accuracy and MAE since rollout the series itself knows more."""
    for window in LEVELS:
        for figure in of_slice(sums, place, window):
            if window != ROLLOUT or figure.name not in ("accuracy", "mae"):
                yield Windowed(window, figure)


def of_whole(sums: Sums, place: int) -> Iterator[Windowed]:
    """Yield what only whole versions show."""
    for window in LEVELS:
        for figure in of_version(sums, place, window):
            shown = OF_CLASSES if figure.label and window in BY_CLASS_IN else OF_VERSIONS
            if figure.name in shown and bool(figure.label) == (shown is OF_CLASSES):
                yield Windowed(window, figure)


class WindowFamilies:
    """The families; those of accuracy and MAE also take what comes from elsewhere, see ``gauge``."""

    def __init__(self) -> None:
        def made(of: Mapping[str, tuple[str, str]], *labels: str) -> dict[str, GaugeMetricFamily]:
            names = ["model", "version", *labels, "window"]
            return {
                figure: GaugeMetricFamily(f"tidewatch_model_{name}", text, labels=names)
                for figure, (name, text) in of.items()
            }

        self._series = made(OF_SERIES, "slice")
        self._versions = made(OF_VERSIONS)
        self._classes = made(OF_CLASSES, "class")
        self._rows = GaugeMetricFamily(
            "tidewatch_model_window_outcomes",
            "Outcomes in the window.",
            labels=["model", "version", "slice", "window"],
        )

    def gauge(self, figure: str) -> GaugeMetricFamily:
        """Return the family of a figure that every series has."""
        return self._series[figure]

    def add(self, model: str, version: str, where: str, windowed: Sequence[Windowed]) -> None:
        """Add the figures of one series."""
        for window, figure in windowed:
            if isnan(figure.value):
                continue
            if figure.label:
                self._classes[figure.name].add_metric([model, version, figure.label, window], figure.value)
            elif figure.name in self._versions:
                self._versions[figure.name].add_metric([model, version, window], figure.value)
            else:
                self._series[figure.name].add_metric([model, version, where, window], figure.value)
                if figure.name in ("accuracy", "mae"):
                    self._rows.add_metric([model, version, where, window], figure.rows)

    def metrics(self) -> list[Metric]:
        """Return all of them."""
        return [*self._series.values(), *self._versions.values(), *self._classes.values(), self._rows]
