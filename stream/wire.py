"""Edge. Bytes to facts and facts to bytes: one JSON object a record, as ``docs/contract/`` promises.

Decoding reads no clock: whether an event's time is absurd is judged against the record's Kafka timestamp, so
a replay of the log refuses exactly what the first run refused.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final, NamedTuple

import msgspec
from aiokafka.partitioner import murmur2
from msgspec import Struct

from stream.events import Errors, Event, Finding, Instant, Outcome, Prediction, Rollout, Told
from stream.instant import MILLISECONDS_FROM, read_instant
from stream.refusal import DecodeError, Refusal, faults

MAX_BYTES = 256 * 1024
"""A record of more bytes is refused unread."""

EVENTS: Final[Mapping[str, type[Struct]]] = {"prediction": Prediction, "outcome": Outcome, "rollout": Rollout}
TOLD: Final[Mapping[str, type[Struct]]] = {
    "finding": Finding,
    "errors": Errors,
    "rollout": Rollout,
}

_LAST_SECOND = 253_402_300_799.0  # of the year 9999, where datetime ends
_STRUCTURED = b"application/cloudevents+json"
_IN_FILES: Final = (("content-type", _STRUCTURED),)


class Tolerance(NamedTuple):
    """How far an event's ``at`` may lie from the time its record reached Kafka, in seconds."""

    past_s: float
    future_s: float


class _Envelope(Struct):
    data: msgspec.Raw
    source: str = ""


class _CloudEvent(Struct):
    specversion: str
    data: msgspec.Raw


class _Times(Struct):
    at: msgspec.Raw
    trained_until: msgspec.Raw = msgspec.Raw(b"null")


def _read(kind: type, value: Any) -> Any:
    if kind is Instant:
        return read_instant(value)
    raise NotImplementedError(f"no way to read {kind}")


def _write(value: Any) -> float:
    if isinstance(value, Instant):
        return float(value)
    raise NotImplementedError(f"no way to write {type(value)}")


_decode_event = msgspec.json.Decoder(Event, dec_hook=_read).decode
_decode_told = msgspec.json.Decoder(Told, dec_hook=_read).decode
_decode_envelope = msgspec.json.Decoder(_Envelope).decode
_decode_cloud_event = msgspec.json.Decoder(_CloudEvent).decode
_decode_times = msgspec.json.Decoder(_Times).decode
_encode = msgspec.json.Encoder(enc_hook=_write, order="deterministic").encode


def decode_event(value: bytes | None, received_at: float, tolerance: Tolerance) -> Event:
    """Return the event that a record's value holds.

    ``received_at`` is the record's Kafka timestamp in epoch seconds; a negative one means that it has none, and
    then nothing bounds the event's time: it is refused. Labels beyond 64-bit integers become floats. Fields that
    the contract does not name are passed over.

    Raises:
        DecodeError: the bytes are not an event; says the reason, the field, the value and what is wanted.
    """
    raw = _sized(value)
    try:
        event: Event = _decode_event(raw)
        if type(event) is Prediction:
            if type(event.prediction) is int:
                _narrow(event, "prediction", event.prediction)
            if "=" in "".join(event.slices):
                raise ValueError("slice names without =")
        elif type(event) is Outcome and type(event.outcome) is int:
            _narrow(event, "outcome", event.outcome)
    except (msgspec.DecodeError, ValueError, RecursionError) as fault:
        raise faults(raw, EVENTS, _read, fault)[0] from None
    if received_at < 0 or not (
        received_at - tolerance.past_s <= event.at <= received_at + tolerance.future_s
    ):
        raise _absurd(raw, "at", event.at, received_at, tolerance)
    if type(event) is Rollout:
        trained_until = event.trained_until
        if trained_until is not None and trained_until > received_at + tolerance.future_s:
            raise _absurd(raw, "trained_until", trained_until, received_at, tolerance)
    return event


def read_event(
    value: bytes | None, headers: Sequence[tuple[str, bytes]], received_at: float, tolerance: Tolerance
) -> tuple[Event | DecodeError, str]:
    """Return a record's event, or why it is none, and its CloudEvents source; ``""`` without one."""
    try:
        data, source = unwrap(value, headers) if headers else (value, "")
        return decode_event(data, received_at, tolerance), source
    except DecodeError as fault:
        # where it was raised holds the fold's frames, and they hold it
        fault.__context__ = None
        return fault.with_traceback(None), ""


def headers_in_file(line: bytes) -> Sequence[tuple[str, bytes]]:
    """Return the headers that a line of a file would have in Kafka: the content type, if it is a CloudEvent."""
    if b'"specversion"' not in line:
        return ()
    try:
        _decode_cloud_event(line)
    except (msgspec.DecodeError, ValueError, RecursionError):
        return ()
    return _IN_FILES


