"""Core. The rollback hook: asks the owner's deploy pipeline to take one version of a model back."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from alerts.incident import Incident, Notification
from alerts.links import NOWHERE, Links
from alerts.receivers.request import Request
from alerts.receivers.webhook import signed
from alerts.wording import cut, fitting, rfc3339

EVENT_TYPE = "version.rollback_requested"
INCIDENT_BYTES = 16_000


class RollbackReceiver:
    """A webhook signed as Standard Webhooks says; it is sent nothing but rollbacks."""

    def __init__(self, url: str, secrets: Sequence[str], links: Links = NOWHERE) -> None:
        self._url = url
        self._secrets = tuple(secrets)
        self._links = links

    def message(self, incident: Incident, notification: Notification, at: float) -> Request:
        """Return the signed request for the rollback that the notification belongs to.

        Raises:
            KeyError: the incident has no such rollback.
        """
        for one in incident.rollbacks:
            if one.notification == notification.id:
                break
        else:
            raise KeyError(notification.id)
        asked_at = notification.due_at
        fields = {
            "model": cut(one.model),
            "version": cut(one.version),
            "rolled_out_at": one.rolled_out_at,
            "asked_by": cut(one.asked_by),
            "asked_at": asked_at,
            "expires_at": notification.expires_at,
            "incident": fitting(incident, "trigger", self._links, INCIDENT_BYTES),
        }
        body = msgspec.json.encode({"type": EVENT_TYPE, "timestamp": rfc3339(asked_at), "data": fields})
        return signed(self._url, self._secrets, notification.id, body, at)
