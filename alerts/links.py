"""Core. Where a notification leads: the incident's page and the runbook of its kind of finding."""

from __future__ import annotations

from urllib.parse import quote

from msgspec import Struct

from alerts.badge import VIEW_S, Badges
from alerts.incident import Incident


class Links(Struct, frozen=True, kw_only=True):
    """Base URLs without a trailing slash; empty: there is no such page, and nothing links to it."""

    incidents: str = ""
    runbooks: str = ""
    badges: Badges | None = None

    def incident(self, incident: Incident) -> str:
        """Return the URL of the incident's page with a pass that opens it for a week, empty without one.

        The pass runs out a week after what is told of: the trouble, that somebody has it, or its end. So a
        repeated message says the same.
        """
        if not self.incidents:
            return ""
        is_over = incident.state == "resolved"
        since = incident.changed_at if is_over else incident.acknowledged_at or incident.told_at
        ends_at = (since or incident.opened_at) + VIEW_S
        ticket = self.badges.sign("view", incident.id, ends_at) if self.badges else ""
        return f"{self.incidents}/{quote(incident.id)}" + (f"?pass={quote(ticket)}" if ticket else "")

    def runbook(self, incident: Incident) -> str:
        """Return the URL of the runbook for the leading finding's metric, empty without one."""
        return f"{self.runbooks}/{quote(incident.lead.metric)}.md" if self.runbooks else ""

    def of(self, incident: Incident) -> tuple[tuple[str, str], ...]:
        """Return (text, URL) of every page there is, the incident's first."""
        found = (("Open the incident", self.incident(incident)), ("Runbook", self.runbook(incident)))
        return tuple((text, url) for text, url in found if url)


NOWHERE = Links()
