"""Core. Prometheus Alertmanager's API v2: an incident is one alert that fires until its ``endsAt``.

Alertmanager keeps alerts in memory only and expects its clients to say again what still fires: see
``refresh_s``.
"""

from __future__ import annotations

import msgspec

from alerts.incident import Incident, Notification
from alerts.links import NOWHERE, Links
from alerts.outbox import Digest
from alerts.receivers.request import Request
from alerts.wording import CAUSES, cut, facts, few, rfc3339, said_at, summary

REFRESH_S = 60.0
FIRES_S = 6 * REFRESH_S
"""An alert fires this long after it was last said: as long as Tidewatch may be away."""


class AlertmanagerReceiver:
    """Posts to ``url``, the address of one Alertmanager; ``token`` empty: without authorization."""

    refresh_s = REFRESH_S

    def __init__(self, url: str, token: str = "", links: Links = NOWHERE) -> None:
        self._url = f"{url.rstrip('/')}/api/v2/alerts"
        self._token = token
        self._links = links

    def message(self, incident: Incident, notification: Notification, at: float) -> Request:
        """Return the alert, made ``at``; its labels, which are its identity, are the same in all messages."""
        return self._posted([self._alert(incident, notification, at)])

    def digest(self, digest: Digest, at: float) -> Request:
        """Return the alerts of a digest in one request; of an incident's notifications the last one counts."""
        last = {due.incident.id: due for due in digest.dues}
        return self._posted([self._alert(*due, at) for due in last.values()])

    def _alert(self, incident: Incident, notification: Notification, at: float) -> dict[str, object]:
        starts_at = said_at(incident, "trigger")
        ends_at = incident.changed_at if notification.action == "resolve" else at + FIRES_S
        return {
            "labels": _labels(incident),
            "annotations": self._annotations(incident, notification),
            "startsAt": rfc3339(starts_at),
            "endsAt": rfc3339(max(ends_at, starts_at)),
            "generatorURL": self._links.incident(incident),
        }

    def _posted(self, alerts: list[dict[str, object]]) -> Request:
        headers = {"content-type": "application/json"}
        if self._token:
            headers["authorization"] = f"Bearer {self._token}"
        return Request(self._url, headers, msgspec.json.encode(alerts))

    def _annotations(self, incident: Incident, notification: Notification) -> dict[str, str]:
        said = {name.lower().replace(" ", "_"): value for name, value in facts(incident, notification.action)}
        causes = {"causes": "; ".join(few(incident.lead.causes, CAUSES))} if incident.lead.causes else {}
        runbook = self._links.runbook(incident)
        return said | causes | {"summary": summary(incident)} | ({"runbook_url": runbook} if runbook else {})


def _labels(incident: Incident) -> dict[str, str]:
    """Return what never changes over an incident's life; slice and version do, so they are annotations."""
    return {
        "alertname": "ModelGotWorse",
        "incident": incident.id,
        "owner": cut(incident.owner),
        "model": cut(incident.model),
        "severity": incident.severity,
    }
