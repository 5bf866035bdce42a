"""Core. The outbox: which notifications may leave now, as the last durable checkpoint has them.

Nothing leaves before the checkpoint that holds it is durable: nobody may see an intent to notify that a crash
could take back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import takewhile
from typing import NamedTuple

from msgspec.structs import replace

from alerts.change import DueChange
from alerts.incident import Incident, Notification, sendable
from alerts.ledger import Ledger


class Due(NamedTuple):
    """A notification that may leave now, with its incident as it is now."""

    incident: Incident
    notification: Notification

    @property
    def subject(self) -> Incident:
        """What it is about."""
        return self.incident

    @property
    def facts(self) -> dict[str, object]:
        """What a log line says of it."""
        return {"owner": self.incident.owner, "model": self.incident.model, "incident": self.incident.id}

    @property
    def proven_at(self) -> float | None:
        """When the harm's proof reached Kafka, epoch seconds, or ``None``."""
        return self.incident.lead.proven_at


class Digest(NamedTuple):
    """Notifications that leave in one message, with their incidents as they are now."""

    dues: tuple[Due, ...]

    @property
    def notification(self) -> Notification:
        """The digest as one notification."""
        first = self.dues[0].notification
        attempts = max(due.notification.attempts for due in self.dues)
        return replace(first, id=first.digest, action="digest", attempts=attempts)

    @property
    def facts(self) -> dict[str, object]:
        """What a log line says of it."""
        return {"incidents": [*dict.fromkeys(due.incident.id for due in self.dues)]}


Leaving = Due | Digest | DueChange


def parts(leaving: Leaving) -> tuple[Due | DueChange, ...]:
    """Return the single notifications that leave with it."""
    return leaving.dues if isinstance(leaving, Digest) else (leaving,)


def last_told(incidents: Ledger, receiver: str, resolved_since: float) -> Iterator[Due]:
    """Yield what this receiver was told last of every incident, each as it is when it is asked for."""
    for name in [incident.id for incident in incidents]:
        incident = incidents.get(name)
        if incident is None or (incident.state == "resolved" and incident.changed_at < resolved_since):
            continue
        if (last := incident.heard_last(receiver)) is not None:
            yield Due(incident, last)


class Outbox:
    """Durable copies of the incidents, and by receiver the notifications that wait.

    ``live`` finds an incident as it is now. Derived from the checkpoint, so never saved itself.
    """

    def __init__(self, live: Callable[[str], Incident | None]) -> None:
        self._live = live
        self._durable: dict[str, Incident] = {}
        self._flushed: dict[str, Incident | None] = {}
        self._due: dict[str, dict[str, str]] = {}

    def flush(self, name: str, incident: Incident | None) -> None:
        """Learn what the checkpoint under way holds of an incident, ``None``: it is forgotten."""
        self._flushed[name] = incident

    def commit(self) -> None:
        """Learn that all that was flushed is durable."""
        flushed, self._flushed = self._flushed, {}
        for name, incident in flushed.items():
            if incident is None:
                self._forget(name)
            else:
                self._post(incident)

    def due(self, receiver: str) -> Iterator[Due]:
        """Yield what may leave for this receiver: what goes on before what is over, each oldest first.

        Of what is over the ends come first: else many would ring before the first is said to be over.
        """
        found: list[Due] = []
        for notification_id, name in self._due.get(receiver, {}).items():
            due, kept = self._waiting(name, notification_id), self._durable[name]
            if due is None or due.notification.digest:
                continue
            if sendable(kept, kept.notification(notification_id)):
                found.append(due)
        yield from sorted(found, key=_by_need)

    def lanes(self) -> list[str]:
        """Return the receivers for whom something waits."""
        return [receiver for receiver, due in self._due.items() if due]

    def waits(self, due: Due) -> bool:
        """Whether it is still to leave: it may have been withdrawn since it was handed out."""
        return self._waiting(due.incident.id, due.notification.id) is not None

    def digests(self, receiver: str) -> Iterator[Digest]:
        """Yield the digests that may leave for this receiver: those whose members are all durable as such."""
        members: dict[str, list[Due]] = {}
        pending: set[str] = set()
        for notification_id, name in self._due.get(receiver, {}).items():
            due = self._waiting(name, notification_id)
            if due is None or not (digest := due.notification.digest):
                continue
            members.setdefault(digest, []).append(due)
            if self._durable[name].notification(notification_id).digest != digest:
                pending.add(digest)
        for digest, dues in members.items():
            if digest not in pending:
                yield Digest(tuple(sorted(dues, key=_by_age)))  # whatever order a restart left them in

    def runs(self, receiver: str) -> Iterator[list[Due]]:
        """Yield what waits for this receiver and was neither tried nor put into a digest, by incident, in order.

        What was tried may have arrived: it keeps its own id.
        """
        for name in dict.fromkeys(self._due.get(receiver, {}).values()):
            kept = self._durable[name]
            chain = [one for one in kept.notifications if (one.receiver, one.state) == (receiver, "due")]
            if not chain or not sendable(kept, chain[0]):
                continue
            live = (self._waiting(name, one.id) for one in chain)
            run = [due for due in takewhile(_is_untouched, live) if due is not None]
            if run:
                yield run

    def clear(self) -> None:
        """Hand out nothing from here on."""
        self._due.clear()

    def _forget(self, name: str) -> None:
        gone = self._durable.pop(name, None)
        for notification in gone.notifications if gone else ():
            self._due.get(notification.receiver, {}).pop(notification.id, None)

    def _waiting(self, name: str, notification_id: str) -> Due | None:
        """Return a notification as it is now, ``None`` when it has come to its end, or is forgotten."""
        incident = self._live(name)
        for one in incident.notifications if incident else ():
            if incident is not None and one.id == notification_id and one.state == "due":
                return Due(incident, one)
        return None

    def _post(self, incident: Incident) -> None:
        """Take the durable copy of an incident in the place of the one before."""
        known = {one.id for one in incident.notifications}
        before = self._durable.get(incident.id)
        for one in before.notifications if before else ():
            if one.id not in known:
                self._due.get(one.receiver, {}).pop(one.id, None)
        self._durable[incident.id] = incident
        live = self._live(incident.id)
        waiting = {one.id for one in live.notifications if one.state == "due"} if live else set()
        for notification in incident.notifications:
            lane = self._due.setdefault(notification.receiver, {})
            if notification.id in waiting:
                lane[notification.id] = incident.id
            else:
                lane.pop(notification.id, None)


def _by_need(due: Due) -> tuple[bool, bool, float]:
    is_over = due.incident.state == "resolved"
    return is_over, is_over and due.notification.action == "trigger", due.notification.due_at


def _by_age(due: Due) -> tuple[float, str]:
    return due.notification.due_at, due.incident.id


def _is_untouched(due: Due | None) -> bool:
    return due is not None and not due.notification.attempts and not due.notification.digest
