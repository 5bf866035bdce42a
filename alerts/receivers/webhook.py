"""Core. The generic webhook: JSON, signed as Standard Webhooks 1.0.0 says, bare or in a CloudEvents envelope."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Literal, NamedTuple

import msgspec
from standardwebhooks import Webhook as Signer

from alerts.incident import Action, Incident, Notification
from alerts.links import NOWHERE, Links
from alerts.listing import entries
from alerts.outbox import Digest
from alerts.receivers.request import Request
from alerts.wording import fitting, rfc3339, said_at

Envelope = Literal["standard", "cloudevents"]
DATA_BYTES = 19_000
"""Standard Webhooks recommends bodies under 20 kB; the envelope takes less than the rest."""
EVENT_TYPES: dict[Action, str] = {
    "trigger": "incident.opened",
    "acknowledge": "incident.acknowledged",
    "resolve": "incident.resolved",
}
DIGEST_TYPE = "incidents.digest"
SOURCE = "/tidewatch/pager"
CLOUD_EVENT = "application/cloudevents+json"


class _Event(NamedTuple):
    """What is sent, in whichever envelope."""

    kind: str
    at: str
    data: dict[str, Any]
    subject: str = ""


class WebhookReceiver:
    """Signs with every secret (``whsec_`` + base64), so that a receiver may change to the next one in peace."""

    def __init__(
        self, url: str, secrets: Sequence[str], links: Links = NOWHERE, envelope: Envelope = "standard"
    ) -> None:
        self._url = url
        self._secrets = tuple(secrets)
        self._links = links
        self._envelope = envelope

    def message(self, incident: Incident, notification: Notification, at: float) -> Request:
        """Return the signed request; the id stays the same over repeats, the timestamp is the attempt's."""
        action = notification.action
        data = fitting(incident, action, self._links, DATA_BYTES)
        event = _Event(EVENT_TYPES[action], rfc3339(said_at(incident, action)), data, incident.id)
        return self._posted(notification.id, event, at)

    def digest(self, digest: Digest, at: float) -> Request:
        """Return the signed request that lists the notifications, under the digest's id."""
        decided_at = max(due.notification.due_at for due in digest.dues)
        listed = entries(digest, self._links, DATA_BYTES)
        data = {"notification_count": len(listed), "notifications": listed}
        return self._posted(digest.notification.id, _Event(DIGEST_TYPE, rfc3339(decided_at), data), at)

    def _posted(self, name: str, event: _Event, at: float) -> Request:
        if self._envelope == "standard":
            body: dict[str, Any] = {"type": event.kind, "timestamp": event.at, "data": event.data}
            return signed(self._url, self._secrets, name, msgspec.json.encode(body), at)
        body = {
            "specversion": "1.0",
            "id": name,
            "source": SOURCE,
            "type": f"tidewatch.{event.kind}",
            "time": event.at,
            "datacontenttype": "application/json",
            "data": event.data,
        } | ({"subject": event.subject} if event.subject else {})
        return signed(self._url, self._secrets, name, msgspec.json.encode(body), at, CLOUD_EVENT)


def signed(
    url: str, secrets: Sequence[str], name: str, body: bytes, at: float, kind: str = "application/json"
) -> Request:
    """Return a request under the id ``name``, signed with every secret for an attempt ``at`` epoch seconds."""
    # The library takes a datetime's digits for UTC whatever its zone says: give it nothing but UTC.
    attempt_at = datetime.fromtimestamp(int(at), UTC)
    signatures = [Signer(secret).sign(name, attempt_at, body.decode()) for secret in secrets]
    headers = {
        "content-type": kind,
        "webhook-id": name,
        "webhook-timestamp": str(int(at)),
        "webhook-signature": " ".join(signatures),
    }
    return Request(url, headers, body)
