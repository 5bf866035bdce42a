"""Core. A way to reach an owner: says what to send, and sends nothing itself."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from alerts.incident import Incident, Notification
from alerts.outbox import Digest
from alerts.receivers.mail import Mail
from alerts.receivers.request import Request

Message = Request | Mail


class Receiver(Protocol):
    """One file of this package each; ``tests/contract/test_receivers.py`` runs all of them."""

    def message(self, incident: Incident, notification: Notification, at: float) -> Message:
        """Return the message of one attempt, made ``at`` epoch seconds; repeats say the same under one id."""
        ...


@runtime_checkable
class Digester(Protocol):
    """A receiver that takes several notifications in one message."""

    def digest(self, digest: Digest, at: float) -> Message:
        """Return the message of one attempt, made ``at`` epoch seconds, that lists every notification."""
        ...
