"""Edge. One input partition: records decoded, joined and judged; findings, refusals and forwards handed out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import msgspec

from stream import state
from stream.engine.partition import Flush, Output, Record
from stream.events import ALL, Event, Finding, Outcome, Prediction, Rollout
from stream.join import Join, Joined
from stream.monitor import Judgement, Monitor
from stream.pending import MemoryStore
from stream.refusal import DecodeError, dead_letter_headers
from stream.series import Series
from stream.wire import CloudEvent, Tolerance, decode_event, encode, partition_for, unwrap

CLOCKS = b"tidewatch.clocks"
UNKNOWN_PRODUCER = "unknown"


class Clocks(msgspec.Struct, frozen=True):
    """How far event time had come when the checkpoint was written; ``None`` before the first event."""

    predicted_until: float | None
    known_until: float | None


class Watch(Protocol):
    """Who counts what the fold does; it can't change it."""

    def folded(self, event: Event) -> None:
        """An event was taken."""
        ...

    def joined(self, joined: Joined, reason: str) -> None:
        """It became this in the join."""
        ...

    def refused(self, reason: str) -> None:
        """A record became a dead letter."""
        ...

    def misrouted(self, producer: str) -> None:
        """A record was forwarded to its partition."""
        ...

    def found(self, finding: Finding) -> None:
        """A finding was made."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What a fold needs to know from the settings."""

    judgement: Judgement
    tolerance: Tolerance
    label_horizon_s: float
    pending_budget: int
    inputs: tuple[str, ...]
    findings: str
    dead_letters: str
    partitions: int


class InputFold:
    """The live state of one input partition: its join and its models' monitors."""

    def __init__(self, number: int, rules: Rules, watch: Watch) -> None:
        self.number = number
        self.monitors: dict[str, Monitor] = {}
        self.join = Join(rules.label_horizon_s, rules.pending_budget, MemoryStore(), rules.pending_budget)
        self._rules = rules
        self._watch = watch
        self._dirty: set[str] = set()
        self._outputs: list[Output] = []
        self._restored = Clocks(None, None)

    def restore(self, key: bytes, value: bytes) -> None:
        """Take back one model's monitor, or the clocks.

        Raises:
            StateError: the record has another schema.
        """
        if key == CLOCKS:
            self._restored = msgspec.json.decode(value, type=Clocks)
        else:
            self.monitors[key.decode()] = state.load(value)

    def rebuild_since(self) -> float | None:
        """Return the time two label horizons before the clocks: nothing older can still meet anything."""
        clocks = [at for at in (self._restored.predicted_until, self._restored.known_until) if at is not None]
        return min(clocks) - 2 * self._rules.label_horizon_s if clocks else None

    def rebuild(self, records: Iterable[Record]) -> None:
        """Put older records into the join; their counts and findings are in the checkpoint already."""
        for record in records:
            event, _ = self._decode(record)
            if isinstance(event, Prediction):
                self.join.predict(event)
            elif isinstance(event, Outcome):
                self.join.know(event)
        for _ in self.join.expire():
            pass

    def apply(self, records: Sequence[Record]) -> bool:
        """Fold one batch; a finding or a forwarded record is urgent."""
        waiting = len(self._outputs)
        for record in records:
            event, origin = self._decode(record)
            if isinstance(event, DecodeError):
                self._refuse(record, event)
            elif self._is_ours(record, event, origin):
                self._take(event, record.timestamp / 1000.0)
        for joined in self.join.expire():
            self._judge(joined, None)
        return any(out.topic != self._rules.dead_letters for out in self._outputs[waiting:])

    def _decode(self, record: Record) -> tuple[Event | DecodeError, CloudEvent | None]:
        try:
            value, origin = unwrap(record.value, record.headers)
            return decode_event(value, record.timestamp / 1000.0, self._rules.tolerance), origin
        except DecodeError as fault:
            return fault, None

    def _take(self, event: Event, received_at: float) -> None:
        self._watch.folded(event)
        if isinstance(event, Rollout):
            self._monitor(event.model).rolled_out(event)
        elif isinstance(event, Outcome):
            for joined in self.join.know(event):
                self._judge(joined, received_at)
        else:
            first, *replayed = self.join.predict(event)
            self._judge(first, received_at)
            for joined in replayed:
                self._judge(joined, received_at)
            joined = first
            if joined.reason != "duplicate_prediction" and joined.served is not None:
                self._monitor(event.model).predicted(joined.served, self._rules.judgement)

    def _judge(self, joined: Joined, received_at: float | None) -> None:
        reason, findings = self._monitor(joined.model).take(joined, self._rules.judgement, received_at)
        self._watch.joined(joined, reason)
        for finding in findings:
            self._watch.found(finding)
            self._outputs.append(Output(self._rules.findings, finding.model.encode(), encode(finding)))

    def _monitor(self, model: str) -> Monitor:
        self._dirty.add(model)
        if model not in self.monitors:
            self.monitors[model] = Monitor(model)
        return self.monitors[model]

    def _is_ours(self, record: Record, event: Event, origin: CloudEvent | None) -> bool:
        """Forward a record that a foreign partitioner put here to where its model lives."""
        home = partition_for(event.model, self._rules.partitions)
        if home == self.number:
            return True
        self._watch.misrouted((origin and origin.source) or UNKNOWN_PRODUCER)
        key = event.model.encode()
        self._outputs.append(Output(record.topic, key, record.value, [*record.headers], home))
        return False

    def _refuse(self, record: Record, fault: DecodeError) -> None:
        self._watch.refused(fault.reason)
        ours = dead_letter_headers(fault, record.topic, record.partition, record.offset)
        headers = [*ours, *record.headers]
        # an empty value stands for null: a tombstone would tell nothing and a compacted topic would drop it
        self._outputs.append(Output(self._rules.dead_letters, record.key, record.value or b"", headers))

    def flush(self) -> Flush:
        """Return findings, refusals and forwards, and the monitors that changed."""
        outputs, self._outputs = self._outputs, []
        changed, self._dirty = self._dirty, set()
        dirty: dict[bytes, bytes | None] = {
            model.encode(): state.dump(self.monitors[model]) for model in sorted(changed)
        }
        clocks = Clocks(_finite(self.join.predicted_until), _finite(self.join.known_until))
        dirty[CLOCKS] = msgspec.json.encode(clocks)
        return Flush(outputs, dirty)

    def committed(self) -> None:
        """Nothing waits for it."""

    def close(self) -> None:
        """Nothing to give back."""

    def series(self) -> Iterator[tuple[str, str, str, Series, bool]]:
        """Yield model, version, slice, series and whether a finding is open on it."""
        for model, monitor in self.monitors.items():
            for version, slices in monitor.versions.items():
                for name, one in slices.items():
                    yield model, version, name, one, (version, name) in monitor.open


def watermark(fold: InputFold) -> float:
    """Return the newest event time folded; minus infinity before the first event."""
    return max(fold.join.predicted_until, fold.join.known_until)


def importance(row: tuple[str, str, str, Series, bool]) -> tuple[bool, bool, int]:
    """Sort key: series with an open finding first, then whole versions, then by how many predictions."""
    _, _, name, one, degraded = row
    return (not degraded, name != ALL, -one.predictions)


def _finite(at: float) -> float | None:
    return at if at > float("-inf") else None
