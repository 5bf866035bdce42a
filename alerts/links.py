"""Core. Where a notification leads: the incident's page and the runbook of its kind of finding."""

from __future__ import annotations

from urllib.parse import quote

from msgspec import Struct

from alerts.incident import Incident


class Links(Struct, frozen=True, kw_only=True):
    """Base URLs without a trailing slash; empty: there is no such page, and nothing links to it."""

    incidents: str = ""
    runbooks: str = ""

    def incident(self, incident: Incident) -> str:
        """Return the URL of the incident's page, empty without one."""
        return f"{self.incidents}/{quote(incident.id)}" if self.incidents else ""

    def runbook(self, incident: Incident) -> str:
        """Return the URL of the runbook for the leading finding's metric, empty without one."""
        return f"{self.runbooks}/{quote(incident.lead.metric)}.md" if self.runbooks else ""

    def of(self, incident: Incident) -> tuple[tuple[str, str], ...]:
        """Return (text, URL) of every page there is, the incident's first."""
        found = (("Open the incident", self.incident(incident)), ("Runbook", self.runbook(incident)))
        return tuple((text, url) for text, url in found if url)


NOWHERE = Links()
