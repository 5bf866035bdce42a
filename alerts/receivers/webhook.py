"""Core. The generic webhook: JSON, signed as Standard Webhooks 1.0.0 says, bare or in a CloudEvents envelope."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Literal

import msgspec
from standardwebhooks import Webhook as Signer

from alerts.incident import Action, Incident, Notification
from alerts.links import NOWHERE, Links
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
SOURCE = "/tidewatch/pager"


class WebhookReceiver:
    """Signs with every secret (``whsec_`` + base64), so that a receiver may change to the next one in peace."""

    def __init__(
        self, url: str, secrets: Sequence[str], links: Links = NOWHERE, envelope: Envelope = "standard"
    ) -> None:
        self._url = url
        self._signers = [Signer(secret) for secret in secrets]
        self._links = links
        self._envelope = envelope

    def message(self, incident: Incident, notification: Notification, at: float) -> Request:
        """Return the signed request; the id stays the same over repeats, the timestamp is the attempt's."""
        body = msgspec.json.encode(self._body(incident, notification))
        # The library takes a datetime's digits for UTC whatever its zone says: give it nothing but UTC.
        attempt_at = datetime.fromtimestamp(int(at), UTC)
        signed = [signer.sign(notification.id, attempt_at, body.decode()) for signer in self._signers]
        kind = "application/json" if self._envelope == "standard" else "application/cloudevents+json"
        headers = {
            "content-type": kind,
            "webhook-id": notification.id,
            "webhook-timestamp": str(int(at)),
            "webhook-signature": " ".join(signed),
        }
        return Request(self._url, headers, body)

    def _body(self, incident: Incident, notification: Notification) -> dict[str, Any]:
        action = notification.action
        kind, at = EVENT_TYPES[action], rfc3339(said_at(incident, action))
        data = fitting(incident, action, self._links, DATA_BYTES)
        if self._envelope == "standard":
            return {"type": kind, "timestamp": at, "data": data}
        return {
            "specversion": "1.0",
            "id": notification.id,
            "source": SOURCE,
            "type": f"tidewatch.{kind}",
            "subject": incident.id,
            "time": at,
            "datacontenttype": "application/json",
            "data": data,
        }
