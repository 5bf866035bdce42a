"""Core. PagerDuty's Events API v2: trigger, acknowledge and resolve with one dedup key; change events."""

from __future__ import annotations

from typing import Any

from alerts.change import Change
from alerts.incident import Incident, Notification
from alerts.links import NOWHERE, Links
from alerts.receivers.request import Request, json_request
from alerts.wording import SUMMARY, cut, fitting, rfc3339, said_at, summary

BASE_URL = "https://events.pagerduty.com"
DETAILS_BYTES = 400_000
"""An event may have 512 kB; the rest of it is far smaller than what this leaves."""
SEVERITIES = {"page": "critical", "ticket": "warning"}


class PagerDutyReceiver:
    """Sends to the service that ``routing_key`` belongs to."""

    def __init__(self, routing_key: str, base_url: str = BASE_URL, links: Links = NOWHERE) -> None:
        self._routing_key = routing_key
        self._url = f"{base_url.rstrip('/')}/v2/enqueue"
        self._links = links

    def message(self, incident: Incident, notification: Notification, at: float) -> Request:
        """Return the event; the attempt's time ``at`` is not part of it, so that repeats are equal."""
        event: dict[str, Any] = {
            "routing_key": self._routing_key,
            "event_action": notification.action,
            "dedup_key": incident.dedup_key,
        }
        if notification.action == "trigger":
            event |= self._trigger(incident)
        return json_request(self._url, event)

    def _trigger(self, incident: Incident) -> dict[str, Any]:
        lead = incident.lead
        payload = {
            "summary": summary(incident),
            "source": cut(lead.model),
            "severity": SEVERITIES[incident.severity],
            "timestamp": rfc3339(said_at(incident, "trigger")),
            "component": cut(lead.version),
            "group": cut(incident.owner),
            "class": lead.metric,
            "custom_details": fitting(incident, "trigger", self._links, DETAILS_BYTES),
        }
        links = [{"href": url, "text": text} for text, url in self._links.of(incident)]
        return {"client": "Tidewatch", "payload": payload} | ({"links": links} if links else {})


class PagerDutyHerald:
    """Tells the service of ``routing_key`` of rollouts. A repeat shows twice: change events have no dedup key."""

    def __init__(self, routing_key: str, base_url: str = BASE_URL) -> None:
        self._routing_key = routing_key
        self._url = f"{base_url.rstrip('/')}/v2/change/enqueue"

    def message(self, change: Change) -> Request:
        """Return the change event."""
        model, version = cut(change.model), cut(change.version)
        event = {
            "routing_key": self._routing_key,
            "payload": {
                "summary": cut(f"{model}: version {version} is {change.stage}", SUMMARY),
                "source": model,
                "timestamp": rfc3339(change.at),
                "custom_details": {
                    "model": model,
                    "version": version,
                    "stage": change.stage,
                    "traffic_share": change.traffic_share,
                    "owner": cut(change.owner),
                    "change_id": change.id,
                },
            },
        }
        return json_request(self._url, event)
