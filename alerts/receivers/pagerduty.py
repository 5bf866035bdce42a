"""Core. PagerDuty's Events API v2: trigger and resolve with one dedup key."""

from __future__ import annotations

from alerts.incident import Incident, Notification
from alerts.payload import pagerduty_body
from alerts.receivers.request import Request

BASE_URL = "https://events.pagerduty.com"


class PagerDutyReceiver:
    """Sends to the service that ``routing_key`` belongs to."""

    def __init__(self, routing_key: str, base_url: str = BASE_URL) -> None:
        self._routing_key = routing_key
        self._url = f"{base_url.rstrip('/')}/v2/enqueue"

    def request(self, incident: Incident, notification: Notification, at: float) -> Request:
        """Return the event; the attempt's time ``at`` is not part of it, so that repeats are equal."""
        body = pagerduty_body(incident, notification.action, self._routing_key)
        return Request(self._url, {"content-type": "application/json"}, body)
