"""Edge. One input partition: records decoded, joined and judged; findings, refusals and forwards handed out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from operator import gt

import msgspec
from msgspec.structs import replace

from stream import state
from stream.admission import Admission
from stream.clock import Clock, Clocks
from stream.cohorts import close_cohorts
from stream.engine.partition import Flush, Output, Record
from stream.entries import Changes, Size, Store
from stream.events import Event, Finding, Outcome, Prediction, Rollout
from stream.health import Look, look, new_health
from stream.join import REBUILT_HORIZONS, Join
from stream.joined import Joined, Reason
from stream.monitor import Monitor
from stream.monitors import Monitors
from stream.outputs import Outputs
from stream.refusal import DecodeError
from stream.rules import Rules
from stream.tally import Onlooker, Tally
from stream.wire import read_event

WAITING, MATCHED, DUPLICATE = Reason.WAITING, Reason.MATCHED, Reason.DUPLICATE_PREDICTION
REBUILT = 50_000
"""Records that a rebuild holds in memory before it puts them on disk."""


class InputFold:
    """The live state of one input partition: its join and its models' monitors."""

    def __init__(self, number: int, rules: Rules, watch: Onlooker, store: Store) -> None:
        self.number = number
        self.monitors = Monitors(number, rules.label_horizon_s)
        self._store, self._rules, self._watch = store, rules, watch
        self._restored, self._clock = Clocks(None, None), Clock()
        self.join = self._open_join()
        self._dirty, self._unsaved = set[str](), set[str]()
        self._saved: dict[str, bytes] = {}
        self._frozen: tuple[Changes, Mapping[str, int]] | None = None
        self._outputs, self.admission = Outputs(rules), Admission(number, rules)
        self._rebuilt, self._unwritten = dict[str, int](), 0

    @property
    def waiting_bytes(self) -> int:
        """The bytes of the outputs that wait for the next ``freeze``."""
        return self._outputs.size

    @property
    def is_behind(self) -> bool:
        """Whether the join has more to give up."""
        return self.join.is_behind

    def restore(self, key: bytes, value: bytes) -> None:
        """Take back one model's monitor, or the clocks.

        Raises:
            MonitorStateError: the record has another schema, or is damaged.
        """
        if key == state.CLOCKS:
            try:
                self._restored = self._clock.begin(value)
            except msgspec.DecodeError as fault:
                raise state.MonitorStateError(f"partition {self.number}, {key.decode()}: {fault}") from fault
            self.join.queues.take_up(self._restored.given_up_until())
            return
        model = state.model_of(key)
        head = self.monitors.restore(model, value)
        self._clock.call(model, head.due_at)
        self.admission.restore(model, head)

    def local(self) -> Mapping[str, int]:
        """Return the offsets that the join's own disk includes, unless an aborted checkpoint had given up more."""
        if any(map(gt, self.join.stood, self._restored.given_up_until())):
            self.forget_local()
        return self._store.offsets()

    def forget_local(self) -> None:
        """Begin with an empty disk: what is there is of another log."""
        self._store.wipe()
        self.join = self._open_join()

    def _open_join(self) -> Join:
        rules = self._rules
        join = Join(rules.label_horizon_s, rules.pending_budget, self._store, rules.memory_entries)
        join.queues.take_up(self._restored.given_up_until())
        return join

    def rebuild_since(self) -> float | None:
        """Return the Kafka time from which the log tells all of the join; ``None`` when there is nothing yet.

        See ``REBUILT_HORIZONS``; and before that an event's time may be ahead of Kafka's.
        """
        before_s = REBUILT_HORIZONS * self._rules.label_horizon_s + self._rules.tolerance.future_s
        behind = self._restored.acted_until(self._rules.label_horizon_s)
        return None if behind is None else max(0.0, behind - before_s)

    def rebuild(self, records: Sequence[Record]) -> bool:
        """Put older records into the join; their counts and findings are in the checkpoint already."""
        tolerance = self._rules.tolerance
        for record in records:
            event, _ = read_event(record.value, record.headers, record.timestamp / 1000.0, tolerance)
            if isinstance(event, DecodeError | Rollout) or not self.admission.is_home(event.model):
                continue
            if isinstance(event, Outcome):
                self.join.know(event)
            elif not self.admission.was_refused(event, record):
                self.join.predict(event)
        if records:
            self._rebuilt[records[-1].topic] = records[-1].offset + 1
        given_up = self.join.expire_again()
        self._unwritten += len(records) + given_up
        if self._unwritten >= REBUILT:
            self._write(self.join.freeze(), self._store.offsets() | self._rebuilt)
            self._unwritten = 0
        return given_up > 0

    def apply(self, records: Sequence[Record]) -> bool:
        """Fold one batch; a finding or a forwarded record is urgent."""
        urgent, tally = self._outputs.urgent, Tally()
        ours = self._decode_ours(records, tally)
        self.join.prefetch([event for event, _, _ in ours if not isinstance(event, Rollout)])
        for event, timestamp, source in ours:
            if source:
                self._hear(event, source)
            if isinstance(event, Prediction):
                tally.predictions += 1
                joined = self._predicted(event, timestamp / 1000.0, tally)
            elif isinstance(event, Outcome):
                tally.outcomes += 1
                joined = self.join.know(event)
            else:
                tally.rollouts += 1
                is_news, ended = self._monitor(event.model).rolled_out(event, timestamp / 1000.0)
                if is_news:
                    self._outputs.tell(event)
                self._tell(ended, tally)
                continue
            if joined[0].reason is not WAITING:
                self._judge(event.model, joined, timestamp / 1000.0, tally)
        for one in self.join.expire():
            self._judge(one.model, (one,), None, tally)
        self._watch.folded(tally)
        return self._outputs.urgent > urgent

    def _decode_ours(self, records: Sequence[Record], tally: Tally) -> list[tuple[Event, int, str]]:
        """Return the events that belong here, with Kafka timestamps and sources; refuse or forward the others."""
        found: list[tuple[Event, int, str]] = []
        judged, tolerance = self.admission.judged, self._rules.tolerance
        for record in records:
            event, source = read_event(record.value, record.headers, record.timestamp / 1000.0, tolerance)
            if isinstance(event, DecodeError):
                self._outputs.refuse(record, event, tally)
            elif event.model in judged or self._is_ours(record, event, source, tally):
                found.append((event, record.timestamp, source))
        return found

    def _is_ours(self, record: Record, event: Event, source: str, tally: Tally) -> bool:
        """Return whether an event of a model without predictions is to be folded; else forward or refuse it."""
        if not self.admission.is_home(event.model):
            self._outputs.forward(record, event.model, source, tally)
            return False
        fault = self.admission.ask(event, record)
        if fault is not None:
            self._outputs.refuse(record, fault, tally)
        elif isinstance(event, Prediction) and event.model in self.monitors:  # only rollouts came before
            self._monitor(event.model).first = self.admission.judged[event.model]
        return fault is None

    def _hear(self, event: Event, source: str) -> None:
        """Note who sends a model's events; at its first one it has no monitor yet."""
        monitor = self.monitors.get(event.model)
        if monitor is not None and monitor.producers.is_news(event, source):
            self._monitor(event.model).producers.hear(event, source)

    def _predicted(self, event: Prediction, proven_at: float, tally: Tally) -> Sequence[Joined]:
        joined, monitor, clock = self.join.predict(event), self._monitor(event.model), self._clock
        reason, served = joined[0].reason, joined[0].served
        if reason is not DUPLICATE and served is not None:
            if served.at > clock.at:
                clock.move(served.at)
            wants_row = monitor.health.predicted(served.at, clock, proven_at)
            self._tell(monitor.predicted(event, served, self._rules.judgement, proven_at, clock), tally)
            if wants_row and reason in (WAITING, MATCHED):
                bins = monitor.bins(event)
                self.join.remember(served, bins)
                if reason is MATCHED:  # its outcomes were read first
                    row = replace(served, bins=bins)
                    joined = tuple(replace(one, served=row) for one in joined)
            if clock.at >= clock.due_at:
                self._look(proven_at, tally)
        return joined

    def _look(self, proven_at: float, tally: Tally) -> None:
        """Look at the models whose time has come: what did not come is told by the others' events."""
        clock = self._clock
        for model in clock.due():
            monitor = self._monitor(model)
            self.close_cohorts(monitor)
            ended = monitor.end_idle(clock.at, proven_at)
            seen = Look(model, *monitor.newest(), clock.at, clock.lost_s, proven_at)
            self._tell([*ended, *look(monitor.health, seen, monitor.counts, self._rules.judgement)], tally)
            clock.call(model, monitor.health.due_at)

    def close_cohorts(self, monitor: Monitor) -> None:
        """Hold a model's estimates against what labels say that are all known; it is done now and then anyway."""
        close_cohorts(monitor.versions, min(self._clock.at, self.join.known_until))

    def _judge(self, model: str, results: Sequence[Joined], proven_at: float | None, tally: Tally) -> None:
        """Fold results of the join; an outcome of a model that has shown nothing else makes no monitor."""
        if model not in self.monitors:
            for joined in results:
                tally.join(joined.reason, joined)
            return
        monitor = self._monitor(model)
        for joined in results:
            reason, findings = monitor.take(joined, self._rules.judgement, proven_at, self._clock)
            tally.join(reason, joined)
            self._tell(findings, tally)
            if monitor.news is not None:
                self._outputs.tell(monitor.news)
                monitor.news = None

    def _tell(self, findings: Sequence[Finding], tally: Tally) -> None:
        for finding in findings:
            tally.findings.append(finding)
            self._outputs.tell(finding)

    def _monitor(self, model: str) -> Monitor:
        """Return the model's monitor to be changed; what a checkpoint still has to write of it is kept first."""
        self._dirty.add(model)
        if model in self._unsaved:
            self._save(model)
        try:
            return self.monitors[model]
        except KeyError:
            horizon_s, first = self._rules.label_horizon_s, self.admission.judged.get(model)
            made = Monitor(model, health=new_health(horizon_s), label_horizon_s=horizon_s, first=first)
            self._clock.call(model, made.health.due_at)
            return self.monitors.setdefault(model, made)

    def _save(self, model: str) -> None:
        self._unsaved.discard(model)
        self._saved[model] = state.dump(self.monitors[model])

    def freeze(self, offsets: Mapping[str, int]) -> Flush:
        """Return outputs, and the state as it is now: what changes while it is being written is saved first."""
        outputs, join = self._outputs.take(), self.join
        self._unsaved, self._dirty, self._saved = self._dirty, set(), {}
        self._frozen = join.set_apart(), dict(offsets)
        done = join.queues.done
        return Flush(outputs, self._records(self._clock.saved(join.predicted_until, join.known_until, done)))

    def rewrite(self) -> None:
        """Have the next checkpoint write all models."""
        self._dirty.update(self.monitors)

    def _records(self, clocks: bytes) -> Iterator[tuple[bytes, bytes]]:
        yield state.CLOCKS, clocks
        while self._unsaved or self._saved:
            if not self._saved:
                self._save(next(iter(self._unsaved)))
            model, value = self._saved.popitem()
            yield state.key_of(model), value

    def committed(self) -> Iterator[None]:
        """Put on disk what the checkpoint includes of the join, never before it; a piece with each step."""
        frozen, self._frozen = self._frozen, None
        if frozen is not None:
            yield from self.join.dump()
            self._write(*frozen)

    def _write(self, changes: Changes, offsets: Mapping[str, int]) -> None:
        self._store.write(changes, offsets)
        self.join.written(changes)

    def size(self) -> Size:
        """Return what the join's store takes."""
        return self._store.size()

    def spill(self) -> Sequence[Output]:
        """Put the join on disk without a checkpoint, for a replay that none will follow; return the outputs."""
        self._write(self.join.freeze(), {})
        self._dirty.clear()
        return self._outputs.take()

    def caught_up(self) -> None:
        """Do nothing: its time is that of the events."""

    def suspend(self) -> None:
        """Do nothing: what it shows leaves with a checkpoint, and a former owner can write none."""

    def close(self) -> None:
        """Give the disk back."""
        self._store.close()
