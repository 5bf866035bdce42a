"""Edge. State of schema 1, as Tidewatch 0.1 wrote it before figures became sums: read, never written.

It was one pickle of the objects of that time. Their names lead to bare records here, so nothing of that code is
kept and no other class is ever loaded.
"""

from __future__ import annotations

import io
import pickle
from typing import Any

from stream.detectors import Detector
from stream.events import Finding
from stream.history import History
from stream.monitor import Monitor
from stream.series import Series
from stream.version import Version


class Bare:
    """What an object of schema 1 held, by attribute name."""

    def __setstate__(self, state: Any) -> None:
        """Take a plain, a slotted or a positional state."""
        plain, slotted = state if isinstance(state, tuple) else (state, None)
        if isinstance(plain, list):
            plain = dict(zip(("model", "versions", "open", "counts", "rollouts"), plain, strict=True))
        self.__dict__.update(plain or {}, **(slotted or {}))


_BARE = {("stream.monitor", "Monitor"), ("stream.series", "Series"), ("stream.history", "History")}
_BARE |= {("stream.detectors", "Detector")}
_KEPT = {("builtins", "float"), ("builtins", "int"), ("builtins", "set"), ("functools", "partial")}
_KEPT |= {("collections", name) for name in ("Counter", "defaultdict", "deque")}
_KEPT |= {("stream.events", "Finding"), ("msgspec._utils", "rebuild")}
_KEPT |= {("river.drift.adwin", "ADWIN"), ("river._river_rust.drift", "AdaptiveWindowing")}
_KEPT |= {("river.metrics.accuracy", "Accuracy"), ("river.metrics.confusion", "ConfusionMatrix")}
_KEPT |= {("river.metrics.mae", "MAE"), ("river.stats.mean", "Mean")}


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) in _BARE:
            return Bare
        if (module, name) in _KEPT:  # whole names: pickle would follow the dots of "os.system"
            return super().find_class(module, name)
        raise pickle.UnpicklingError(f"{module}.{name}: want only classes of schema 1")


def load(body: bytes) -> Monitor:
    """Return the monitor that a pickle of schema 1 holds; a feature's reference begins anew."""
    old = _Unpickler(io.BytesIO(body)).load()
    versions = {name: _version(slices) for name, slices in old.versions.items()}
    for (version, where), finding in old.open.items():
        assert isinstance(finding, Finding)
        versions[version].series[where].finding = finding
    counts = {reason: count for reason, count in old.counts.items() if reason != "waiting"}
    return Monitor(old.model, versions, counts, dict(old.rollouts))


def _version(slices: dict[str, Any]) -> Version:
    series = {name: _series(one) for name, one in slices.items()}
    return Version(next(iter(series.values())).task, series)


def _series(old: Any) -> Series:
    history = History()
    for bucket in old.history.buckets:
        history.cells.extend(bucket)
    adwin = old.detector._adwin
    seen = 0 if adwin.drift_detected else adwin.width
    figure = old.figure.get()
    loss = 1.0 - figure if old.task == "classification" else figure
    total = loss * old.outcomes
    return Series(
        old.task,
        Detector(
            adwin._helper if seen else None, int(seen), float(adwin.total) if seen else 0.0, adwin.delta
        ),
        history,
        predictions=old.predictions,
        outcomes=old.outcomes,
        loss_total=float(round(total)) if old.task == "classification" else total,
        newest_at=old.newest_at,
        scale=old.scale,
        first_total=old._first,
        episode=old.episode,
        examples=tuple(old.examples),
    )
