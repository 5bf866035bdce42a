"""Core. What the join remembers of one prediction id, and its form on disk.

An entry is the newest prediction of its id (``served`` is ``None`` while only outcomes have come), what is known
of its outcomes, and older predictions of the same id that outcomes may still meet. On disk it is a short msgpack
array under ``model length:model id``; what recurs (version, slices) is one bytes object for all who share it.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec
from msgspec import Struct

from stream.events import Label, Prediction
from stream.joined import Served, slice_names
from stream.known import Known

DECIDED, LATE, COUNTED = 1, 2, 4
"""Bits of an entry's fate: an outcome has decided it; that outcome was late; it was counted as unmatched."""
OPEN, UNKNOWN, DECAYING = b"p", b"o", b"z"
"""Kinds of index record: a prediction waits; an outcome waits; nothing waits and both clocks may forget it."""
SCORED = 10
"""Classes whose scores are kept; of a prediction with more none are."""
SHARED = 20_000
"""How many shared strings, prefixes of keys and recurring parts a partition keeps before it starts anew."""


class Entry(Struct, gc=False, eq=False):
    """See the module; ``clock``: the predictions' clock when it came; ``index``: its records at the last freeze.

    ``index`` is known once it is touched, which is before it is changed.
    """

    key: bytes
    served: Served | None
    clock: float
    fate: int = 0
    outcome: Label | None = None
    outcome_at: float = 0.0
    known: Known | None = None
    older: tuple[Entry, ...] = ()
    index: tuple[bytes, ...] = ()
    is_touched: bool = False

    @property
    def is_open(self) -> bool:
        """Whether a prediction waits: it has no outcome in time and was not given up."""
        return self.served is not None and self.fate != DECIDED and not self.fate & COUNTED

    @property
    def is_waiting(self) -> bool:
        """Whether a prediction waits, of this id's, or an outcome."""
        return bool(self.known and self.known.waiting) or any(case.is_open for case in self.cases())

    @property
    def newest_at(self) -> float:
        """Return the newest event time in the entry: two horizons later it may be forgotten."""
        at = self.served.at if self.served is not None else float("-inf")
        if self.known is not None and self.known.until > at:
            at = self.known.until
        return max(at, *(old.newest_at for old in self.older)) if self.older else at

    def cases(self) -> tuple[Entry, ...]:
        """Return the predictions of this id, oldest first."""
        return (*self.older, self) if self.served is not None else self.older


def record(kind: bytes, at: float, key: bytes) -> bytes:
    """Return an index record; their bytes sort by kind, then time, then key."""
    return kind + instant(at) + key


_BIG_DOUBLE = struct.Struct(">d")
_BELOW_ZERO = 2**63 - 1


def instant(at: float) -> bytes:
    """Return 8 bytes that sort as the numbers do."""
    packed = _BIG_DOUBLE.pack(-at or -0.0)
    return packed if at >= 0 else _flipped(packed)


def instant_of(packed: bytes) -> float:
    """Return what ``instant`` packed."""
    (at,) = _BIG_DOUBLE.unpack(packed if packed[0] >= 0x80 else _flipped(packed))
    return -float(at)


def _flipped(packed: bytes) -> bytes:
    return (int.from_bytes(packed, "big") ^ _BELOW_ZERO).to_bytes(8, "big")


def index_of(entry: Entry) -> tuple[bytes, ...]:
    """Return the index records that an entry must have on disk: a function of the entry alone."""
    known, served = entry.known, entry.served
    waiting = known.waiting if known is not None else ()
    if not entry.older and not waiting:
        if served is not None and entry.fate != DECIDED and not entry.fate & COUNTED:
            return (OPEN + instant(served.at) + entry.key,)
        return (DECAYING + instant(entry.newest_at) + entry.key,)
    if served is None and not entry.older and len(waiting) == 1:
        return (UNKNOWN + instant(waiting[0].at) + entry.key,)
    cases = (
        record(OPEN, case.served.at, entry.key) for case in entry.cases() if case.served and case.is_open
    )
    found = {*cases, *(record(UNKNOWN, one.at, entry.key) for one in waiting)}
    return tuple(sorted(found)) or (record(DECAYING, entry.newest_at, entry.key),)


class Row(Struct, array_like=True, gc=False):
    """An entry on disk, or one of its older predictions; ``said`` is the shape, if there are bins with these."""

    said: bytes | tuple[bytes, bytes] | None
    at: float
    label: Label | None
    clock: float
    scores: float | Mapping[str, float] | None = None
    fate: int = 0
    outcome: Label | None = None
    outcome_at: float = 0.0
    known: Known | None = None
    older: tuple[Row, ...] = ()


class Recurring(NamedTuple):
    """What recurs of predictions, as objects that all who are alike share; ``shape`` is all of it as bytes."""

    version: str
    slices: tuple[str, ...]
    has_scores: bool
    shape: bytes


