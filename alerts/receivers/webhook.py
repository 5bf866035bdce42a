"""Core. The generic webhook: JSON, signed as Standard Webhooks 1.0.0 says."""

from __future__ import annotations

from datetime import UTC, datetime

from standardwebhooks import Webhook as Signer

from alerts.incident import Incident, Notification
from alerts.payload import webhook_body
from alerts.receivers.request import Request


class WebhookReceiver:
    """Signs with ``secret`` (``whsec_`` + base64); one secret per URL."""

    def __init__(self, url: str, secret: str) -> None:
        self._url = url
        self._signer = Signer(secret)

    def request(self, incident: Incident, notification: Notification, at: float) -> Request:
        """Return the signed request; the id stays the same over repeats, the timestamp is the attempt's."""
        body = webhook_body(incident, notification.action)
        # The library takes a datetime's digits for UTC whatever its zone says: give it nothing but UTC.
        attempt_at = datetime.fromtimestamp(int(at), UTC)
        headers = {
            "content-type": "application/json",
            "webhook-id": notification.id,
            "webhook-timestamp": str(int(at)),
            "webhook-signature": self._signer.sign(notification.id, attempt_at, body.decode()),
        }
        return Request(self._url, headers, body)
