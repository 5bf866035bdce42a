"""Incidents for the tests of the API: in memory, with no Kafka behind them."""

from __future__ import annotations

import time
from collections.abc import Callable

from alerts.command import Command, obey
from alerts.incident import Incident
from alerts.ledger import Ledger
from tests.unit.alerts.samples import OWNERS


class Store:
    """Incidents in memory; commands are folded at once, as the active pager does."""

    def __init__(self, *incidents: Incident) -> None:
        self.ledger = Ledger()
        for incident in incidents:
            self.ledger.put(incident)
        self.owners = OWNERS
        self.is_whole = True
        self.is_folding = True
        self.commands: list[Command] = []

    def get(self, incident_id: str) -> Incident | None:
        return self.ledger.get(incident_id)

    def listed(self) -> list[Incident]:
        return [*self.ledger]

    async def order(self, command: Command, done: Callable[[Incident], bool]) -> Incident | None:
        self.commands.append(command)
        if not self.is_folding:
            return None
        for incident in obey(self.ledger, command, self.owners, time.time()).changed:
            self.ledger.put(incident)
        held = self.ledger.get(command.incident)
        return held if held is not None and done(held) else None
