"""Core. A prediction meets its outcome by id; the counts do not depend on how the two topics interleave.

Every rule compares event times with the clock of the event's own topic: the newest event time that its topic has
shown, the event itself included. With H the label horizon, an outcome and a prediction of one id concern each
other unless the outcome had given up (prediction's clock > outcome's time + H) or the prediction was history
(outcome's clock > prediction's time + 2 H). The first outcome that concerns a prediction decides it: late when
its clock is beyond the prediction's time + H, else matched. Entries stay until both clocks are past all their
times + 2 H, so whether one is present never decides anything, with one exception: beyond the budget of entries
the oldest are evicted, counted as such.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec
from msgspec.structs import replace

from stream.due import PIECE, Due, Queues
from stream.entries import Changes, Entries, Position, Store
from stream.entry import COUNTED, DECAYING, DECIDED, LATE, Codec, Entry, record
from stream.events import Label, Outcome, Prediction
from stream.joined import Joined, Reason, Served
from stream.known import Known, Waiting

REBUILT_HORIZONS = 5
"""How far before the clock that is behind the log tells all of a join; an id is taken to serve one prediction.

What is to come meets predictions since 2 H and waiting outcomes since 1 H before it. Whether such a prediction is
a repeat was decided by one since 4 H; its outcomes have come since 3 H, those they were counted against since 4 H.
Whether an outcome still waits depends on predictions since 3 H, and those may repeat one since 5 H.
"""
KEPT_HORIZONS = 4
"""How long inputs have to be kept: where the fifth is gone, an outcome may be missing from the unmatched ones."""


class Join:
    """The open ends of one partition. ``horizon_s``: how long a prediction waits for its outcome.

    ``budget``: entries in all; ``memory_entries``: how many unchanged ones stay in memory beside the changed.
    ``stood``: how far the store had it that predictions and outcomes were overdue.
    """

    def __init__(self, horizon_s: float, budget: int, store: Store, memory_entries: int) -> None:
        written = store.position()
        at = msgspec.msgpack.decode(written, type=Position) if written else Position()
        self.predicted_until, self.known_until = at.predicted_until, at.known_until
        self.pending, self.stood = at.pending, at.done
        self._horizon_s = horizon_s
        self._budget = budget
        self._codec = Codec()
        self._entries = Entries(store, self._codec, memory_entries, at.entries)
        self.queues = Queues(store, horizon_s, (at.open, at.unknown, DECAYING))  # some are older than it says

    def __len__(self) -> int:
        return self._entries.count

    @property
    def memory_entries(self) -> int:
        """Return how many entries are in memory."""
        return len(self._entries.memory)

    @property
    def watermark(self) -> float:
        """Return the newest event time seen; minus infinity before the first event."""
        return max(self.predicted_until, self.known_until)

    # -- the two topics

    def predict(self, prediction: Prediction) -> tuple[Joined, ...]:
        """Take a prediction; ``WAITING`` unless outcomes are here already or it was seen before."""
        served = self._codec.serve(prediction)
        clock = self.predicted_until
        if served.at > clock:
            clock = self.predicted_until = served.at
        key = self._codec.key(served.model, served.prediction_id)
        entry, before = self._entries.find(key), None
        if entry is None:
            entry = self._entries.add(key)
        else:
            before = entry.served
            if before is not None and clock <= before.at + 2 * self._horizon_s:
                return (Joined(Reason.DUPLICATE_PREDICTION, served.model, before),)
        self._entries.touch(entry)
        if before is not None:
            self._age(entry)
        entry.served, entry.clock, entry.fate = served, clock, 0
        self.pending += 1
        self.queues.open.push(served.at, key)
        found = self._replay(entry, entry.known) if entry.known is not None and entry.known.waiting else ()
        return found or (Joined(_WAITING, served.model, served),)

    def remember(self, served: Served, bins: bytes) -> None:
        """Keep the bins of a waiting prediction's inputs with it; ask right after ``predict``."""
        entry = self._entries.find(self._codec.key(served.model, served.prediction_id))
        if entry is not None and entry.served is served:
            entry.served = replace(served, bins=bins)

    def _age(self, entry: Entry) -> None:
        """Make room for a new prediction of the same id; outcomes may still come for the one before."""
        old = Entry(entry.key, entry.served, entry.clock)
        old.fate, old.outcome, old.outcome_at = entry.fate, entry.outcome, entry.outcome_at
        entry.older = (*(one for one in entry.older if one.is_open or not self._is_history(one)), old)

    def _is_history(self, case: Entry) -> bool:
        assert case.served is not None
        return min(self.predicted_until, self.known_until) > case.served.at + 2 * self._horizon_s

    def _replay(self, entry: Entry, known: Known) -> tuple[Joined, ...]:
        waiting = known.waiting
        met = [one for one in waiting if self._concerns(one.at, one.clock, entry)]
        known.waiting = () if len(met) == len(waiting) else tuple(one for one in waiting if one not in met)
        return tuple(
            replace(self._decide(entry, one.outcome, one.at, one.clock), has_waited=True) for one in met
        )

    def know(self, outcome: Outcome) -> tuple[Joined, ...]:
        """Take an outcome; ``WAITING`` when its prediction has not come yet."""
        clock, at = self.known_until, float(outcome.at)
        if at > clock:
            clock = self.known_until = at
        key = self._codec.key(outcome.model, outcome.prediction_id)
        names = outcome.model, outcome.prediction_id
        entry = self._entries.find(key, names) or self._entries.add(key)
        self._entries.touch(entry)
        known, label, is_first, is_over = entry.known, outcome.outcome, True, False
        if known is None:
            entry.known = known = Known(label, at, 0, (at,))
        else:
            is_first = clock > known.until + 2 * self._horizon_s
            is_over = known.is_over(label, at, is_first, clock - self._horizon_s)
        if is_over:
            return (Joined(Reason.DUPLICATE_OUTCOME, outcome.model),)
        for case in entry.cases() if entry.older else (entry,):
            if case.served is not None and self._concerns(at, clock, case):
                return (self._decide(case, label, at, clock),)
        known.waiting = (*known.waiting, Waiting(clock, at, label, is_first))
        self.queues.unknown.push(at, key)
        return (Joined(Reason.WAITING, outcome.model),)

    def _concerns(self, at: float, clock: float, case: Entry) -> bool:
        assert case.served is not None
        horizon_s = self._horizon_s
        return case.clock <= at + horizon_s and clock <= case.served.at + 2 * horizon_s

    def _decide(self, case: Entry, outcome: Label, at: float, clock: float) -> Joined:
        served = case.served
        assert served is not None
        is_late = clock > served.at + self._horizon_s
        if not case.fate & DECIDED:
            if is_late:
                case.fate |= DECIDED | LATE
                return Joined(Reason.LATE, served.model, served, outcome, at)
            case.fate, case.outcome, case.outcome_at = DECIDED, outcome, at
            self.pending -= 1
            return Joined(_MATCHED, served.model, served, outcome, at)
        if is_late or case.fate & LATE or outcome == case.outcome or at < case.outcome_at:
            return Joined(Reason.DUPLICATE_OUTCOME, served.model, served)
        previous, previous_at, case.outcome, case.outcome_at = case.outcome, case.outcome_at, outcome, at
        return Joined(Reason.CORRECTED, served.model, served, outcome, at, previous, previous_at=previous_at)

    # -- giving up

    @property
    def is_behind(self) -> bool:
        """Whether more is to be given up, or forgotten, than one ``expire`` does."""
        return self.queues.is_due(self.predicted_until, self.known_until)

    def expire(self) -> Iterator[Joined]:
        """Give up what has waited for a whole horizon, oldest first: a piece, and ``is_behind`` tells of more.

        A prediction waits on the outcomes' clock and an outcome on the predictions' clock, so a backlog in one
        topic never expires what only the other can bring. Then what is over budget. Take it all before ``freeze``.
        """
        for due in self.queues.open.overdue(self.known_until, self._horizon_s):
            yield from self._give_up_predictions(due)
        for due in self.queues.unknown.overdue(self.predicted_until, self._horizon_s):
            yield from self._give_up_outcomes(due)
        self._forget_some()
        if self._entries.count > self._budget and not self.is_behind:
            yield from self._evict()
        self._entries.seal()

    def expire_again(self) -> int:
        """Give up some of what was given up before the checkpoint; return how many, 0 when that is all."""
        horizon_s = self._horizon_s
        served = self.queues.open.take(self.known_until, horizon_s, PIECE, self.queues.open.done)
        known = self.queues.unknown.take(self.predicted_until, horizon_s, PIECE, self.queues.unknown.done)
        for _ in (*self._give_up_predictions(served), *self._give_up_outcomes(known)):
            pass
        forgotten = self._forget_some()
        if self._entries.count > self._budget:
            for _ in self._evict():
                pass
        self._entries.seal()
        return len(served) + len(known) + forgotten

    def _entries_of(self, due: list[Due]) -> Iterator[tuple[float, Entry]]:
        self._entries.seal()
        self._entries.fetch([key for _, key in due])
        for at, key in due:
            entry = self._entries.find(key)
            if entry is not None:
                yield at, entry

    def _give_up_predictions(self, due: list[Due]) -> Iterator[Joined]:
        for at, entry in self._entries_of(due):
            for case in entry.cases():
                assert case.served is not None
                if case.served.at == at and case.is_open:
                    self._entries.touch(entry)
                    case.fate |= COUNTED
                    self.pending -= 1
                    yield Joined(Reason.UNMATCHED_PREDICTION, case.served.model, case.served)

    def _give_up_outcomes(self, due: list[Due]) -> Iterator[Joined]:
        for at, entry in self._entries_of(due):
            known = entry.known
            over = [one for one in known.waiting if one.at == at] if known is not None else []
            if known is None or not over:
                continue
            self._entries.touch(entry)
            known.waiting = tuple(one for one in known.waiting if one.at != at)
            for one in over:
                reason = Reason.UNMATCHED_OUTCOME if one.is_first else Reason.DUPLICATE_OUTCOME
                yield Joined(reason, self._codec.names(entry.key)[0])

    def _forget_some(self) -> int:
        clock = min(self.predicted_until, self.known_until)
        due = self.queues.decaying.take(clock, 2 * self._horizon_s, PIECE)
        if due:
            self._entries.seal()
        for at, key in due:
            self._forget(at, key)
        return len(due)

    def _forget(self, at: float, key: bytes) -> None:
        """Drop an entry; one that is only on disk is what its record says, and need not be read."""
        entry = self._entries.find(key) if key in self._entries.memory else None
        if entry is None:
            self._entries.remove(key, (record(DECAYING, at, key),))
        elif not entry.is_waiting:
            clock = min(self.predicted_until, self.known_until)
            if clock > entry.newest_at + 2 * self._horizon_s:
                self._entries.remove(key)

    def _evict(self) -> Iterator[Joined]:
        while self._entries.count > self._budget:
            key = self.queues.oldest() or next(iter(self._entries.memory))
            entry = self._entries.find(key)
            if entry is None:
                continue
            self._entries.remove(key)
            model = self._codec.names(key)[0]
            for case in entry.cases():
                if case.is_open:
                    self.pending -= 1
                    yield Joined(Reason.EVICTED, model, case.served)
            for _ in entry.known.waiting if entry.known is not None else ():
                yield Joined(Reason.EVICTED, model)

    # -- memory and disk

    def prefetch(self, events: Sequence[Prediction | Outcome]) -> None:
        """Read what a batch will ask for at one go; costs nothing while all is in memory."""
        entries = self._entries
        if entries.count > len(entries.memory):
            key = self._codec.key
            entries.forget_absent()
            entries.fetch([key(event.model, event.prediction_id) for event in events])

    def freeze(self) -> Changes:
        """Return everything that changed since the last freeze, as bytes that later events leave alone."""
        changes = self.set_apart()
        for _ in self.dump():
            pass
        return changes

    def set_apart(self) -> Changes:
        """Return at once what ``freeze`` does; it is whole once ``dump`` has come to its end."""
        epoch = self._entries.epoch
        since, done = self.queues.freeze(epoch), self.queues.done
        at = Position(self.predicted_until, self.known_until, self.pending, self._entries.count, *since, done)
        return self._entries.freeze(msgspec.msgpack.encode(at))

    def dump(self) -> Iterator[None]:
        """List what was set apart last, a piece with each step; events may come in between."""
        return self._entries.dump()

    def written(self, changes: Changes) -> None:
        """The store holds these changes, and those before, now."""
        self.queues.written(changes.epoch, changes.records, changes.gone)
        self._entries.written(changes.epoch)


_WAITING, _MATCHED = Reason.WAITING, Reason.MATCHED  # in Python 3.11 a member costs more through its class