class Codec:
    """Turns events and entries into bytes and back; equal strings and parts that recur become one object."""

    def __init__(self) -> None:
        self._prefixes: dict[str, bytes] = {}
        self._strings: dict[str, str] = {}
        self._recurring: dict[tuple[object, ...], Recurring] = {}
        self._shaped: dict[bytes, Recurring] = {}

    def key(self, model: str, prediction_id: str) -> bytes:
        """Return the key of an id: ``length of the model:model id`` in UTF-8; no two ids share one."""
        prefix = self._prefixes.get(model)
        if prefix is None:
            raw = model.encode()
            prefix = _bounded(self._prefixes)[model] = b"%d:%b" % (len(raw), raw)
        return prefix + prediction_id.encode()

    def names(self, key: bytes) -> tuple[str, str]:
        """Return model and prediction id of a key.

        Raises:
            ValueError: ``key`` did not make these bytes.
        """
        length, _, rest = key.partition(b":")
        size = int(length)
        return self._shared(rest[:size].decode()), rest[size:].decode()

    def serve(self, prediction: Prediction) -> Served:
        """Return what the join and the monitors need of a prediction; its slices in the order of their names."""
        slices, scores, has_scores = prediction.slices, prediction.scores, prediction.scores is not None
        wanted = (prediction.version, has_scores, *slices, *slices.values())
        version, names, _, shape = self._recurring.get(wanted) or self._recurs(prediction, wanted)
        return Served(
            prediction.prediction_id,
            self._strings.get(prediction.model) or self._shared(prediction.model),
            version,
            float(prediction.at),
            prediction.prediction,
            has_scores,
            names,
            b"",
            scores if type(scores) is not dict or len(scores) <= SCORED else None,
            shape,
        )

    def _recurs(self, prediction: Prediction, wanted: tuple[object, ...]) -> Recurring:
        """Return what recurs; numbers have places of their own by type: True == 1, but not the same slice."""
        slices, has_scores = prediction.slices, prediction.scores is not None
        kinds = (*map(type, slices.values()),)
        if {*kinds} - {str}:
            wanted += kinds
        found = self._recurring.get(wanted)
        if found is None:
            shape = _encode((prediction.version, has_scores, slice_names(slices)))
            found = _bounded(self._recurring)[wanted] = self._shaped.get(shape) or self._shape(shape)
        return found

    def _shape(self, shape: bytes) -> Recurring:
        version, has_scores, slices = _read_shape(shape)
        found = _bounded(self._shaped)[shape] = Recurring(self._shared(version), slices, has_scores, shape)
        return found

    def _shared(self, text: str) -> str:
        found = self._strings.get(text)
        if found is None:
            found = _bounded(self._strings)[text] = text
        return found

    def dump(self, entry: Entry) -> bytes:
        """Return an entry's bytes.

        Raises:
            OverflowError: a label is a whole number beyond 64 bits; the wire makes such ones floats.
        """
        row = _fields(entry)
        if entry.known is None and not entry.older and not entry.fate:
            return _encode(row[:5] if row[4] is not None else row[:4])
        return _encode((*row, entry.known, tuple(map(_fields, entry.older))))

    def load(self, key: bytes, value: bytes, names: tuple[str, str] | None = None) -> Entry:
        """Return the entry that ``dump`` wrote; ``names`` are those of the key, if known.

        Raises:
            msgspec.DecodeError: the bytes are no entry.
        """
        row = _decode(value)
        names = names or self.names(key)
        entry = self._case(key, row, names)
        if row.older:
            entry.older = tuple(self._case(key, case, names) for case in row.older)
        return entry

    def _case(self, key: bytes, row: Row, names: tuple[str, str]) -> Entry:
        said, bins, served = row.said, b"", None
        if said is not None and row.label is not None:
            if not isinstance(said, bytes):
                said, bins = said
            version, slices, has_scores, shape = self._shaped.get(said) or self._shape(said)
            model, name = names
            served = Served(
                name, model, version, row.at, row.label, has_scores, slices, bins, row.scores, shape
            )
        return Entry(key, served, row.clock, row.fate, row.outcome, row.outcome_at, row.known)


def _fields(entry: Entry) -> tuple[Any, ...]:
    """Return a prediction's part of a ``Row``."""
    served, fate = entry.served, (entry.fate, entry.outcome, entry.outcome_at)
    if served is None:
        return (None, 0.0, None, entry.clock, None, *fate)
    said = (served.shape, served.bins) if served.bins else served.shape
    return (said, served.at, served.prediction, entry.clock, served.scores, *fate)


def _bounded(cache: dict[Any, Any]) -> dict[Any, Any]:
    if len(cache) >= SHARED:
        cache.clear()
    return cache


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Row).decode
_read_shape = msgspec.msgpack.Decoder(tuple[str, bool, tuple[str, ...]]).decode
