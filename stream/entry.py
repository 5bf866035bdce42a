"""Core. What the join remembers of one prediction id, and its form on disk.

An entry is the newest prediction of its id (``served`` is ``None`` while only outcomes have come), what is known
of its outcomes, and older predictions of the same id that outcomes may still meet. On disk it is a short msgpack
array under ``model length:model id``; what recurs (version, slices) is one bytes object for all who share it.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import Struct

from stream.events import Label, Prediction, Slices
from stream.joined import Served, slice_names
from stream.known import Known, Waiting

DECIDED, LATE, COUNTED = 1, 2, 4
"""Bits of an entry's fate: an outcome has decided it; that outcome was late; it was counted as unmatched."""
OPEN, UNKNOWN, DECAYING = b"p", b"o", b"z"
"""Kinds of index record: a prediction waits; an outcome waits; nothing waits and both clocks may forget it."""
SCORED = 10
"""Classes whose scores are kept; of a prediction with more none are."""
SHARED = 20_000
"""How many shared strings, slices and shapes a partition keeps before it starts anew."""


class Entry(Struct, gc=False, eq=False):
    """See the module; ``clock``: the predictions' clock when this one came; ``index``: its records on disk."""

    key: bytes
    epoch: int
    served: Served | None
    clock: float
    fate: int = 0
    outcome: Label | None = None
    outcome_at: float = 0.0
    known: Known | None = None
    older: tuple[Entry, ...] = ()
    index: tuple[bytes, ...] = ()

    @property
    def is_open(self) -> bool:
        """Whether a prediction waits: it has no outcome in time and was not given up."""
        return self.served is not None and self.fate != DECIDED and not self.fate & COUNTED

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
    if not entry.older and (known is None or not known.waiting):
        if served is not None and entry.fate != DECIDED and not entry.fate & COUNTED:
            return (OPEN + instant(served.at) + entry.key,)
        return (DECAYING + instant(entry.newest_at) + entry.key,)
    waiting = known.waiting if known is not None else ()
    cases = (
        record(OPEN, case.served.at, entry.key) for case in entry.cases() if case.served and case.is_open
    )
    found = {*cases, *(record(UNKNOWN, one.at, entry.key) for one in waiting)}
    return tuple(sorted(found)) or (record(DECAYING, entry.newest_at, entry.key),)


class Codec:
    """Turns events and entries into bytes and back; equal strings, slices and shapes become one object."""

    def __init__(self) -> None:
        self._prefixes: dict[str, bytes] = {}
        self._strings: dict[str, str] = {}
        self._slices: dict[tuple[object, ...], tuple[str, ...]] = {}
        self._shapes: dict[tuple[str, bool, tuple[str, ...]], bytes] = {}
        self._shaped: dict[bytes, tuple[str, bool, tuple[str, ...]]] = {}

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
        slices = prediction.slices
        shared = self._slices.get((*slices, *slices.values())) or self._name(slices)
        strings, scores = self._strings, prediction.scores
        return Served(
            prediction.prediction_id,
            strings.get(prediction.model) or self._shared(prediction.model),
            strings.get(prediction.version) or self._shared(prediction.version),
            float(prediction.at),
            prediction.prediction,
            scores is not None,
            shared,
            b"",
            scores if type(scores) is not dict or len(scores) <= SCORED else None,
        )

    def _name(self, slices: Slices) -> tuple[str, ...]:
        """Name slices; numbers have places of their own by type: True == 1, but they are different slices."""
        kinds = (*map(type, slices.values()),)
        wanted = (*slices, *slices.values(), *(kinds if {*kinds} - {str} else ()))
        found = self._slices.get(wanted)
        if found is None:
            found = _bounded(self._slices)[wanted] = slice_names(slices)
        return found

    def _shared(self, text: str) -> str:
        found = self._strings.get(text)
        if found is None:
            found = _bounded(self._strings)[text] = text
        return found

    def dump(self, entry: Entry) -> bytes:
        """Return an entry's bytes, which later changes of it leave alone.

        Raises:
            OverflowError: a label is a whole number beyond 64 bits; the wire makes such ones floats.
        """
        row: tuple[Any, ...] = self._case(entry)
        if entry.known is None and not entry.older and not entry.fate:
            row = row[:5] if row[4] is not None else row[:4]
        else:
            row += (_row(entry.known), [self._case(case) for case in entry.older] if entry.older else ())
        return _encode(row)

    def _case(self, entry: Entry) -> tuple[Any, ...]:
        served = entry.served
        if served is None:
            return (None, 0.0, None, entry.clock, None, entry.fate, entry.outcome, entry.outcome_at)
        bins, form = served.bins, (served.version, served.has_scores, served.slices)
        shape = self._shapes.get(form)
        if shape is None:
            shape = _bounded(self._shapes)[form] = _encode(form)
        said = (shape, bins) if bins else shape
        return (
            *(said, served.at, served.prediction, entry.clock, served.scores),
            *(entry.fate, entry.outcome, entry.outcome_at),
        )

    def load(self, key: bytes, value: bytes) -> Entry:
        """Return the entry that ``dump`` wrote; it counts as unchanged.

        Raises:
            msgspec.DecodeError: the bytes are no msgpack.
        """
        row = _decode(value)
        entry = self._load_case(key, row)
        if len(row) > 5:
            outcomes, older = row[8:]
            if outcomes is not None:
                label, at, repeats, times, waiting = outcomes
                met = tuple(Waiting(*one) for one in waiting)
                entry.known = Known(label, at, repeats, tuple(times), met)
            entry.older = tuple(self._load_case(key, case) for case in older)
        entry.index = index_of(entry)
        return entry

    def _load_case(self, key: bytes, row: Sequence[Any]) -> Entry:
        shape, at, label, clock = row[:4]
        served = None
        if shape is not None:
            model, prediction_id = self.names(key)
            shape, bins = shape if type(shape) is list else (shape, b"")
            version, has_scores, slices = self._shaped.get(shape) or self._unshaped(shape)
            scores = row[4] if len(row) > 4 else None
            served = Served(prediction_id, model, version, at, label, has_scores, slices, bins, scores)
        entry = Entry(key, 0, served, clock)
        if len(row) > 5:
            entry.fate, entry.outcome, entry.outcome_at = row[5:8]
        return entry

    def _unshaped(self, shape: bytes) -> tuple[str, bool, tuple[str, ...]]:
        version, has_scores, slices = _decode(shape)
        found = _bounded(self._shaped)[shape] = (self._shared(version), has_scores, tuple(slices))
        return found


def _row(known: Known | None) -> tuple[Any, ...] | None:
    if known is None:
        return None
    return (known.outcome, known.at, known.repeats, known.times, known.waiting)


def _bounded(cache: dict[Any, Any]) -> dict[Any, Any]:
    if len(cache) >= SHARED:
        cache.clear()
    return cache


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder().decode
