"""Core. The outbox: which notifications may leave now, as the last durable checkpoint has them.

Nothing leaves before the checkpoint that holds it is durable: nobody may see an intent to notify that a crash
could take back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from alerts.change import DueChange
from alerts.incident import Incident, Notification, sendable


class Due(NamedTuple):
    """A notification that may leave now, with its incident as it is now."""

    incident: Incident
    notification: Notification

    @property
    def subject(self) -> Incident:
        """What it is about."""
        return self.incident

    @property
    def proven_at(self) -> float | None:
        """When the harm's proof reached Kafka, epoch seconds, or ``None``."""
        return self.incident.lead.proven_at


Leaving = Due | DueChange


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
                self._durable.pop(name, None)
            else:
                self._durable[name] = incident
                self._post(incident)

    def due(self, receiver: str) -> Iterator[Due]:
        """Yield what may leave for this receiver, oldest first."""
        for notification_id, name in list(self._due.get(receiver, {}).items()):
            incident, kept = self._live(name), self._durable[name]
            live = None if incident is None else incident.notification(notification_id)
            if incident is None or live is None or live.state != "due":
                continue
            if sendable(kept, kept.notification(notification_id)):
                yield Due(incident, live)

    def settle(self, notification: Notification) -> None:
        """Let go a notification that came to its end."""
        self._due.get(notification.receiver, {}).pop(notification.id, None)

    def clear(self) -> None:
        """Hand out nothing from here on."""
        self._due.clear()

    def _post(self, incident: Incident) -> None:
        live = self._live(incident.id)
        waiting = {one.id for one in live.notifications if one.state == "due"} if live else set()
        for notification in incident.notifications:
            lane = self._due.setdefault(notification.receiver, {})
            if notification.id in waiting:
                lane[notification.id] = incident.id
            else:
                lane.pop(notification.id, None)