def event_faults(value: bytes | None, received_at: float, tolerance: Tolerance) -> list[DecodeError]:
    """Return everything that is wrong with a record's value, not only the first fault; empty for an event."""
    try:
        decode_event(value, received_at, tolerance)
    except DecodeError as first:
        if value is None or first.reason in {Refusal.OVERSIZE, Refusal.ABSURD_TIME}:
            return [first]
        return [first, *faults(value, EVENTS, _read, first)[1:]]
    return []


def decode_told(value: bytes | None) -> Told:
    """Return what the worker told the pager: a record of the findings topic.

    Raises:
        DecodeError: the bytes are none of it.
    """
    raw = _sized(value)
    try:
        told: Told = _decode_told(raw)
    except (msgspec.DecodeError, ValueError, RecursionError) as fault:
        raise faults(raw, TOLD, _read, fault)[0] from None
    return told


def encode(fact: Event | Told) -> bytes:
    """Return a fact as JSON: fields as declared, objects sorted by key, so equal facts are equal bytes.

    Instants are written as epoch seconds. ``nan`` and infinity become ``null``, which the decoder refuses
    where the contract wants a number: facts must not hold them.
    """
    return _encode(fact)


def unwrap(value: bytes | None, headers: Sequence[tuple[str, bytes]]) -> tuple[bytes | None, str]:
    """Return the event's own bytes, and its CloudEvents source in binary or structured mode; ``""`` without one.

    A source that is not UTF-8 is shown with the replacement character; of a repeated header the last counts.

    Raises:
        DecodeError: the content type says CloudEvents in structured mode, but the value is no such envelope.
    """
    if not headers:
        return value, ""
    found = dict(headers)
    if not (found.get("content-type") or b"").startswith(_STRUCTURED):
        return value, (found.get("ce_source") or b"").decode("utf-8", "replace")
    raw = _sized(value)
    try:
        envelope = _decode_envelope(raw)
    except (msgspec.DecodeError, ValueError, RecursionError) as fault:
        raise faults(raw, _Envelope, _read, fault)[0] from None
    return bytes(envelope.data), envelope.source


@lru_cache(maxsize=65_536)
def partition_for(model: str, partitions: int) -> int:
    """Return the partition of a model's records: murmur2 of the UTF-8 key, as Kafka's Java client has it.

    Raises:
        ValueError: there are no partitions.
    """
    if partitions < 1:
        raise ValueError(f"partitions {partitions}: want at least 1")
    hashed: int = murmur2(model.encode())
    return (hashed & 0x7FFFFFFF) % partitions


def _sized(value: bytes | None) -> bytes:
    if value is None:
        raise DecodeError(
            Refusal.NULL_VALUE, "value", "null", "a JSON object; nothing is deleted by a null here"
        )
    if len(value) > MAX_BYTES:
        raise DecodeError(Refusal.OVERSIZE, "value", f"of {len(value)} bytes", f"at most {MAX_BYTES} bytes")
    return value


def _narrow(event: Struct, field: str, label: int) -> None:
    """Make a label beyond 64 bits a float, as JSON readers with doubles would; state bytes hold no more."""
    if not -(2**63) <= label < 2**63:
        try:
            msgspec.structs.force_setattr(event, field, float(label))
        except OverflowError:
            raise ValueError("a finite number") from None


def _absurd(raw: bytes, field: str, at: float, received_at: float, tolerance: Tolerance) -> DecodeError:
    if received_at < 0:
        wanted = "the record's own Kafka timestamp, without which at can't be judged"
        return DecodeError(Refusal.ABSURD_TIME, "timestamp", f"{received_at * 1000:.0f}", wanted)
    received = datetime.fromtimestamp(min(received_at, _LAST_SECOND), UTC).isoformat(timespec="milliseconds")
    least = f"within {_span(tolerance.past_s)} before and" if field == "at" else "at most"
    wanted = f"a time {least} {_span(tolerance.future_s)} after {received}, when the record reached Kafka"
    said = bytes(getattr(_decode_times(raw), field)).decode()
    if at >= MILLISECONDS_FROM and not said.startswith('"'):  # still, after milliseconds were taken for such
        wanted += "; a number so large is micro- or nanoseconds"
    return DecodeError(Refusal.ABSURD_TIME, field, said, wanted)


def _span(seconds: float) -> str:
    return f"{seconds / 86_400:g} days" if seconds >= 2 * 86_400 else f"{seconds:g} seconds"
