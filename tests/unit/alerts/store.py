"""Incidents for the tests of the API: in memory, with no Kafka behind them."""

from __future__ import annotations

import time
from collections.abc import Callable

from alerts.archive import Archive
from alerts.calendar import Silence
from alerts.command import Command, obey
from alerts.incident import Incident
from alerts.silences import Wish
from tests.unit.alerts.samples import OWNERS


class Store:
    """Incidents in memory; commands are folded at once, as the active pager does."""

    def __init__(self, *incidents: Incident) -> None:
        self.archive = Archive()
        self.ledger = self.archive.ledger
        for incident in incidents:
            self.ledger.put(incident)
        self.owners = OWNERS
        self.is_whole = True
        self.is_folding = True
        self.commands: list[Command] = []
        self.wishes: list[Wish] = []

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

    def silences(self) -> list[Silence]:
        return [*self.archive.silences]

    async def wish(self, wish: Wish, done: Callable[[], bool]) -> bool:
        self.wishes.append(wish)
        if self.is_folding:
            for incident in self.archive.silence(wish, time.time()).changed:
                self.ledger.put(incident)
        return done()
