"""Core. All incidents that are remembered, found by id, by finding, or by owner and model."""

from __future__ import annotations

from collections.abc import Iterator

from alerts.incident import Incident


class Ledger:
    """Incidents with their indexes; owned and changed by exactly one book."""

    def __init__(self) -> None:
        self._incidents: dict[str, Incident] = {}
        self._holders: dict[str, str] = {}
        self._open: dict[tuple[str, str], str] = {}
        self._resolved: set[str] = set()

    def __iter__(self) -> Iterator[Incident]:
        return iter(self._incidents.values())

    def __len__(self) -> int:
        return len(self._incidents)

    def get(self, incident_id: str) -> Incident | None:
        """Return the incident, or ``None``."""
        return self._incidents.get(incident_id)

    def holding(self, finding_id: str) -> Incident | None:
        """Return the incident that this finding belongs to, resolved ones included, or ``None``."""
        return self._incidents.get(self._holders.get(finding_id, ""))

    def open_of(self, owner: str, model: str) -> Incident | None:
        """Return the unresolved incident of this owner and model, or ``None``; there is at most one."""
        return self._incidents.get(self._open.get((owner, model), ""))

    def put(self, incident: Incident) -> None:
        """Add the incident, or replace the one with its id."""
        before = self._incidents.get(incident.id)
        for gone in before.findings.keys() - incident.findings.keys() if before else ():
            self._holders.pop(gone, None)
        self._incidents[incident.id] = incident
        for finding_id in incident.findings:
            self._holders[finding_id] = incident.id
        pair = (incident.owner, incident.model)
        if incident.state == "resolved":
            self._resolved.add(incident.id)
            if self._open.get(pair) == incident.id:
                del self._open[pair]
        else:
            self._open[pair] = incident.id

    def surplus(self, budget: int) -> list[str]:
        """Return the oldest resolved incidents past ``budget`` that have nothing left to send."""
        over = len(self._resolved) - budget
        if over <= 0:
            return []
        settled = [held for name in self._resolved if (held := self._incidents[name]).settled]
        return [held.id for held in sorted(settled, key=lambda held: (held.changed_at, held.id))[:over]]

    def forget(self, incident_id: str) -> None:
        """Remove a resolved incident with its indexes."""
        incident = self._incidents.pop(incident_id)
        self._resolved.discard(incident_id)
        for finding_id in incident.findings:
            self._holders.pop(finding_id, None)
