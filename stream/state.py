"""Edge. A monitor's state to bytes and back, with a schema number in front.

The bytes are msgpack of the records themselves; of River's ADWIN they are what its own ``__getstate__`` gives, a
25th of the work of a pickle. Schemas before 5 had that pickle; only the classes named here are ever unpickled, so
a record from somebody else's hand can't run code.
"""

from __future__ import annotations

import io
import pickle
from array import array
from collections.abc import Callable, Mapping, Sequence
from math import isnan, nan
from typing import Any, Final, cast

import msgspec
from msgspec.structs import astuple
from river._river_rust.drift import AdaptiveWindowing

from stream import state_1
from stream.confidence import Confidence, restored_confidence
from stream.cycle import Cycle
from stream.detectors import delta_of, restored_adwin
from stream.development import Development
from stream.drift import Drift
from stream.engine.partition import MARKER
from stream.error_windows import ErrorWindows
from stream.events import ALL
from stream.figures.sums import WIDTHS, Sums, restored_sums
from stream.history import History
from stream.judge.guard import HALF
from stream.maturity import Cohorts
from stream.monitor import Monitor
from stream.reference import FIRST, NO_WORDS, UNSEEN, Feature, Reference
from stream.repeats import Repeats
from stream.rows import Rows
from stream.traffic import Hours
from stream.version import Routes

SCHEMA: Final = b"9"
_LENGTH: Final = 2
"""Bytes that say how long the head is."""
CLOCKS: Final = b"tidewatch.clocks"
TAKEN: Final = frozenset([CLOCKS, MARKER])
"""Keys of records of a checkpoint that are no model's."""
PICKLED: Final = b"\x80\x05"
_SCHEMA_3: Final = 7
"""Fields of a feature then."""
UNTIMED: Final = 4
"""Fields of a reference that did not say since when the model says the same."""
CELLS: Final = frozenset([History, Cycle, Development, Hours])
"""What is written as the bytes of its one array."""
PLAIN: Final = (History, Cycle, Development, Hours, Cohorts, Rows)
"""What is made anew of what was written of it."""

_RIVER = {
    ("river.drift.adwin", "ADWIN"),
    ("river._river_rust.drift", "AdaptiveWindowing"),
    ("builtins", "AdaptiveWindowing"),
}


class MonitorStateError(Exception):
    """The state was not written by a release that this one can read; the message says which schema it has."""


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) in _RIVER:
            return super().find_class(module, name)
        raise MonitorStateError(f"state names {module}.{name}: want only River's ADWIN")


def _write(value: Any) -> Any:
    kind = type(value)
    if kind in CELLS:
        return value.cells.tobytes()
    if kind is Cohorts or kind is Rows:
        return value.fields()
    if kind is AdaptiveWindowing:
        return value.__getstate__()
    if kind is Reference:
        features = {name: one.fields() for name, one in value.features.items()}
        return [features, value.unwatched, *astuple(value.repeats)]
    if kind is Sums or kind is Confidence:
        return value.state()
    if kind is Routes:
        return None
    if kind is ErrorWindows:
        return [value.cells.tobytes(), value.said]
    raise NotImplementedError(f"no way to write {kind}")


def _read(kind: type, value: Any) -> Any:
    if kind in PLAIN:
        return kind(value)
    if kind is AdaptiveWindowing:
        return _adwin(value)
    if kind is Reference:
        features: dict[str, Feature] = {name: _feature(fields) for name, fields in value[0].items()}
        begun = value[2:] if len(value) > UNTIMED else []  # a run without its beginning begins anew
        return Reference(features, value[1], msgspec.convert(begun, Repeats))
    if kind is Sums:
        return restored_sums(value)
    if kind is Confidence:
        return restored_confidence(value)
    if kind is Routes:
        return Routes()
    if kind is ErrorWindows:
        return ErrorWindows(value[0], tuple(value[1]))
    raise NotImplementedError(f"no way to read {kind}")


def _feature(fields: Sequence[Any]) -> Feature:
    """Return the feature that gave these fields; without bins for those of schema 3, which had others."""
    feature = Feature()
    if len(fields) == _SCHEMA_3:
        return feature
    first, edges, reference, counts, window, words, feature.seen, psi, strangers, drift, *usual = fields
    feature.usual = usual[0] if usual else 0.0
    if first or edges:
        feature.numbers = array("d", first or edges)
    if counts:
        feature.cells = array("I", counts + reference + (window if any(window) else b""))
        feature.intervals_from = FIRST + len(words)
    feature.words, feature.strangers = words or NO_WORDS, tuple(strangers)
    feature.psi = nan if psi is None or isnan(psi) else psi
    found = msgspec.convert(drift, Drift)
    feature.drift = UNSEEN if isnan(found.learned_from) else found
    return feature


