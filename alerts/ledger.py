"""Core. All incidents that are remembered, found by id, by finding, or by owner and model or upstream."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterator

from alerts.incident import Incident

FINDINGS_MOST = 5_000
"""As many open findings, or models, one incident takes: its record stays well below what its topic takes."""


class Ledger:
    """Incidents with their indexes; owned and changed by exactly one book."""

    def __init__(self) -> None:
        self._incidents: dict[str, Incident] = {}
        self._holders: dict[str, dict[str, None]] = {}
        self._latest: dict[tuple[str, str], str] = {}
        self._onsets: dict[str, list[tuple[float, str]]] = {}
        self._onset_of: dict[str, float] = {}
        self._resolved: set[str] = set()
        self._asked: dict[tuple[str, str], str] = {}

    def __iter__(self) -> Iterator[Incident]:
        return iter(self._incidents.values())

    def __len__(self) -> int:
        return len(self._incidents)

    def get(self, incident_id: str) -> Incident | None:
        """Return the incident, or ``None``."""
        return self._incidents.get(incident_id)

    def holding(self, finding_id: str) -> list[Incident]:
        """Return the incidents that this finding belongs to, resolved ones included, by id."""
        return [self._incidents[name] for name in sorted(self._holders.get(finding_id, ()))]

    def latest_of(self, owner: str, key: str) -> Incident | None:
        """Return the owner's unresolved incident with this key, else its newest resolved one, or ``None``."""
        return self._incidents.get(self._latest.get((owner, key), ""))

    def open_of(self, owner: str, key: str) -> Incident | None:
        """Return the owner's unresolved incident with this key, or ``None``; any others are full."""
        latest = self.latest_of(owner, key)
        return None if latest is None or latest.state == "resolved" else latest

    def open_near(self, owner: str, onset_at: float, within_s: float) -> list[Incident]:
        """Return the owner's unresolved incidents whose leads began within ``within_s``, oldest first."""
        onsets = self._onsets.get(owner, [])
        first = bisect_left(onsets, (onset_at - within_s, ""))
        last = bisect_right(onsets, (onset_at + within_s, "\U0010ffff"))
        held = [self._incidents[name] for _, name in onsets[first:last]]
        return sorted(held, key=lambda one: (one.opened_at, one.id))

    def asked_of(self, model: str, version: str) -> str | None:
        """Return the incident that asked for this version's rollback, or ``None``; dry runs don't count."""
        return self._asked.get((model, version))

    def put(self, incident: Incident) -> None:
        """Add the incident, or replace the one with its id."""
        before = self._incidents.get(incident.id)
        for gone in before.findings.keys() - incident.findings.keys() if before else ():
            self._let_go(gone, incident.id)
        self._incidents[incident.id] = incident
        for finding_id in incident.findings.keys() - (before.findings.keys() if before else ()):
            self._holders.setdefault(finding_id, {})[incident.id] = None
        for key in incident.keys:
            self._point(incident, key)
        for one in incident.rollbacks:
            if one.notification:
                self._asked[one.model, one.version] = incident.id
        if incident.state == "resolved":
            self._resolved.add(incident.id)
            self._stand(incident, None)
        else:
            self._resolved.discard(incident.id)
            self._stand(incident, incident.lead.onset_at)

    def surplus(self, budget: int) -> list[str]:
        """Return the oldest resolved incidents past ``budget`` that have nothing left to send.

        Those that asked for a rollback come last: what they know keeps it from being asked for again.
        """
        over = len(self._resolved) - budget
        if over <= 0:
            return []
        settled = [held for name in self._resolved if (held := self._incidents[name]).settled]
        ranked = sorted(settled, key=lambda held: (bool(held.rollbacks), held.changed_at, held.id))
        return [held.id for held in ranked[:over]]

    def forget(self, incident_id: str) -> None:
        """Remove a resolved incident with its indexes."""
        incident = self._incidents.pop(incident_id)
        self._resolved.discard(incident_id)
        for finding_id in incident.findings:
            self._let_go(finding_id, incident_id)
        for one in incident.rollbacks:
            if self._asked.get((one.model, one.version)) == incident_id:
                del self._asked[one.model, one.version]
        for key in incident.keys:
            if self._latest.get((incident.owner, key)) == incident_id:
                del self._latest[incident.owner, key]

    def _let_go(self, finding_id: str, incident_id: str) -> None:
        holders = self._holders.get(finding_id, {})
        holders.pop(incident_id, None)
        if not holders:
            self._holders.pop(finding_id, None)

    def _stand(self, incident: Incident, onset_at: float | None) -> None:
        """Keep the open incidents of an owner in the order of their onsets."""
        before = self._onset_of.get(incident.id)
        if before == onset_at:
            return
        onsets = self._onsets.setdefault(incident.owner, [])
        if before is not None:
            del onsets[bisect_left(onsets, (before, incident.id))]
            del self._onset_of[incident.id]
        if onset_at is not None:
            insort(onsets, (onset_at, incident.id))
            self._onset_of[incident.id] = onset_at

    def _point(self, incident: Incident, key: str) -> None:
        place = incident.owner, key
        known = self._incidents.get(self._latest.get(place, ""))
        if known is None or known.id == incident.id or _rank(incident) > _rank(known):
            self._latest[place] = incident.id


def _rank(incident: Incident) -> tuple[bool, bool, float, str]:
    return incident.state != "resolved", not is_full(incident), incident.changed_at, incident.id


def is_full(incident: Incident) -> bool:
    """Whether further findings are to open another incident; none of these is forgotten for them."""
    return max(len(incident.findings), len(incident.children)) >= FINDINGS_MOST
