"""Core. The incident book: what the findings add up to, and what became of their notifications."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from msgspec.structs import replace

from alerts import ending
from alerts.archive import Archive
from alerts.change import Change, DueChange, announced
from alerts.command import Command, obey
from alerts.digest import bundled
from alerts.incident import Incident, Notification
from alerts.onlooker import Onlooker
from alerts.outbox import Due, Leaving, last_told, parts
from alerts.owners import Owners
from alerts.reason import Decision, Reason
from alerts.silences import Wish
from alerts.standing import Standing
from alerts.telling import heard, ripe_at, ripen
from alerts.timers import Timers
from alerts.triage import triage
from alerts.unreadable import Unreadable
from alerts.worsening import worsen
from stream.engine.partition import Flush, Output, Record
from stream.events import Errors, Finding, Rollout, Told

RESOLVED_BUDGET = 1_000
"""How many resolved incidents are remembered, to know a repeated finding again."""
Ending = Callable[[Incident, Notification], Incident]


class IncidentBook:
    """The findings' partition, as the engine's ``Partition``; ``announce()`` says that something is due."""

    def __init__(
        self,
        owners: Owners,
        read: Callable[[Record], Told | Command | Wish | Unreadable],
        *,
        urge: Callable[[], None],
        look_again: Callable[[], None],
        announce: Callable[[], None],
        watch: Onlooker,
        fallbacks: Mapping[str, str] | None = None,
        letter: Callable[[Due | DueChange, str], Output] | None = None,
        resolved_budget: int = RESOLVED_BUDGET,
    ) -> None:
        self._owners = self._configured = owners
        self._read, self._watch, self._letter, self._fallbacks = read, watch, letter, fallbacks or {}
        self._urge, self._look_again, self._announce = urge, look_again, announce
        self._archive, self._resolved_budget, self._letters = Archive(), resolved_budget, list[Output]()
        self._ledger, self.waiting_bytes, self.is_behind = self._archive.ledger, 0, False
        self._timers, self._standing, self.closed = Timers(), Standing(), False

    @property
    def is_live(self) -> bool:
        """Whether time may pass and things may leave."""
        return self._standing.is_good and not self.closed

    # The engine's side.

    def restore(self, key: bytes, value: bytes) -> None:
        """Take back one incident or change; what is due leaves once the book is live.

        Raises:
            StateError: it was written by a version with another schema, or is damaged.
        """
        incident = self._archive.restore(key, value)
        if incident is None:
            self._heed_silences()
        else:
            self._timers.set(incident.id, ripe_at(incident, self._owners))

    def local(self) -> Mapping[str, int]:
        """Return nothing: a book has no disk."""
        return {}

    def forget_local(self) -> None:
        """Do nothing."""

    def rebuild_since(self) -> float | None:
        """Return ``None``: all state is in the checkpoint."""
        return None

    def rebuild(self, records: Iterable[Record]) -> bool:
        """Derive nothing: there is no unsaved state."""
        return False

    def apply(self, records: Sequence[Record]) -> bool:
        """Fold findings in; return whether somebody is to be told, which is urgent."""
        return True in [self._take(record) for record in records]

    def freeze(self, offsets: Mapping[str, int]) -> Flush:
        """Return dead letters, and incidents and changes that are other than at the last call."""
        self._standing.frozen()
        letters, self._letters, self.waiting_bytes = self._letters, [], 0
        return Flush(letters, [*self._archive.flush().items()])

    def rewrite(self) -> None:
        """Have the next checkpoint write all."""
        self._archive.rewrite()

    def committed(self) -> Iterable[None]:
        """Let go what is durable now; there is nothing left to do."""
        self._standing.committed()
        self._archive.commit()
        self._announce()
        return ()

    def caught_up(self) -> None:
        """Let time pass: what lay in the log is folded now."""
        self._standing.caught_up()
        self._announce()

    def suspend(self) -> None:
        """Let nothing leave until it is ours for sure and has caught up: others may have the findings now."""
        self._standing.doubt()

    def close(self) -> None:
        """Hand out nothing from here on: another pager has the findings now."""
        self.closed = True
        self._archive.outbox.clear()
        self._announce()

    # The clock's side.

    def advance(self, now: float | None) -> None:
        """Let time pass until ``now``, epoch seconds; asks for a checkpoint of what that changed.

        ``None``: the time is not known, and a checkpoint is asked for, which tells it.
        """
        if self.is_live and (now is None or self._pass(now)):
            self._urge()

    # The delivery's side.

    def doubt(self) -> None:
        """Learn that the process stood still; the engine is to ask whose the findings are, and for those since."""
        self.suspend()
        self._look_again()

    def due(self, receiver: str) -> Iterator[Leaving]:
        """Yield what may leave in this lane: digests, pages of what goes on, of what is over, changes."""
        yield from self._archive.outbox.digests(receiver)
        yield from self._archive.outbox.due(receiver)
        if not self.closed:
            yield from self._archive.changes.due(receiver)

    def lanes(self) -> set[str]:
        """Return the lanes in which something waits, also those that nobody serves any more."""
        return {*self._archive.outbox.lanes(), *(one.notification.receiver for one in self.changes())}

    def is_due(self, leaving: Leaving) -> bool:
        """Whether it is still to leave: a request may have been withdrawn since it was handed out."""
        return all(self._archive.outbox.waits(due) for due in parts(leaving) if isinstance(due, Due))

    def waiting(self, receiver: str) -> int:
        """Return how many notifications wait for this receiver and are in no digest."""
        return sum(len(run) for run in self._archive.outbox.runs(receiver))

    def bundle(self, receiver: str) -> None:
        """Put what waits for this receiver into digests; they leave when that is durable."""
        for incident in () if self.closed else bundled(self._archive.outbox, receiver):
            self._put(incident)
            self._urge()

    def accepted(self, leaving: Leaving, at: float) -> None:
        """Record that the receiver has it, ``at`` epoch seconds."""
        for due in parts(leaving):
            self._end(due, lambda incident, one: heard(incident, one, self._owners, at))

    def put_off(self, leaving: Leaving, reason: str) -> None:
        """Record an attempt that failed and will be repeated; not worth a checkpoint of its own."""
        for due in parts(leaving):
            if isinstance(due, DueChange):
                self._try_change_again(due, reason)
            else:
                self._change(due, lambda incident, one: ending.put_off(incident, one, reason))

    def refused(self, leaving: Leaving, reason: str) -> None:
        """Record that the receiver will never take it: a dead letter, and its fallback is to hear it instead."""
        fallback = self._fallbacks.get(leaving.notification.receiver)
        for due in () if self.closed else parts(leaving):
            if self._letter is not None:
                self._letters.append(self._letter(due, reason))
            self._end(due, lambda incident, one: ending.refused(incident, one, reason, fallback))

    def told(self, receiver: str, resolved_since: float) -> Iterator[Due]:
        """Yield what this receiver was told last of what is open or resolved recently, as ``last_told`` does."""
        return last_told(self._ledger, receiver, resolved_since)

    # The readers' side.

    def incidents(self) -> Iterator[Incident]:
        """Yield every remembered incident as it is now."""
        return iter(self._ledger)

    def changes(self) -> Iterator[Change]:
        """Yield every change that waits."""
        return iter(self._archive.changes)

    def pending(self) -> Iterator[Notification]:
        """Yield every notification that is still due."""
        return (n for incident in self._ledger for n in incident.notifications if n.state == "due")

    def _take(self, record: Record) -> bool:
        now = record.timestamp / 1000
        news = self._pass(now)
        fact = self._read(record)
        if isinstance(fact, Unreadable):
            self._watch.refused(fact.reason)
            self._letters.append(fact.letter)
            self.waiting_bytes += fact.letter.size
            return news
        if isinstance(fact, Finding):
            return self._triage(fact, now) or news
        if isinstance(fact, Rollout):
            return self._announce_change(fact, now) or news
        if isinstance(fact, Errors):
            decision = worsen(self._ledger, fact, self._owners, now)
            self._watch.worsened(fact, next(iter(decision.changed), None), decision.reasons)
        elif isinstance(fact, Command):
            decision = obey(self._ledger, fact, self._owners, now)
            self._watch.commanded(fact, decision.reasons)
        else:
            decision = self._archive.silence(fact, now)
            self._heed_silences()
            self._watch.silenced(fact, decision.reasons)
        return self._take_over(decision) or news

    def _heed_silences(self) -> None:
        """Have what people set decide beside what the owners file says."""
        both = (*self._configured.silences, *self._archive.silences)
        self._owners = replace(self._configured, silences=both)

    def _announce_change(self, rollout: Rollout, now: float) -> bool:
        """Take a rollout for those who hear of changes; return whether anybody does."""
        changes = announced(rollout, self._owners, now)
        reasons = [self._archive.take(change) for change in changes]
        self._watch.rolled_out(rollout, reasons or [Reason.CHANGE_UNHEARD])
        return Reason.CHANGE_ANNOUNCED in reasons

    def _triage(self, finding: Finding, now: float) -> bool:
        decision = triage(self._ledger, finding, self._owners, now)
        news = self._take_over(decision)
        holder = next(iter(decision.changed or self._ledger.holding(finding.id)), None)
        self._watch.triaged(finding, holder, decision.reasons)
        self._archive.shrink(self._resolved_budget)
        return news

    def _take_over(self, decision: Decision) -> bool:
        """Put what changed; return whether somebody is to be told."""
        news = False
        for incident in decision.changed:
            before = self._ledger.get(incident.id)
            known = {one.id for one in before.notifications} if before else set()
            news |= any(one.id not in known for one in incident.notifications)
            self._put(incident)
        return news

    def _pass(self, now: float) -> bool:
        """Do what is due by ``now``, in the order of its instants; return whether there was anything."""
        passed = False
        for name in self._timers.take(now):
            incident = self._ledger.get(name)
            if incident is None or ripe_at(incident, self._owners) is None:
                continue
            decision, passed = ripen(incident, self._owners, now), True
            self._take_over(decision)
            self._watch.ripened(decision.changed[0], decision.reasons)
        for name in self._archive.silences.over(now):  # not before: they held at instants done now
            self._archive.drop_silence(name)
            self._heed_silences()
        return passed

    def _put(self, incident: Incident) -> None:
        self._archive.put(incident)
        self._timers.set(incident.id, ripe_at(incident, self._owners))

    def _end(self, due: Due | DueChange, end: Ending) -> None:
        if self.closed:
            return
        if isinstance(due, DueChange):
            self._archive.drop(due.change)
        else:
            self._change(due, end)
            self._archive.shrink(self._resolved_budget)
        self._urge()

    def _change(self, due: Due, end: Ending) -> None:
        incident = self._ledger.get(due.incident.id)
        if not self.closed and incident is not None:
            self._put(end(incident, incident.notification(due.notification.id)))

    def _try_change_again(self, due: DueChange, reason: str) -> None:
        tried = replace(due.notification, attempts=due.notification.attempts + 1, last_error=reason)
        if not self.closed:
            self._archive.put(replace(due.change, notification=tried))