def _adwin(value: bytes) -> AdaptiveWindowing:
    if value.startswith(PICKLED):
        return cast(AdaptiveWindowing, _Unpickler(io.BytesIO(value)).load()._helper)
    return restored_adwin(value)


_encode = msgspec.msgpack.Encoder(enc_hook=_write).encode
_decode = msgspec.msgpack.Decoder(Monitor, dec_hook=_read).decode


def key_of(model: str) -> bytes:
    """Return the key of a model's record: its name; one that another record has gets a byte before, of no text."""
    key = model.encode()
    return b"\xff" + key if key in TAKEN else key


def model_of(key: bytes) -> str:
    """Return the model whose record has this key."""
    return key.removeprefix(b"\xff").decode()


class Head(msgspec.Struct, array_like=True, frozen=True):
    """What a restore must know of a monitor before it is made; stands in front of it."""

    is_judged: bool
    """Predictions came, not only rollouts."""
    first: tuple[str, int] | None
    due_at: float


_decode_head = msgspec.msgpack.Decoder(Head).decode


def dump(monitor: Monitor) -> bytes:
    """Return the state's bytes."""
    head = _encode(_head_of(monitor))
    return b"".join((SCHEMA, b"\n", len(head).to_bytes(_LENGTH), head, _encode(monitor)))


def _head_of(monitor: Monitor) -> Head:
    is_judged = monitor.first is not None or bool(monitor.versions)
    return Head(is_judged, monitor.first, monitor.health.due_at)


def read_head(value: bytes) -> Head:
    """Return the head of what ``dump`` wrote, for a hundredth of the work of ``load`` but for older schemas.

    Raises:
        MonitorStateError: as ``load``; what comes behind the head is not looked at.
    """
    schema, _, body = value.partition(b"\n")
    if schema != SCHEMA:
        return _head_of(load(value))
    try:
        return _decode_head(body[_LENGTH : _LENGTH + int.from_bytes(body[:_LENGTH])])
    except msgspec.DecodeError as fault:
        raise _unreadable(schema, fault) from fault


def load(value: bytes) -> Monitor:
    """Return the monitor that ``dump`` wrote, of this release or of one that can be migrated.

    Raises:
        MonitorStateError: another schema, or bytes that no release wrote.
    """
    schema, _, body = value.partition(b"\n")
    reader = SCHEMAS.get(schema)
    if reader is None:
        known = ", ".join(sorted(one.decode() for one in SCHEMAS))
        raise MonitorStateError(f"state schema {schema[:20].decode(errors='replace')!r}: want one of {known}")
    try:
        return reader(body)
    except (msgspec.DecodeError, ValueError, pickle.UnpicklingError, EOFError) as fault:
        raise _unreadable(schema, fault) from fault


def _unreadable(schema: bytes, fault: Exception) -> MonitorStateError:
    return MonitorStateError(f"state of schema {schema.decode()} can't be read: {fault}")


def _headed(body: bytes) -> Monitor:
    return _decode(body[_LENGTH + int.from_bytes(body[:_LENGTH]) :])


def _unguarded(reader: Callable[[bytes], Monitor]) -> Callable[[bytes], Monitor]:
    """Return a reader of a schema without references: they are learned from the next loss on."""

    def read(body: bytes) -> Monitor:
        monitor = reader(body)
        for version in monitor.versions.values():
            for series in version.series.values():
                if version.task == "classification":
                    series.guard.cut = HALF
        return monitor

    return read


def _eager(body: bytes) -> Monitor:
    """Read a schema in which each series had an ADWIN from the beginning, which alone knew its delta."""
    monitor = _decode(body)
    for version in monitor.versions.values():
        for series in version.series.values():
            detector = series.detector
            if detector.adwin is not None:
                detector.delta = delta_of(detector.adwin.__getstate__())
            if series.guard.harm is not None or not detector.seen:
                detector.restart()
    return monitor


def _unsummed(reader: Callable[[bytes], Monitor]) -> Callable[[bytes], Monitor]:
    """Return a reader of a schema without sums: they begin after the newest prediction of that time."""

    def read(body: bytes) -> Monitor:
        monitor = reader(body)
        for version in monitor.versions.values():
            for series in version.series.values():
                series.place = version.sums.windows.allot(WIDTHS[version.task])
            if ALL in version.series:
                version.sums.since_at = version.series[ALL].newest_at
        return monitor

    return read


# schemas 3 to 9 appended fields to the records of schema 2; since schema 8 a head is in front
SCHEMAS: Final[Mapping[bytes, Callable[[bytes], Monitor]]] = {
    b"1": _unsummed(_unguarded(state_1.load)),
    b"2": _unsummed(_unguarded(_eager)),
    b"3": _unsummed(_eager),
    b"4": _unsummed(_eager),
    b"5": _decode,
    b"6": _decode,
    b"7": _decode,
    b"8": _headed,
    SCHEMA: _headed,
}
