"""Core. Everything that is remembered, what of it has changed since the last checkpoint, and what is durable."""

from __future__ import annotations

import msgspec

from alerts.change import PREFIX as CHANGE
from alerts.change import Change, Changes
from alerts.incident import Incident
from alerts.ledger import Ledger
from alerts.outbox import Outbox
from alerts.reason import Decision, Reason
from alerts.silences import PREFIX as SILENCE
from alerts.silences import SetSilence, Silences, Wish, free, hush

_incident = msgspec.json.Decoder(Incident).decode
_silence = msgspec.json.Decoder(SetSilence).decode
_change = msgspec.json.Decoder(Change).decode


class StateError(Exception):
    """The stored state is not readable by this version; start the version that wrote it, or a newer one."""


class Archive:
    """Incidents, changes and silences by their keys in the incidents topic; owned by exactly one book."""

    def __init__(self) -> None:
        self.ledger = Ledger()
        self.changes = Changes()
        self.silences = Silences()
        self.outbox = Outbox(self.ledger.get)
        self._dirty: dict[str, None] = {}

    def restore(self, key: bytes, value: bytes) -> Incident | None:
        """Take back one record; what is due leaves after the first ``commit``. Return it if it is an incident.

        Raises:
            StateError: it was written by a version with another schema, or is damaged.
        """
        try:
            if key.startswith(CHANGE.encode()):
                change = _change(value)
                self.changes.put(change)
                self.changes.flush(change.id)
                return None
            if key.startswith(SILENCE.encode()):
                self.silences.put(_silence(value))
                return None
            incident = _incident(value)
        except msgspec.DecodeError as fault:
            raise StateError(f"incidents key {key!r}: {fault}; want schema 1") from fault
        self.ledger.put(incident)
        self.outbox.flush(incident.id, incident)
        return incident

    def put(self, held: Incident | Change | SetSilence) -> None:
        """Remember it, in the place of the one with its id."""
        if isinstance(held, Change):
            self.changes.put(held)
        elif isinstance(held, SetSilence):
            self.silences.put(held)
        else:
            self.ledger.put(held)
        self.touch(held.id)

    def take(self, change: Change) -> Reason:
        """Remember a new change; say what became of it."""
        reason = self.changes.take(change)
        if reason is Reason.CHANGE_ANNOUNCED:
            self.touch(change.id)
        return reason

    def drop(self, change: Change) -> None:
        """Forget a change that came to its end."""
        self.changes.settle(change.id)
        self.touch(change.id)

    def silence(self, wish: Wish, now: float) -> Decision:
        """Obey a wish for a silence or for its end, ``now`` its Kafka timestamp; a repeat changes nothing."""
        refusal = self.silences.refusal(wish, now)
        if refusal is not None:
            return Decision((), (refusal,))
        if isinstance(wish, SetSilence):
            self.put(wish)
            return hush(self.ledger, wish.silence, now)
        ended = next(one for one in self.silences if one.name == wish.id)
        self.drop_silence(wish.id)
        return free(self.ledger, ended, now)

    def drop_silence(self, name: str) -> None:
        """Forget a silence that is over."""
        self.silences.drop(name)
        self.touch(name)

    def touch(self, name: str) -> None:
        """Note that the next checkpoint must write this one, or that it is gone."""
        self._dirty[name] = None

    def shrink(self, resolved_budget: int) -> None:
        """Forget the oldest resolved incidents past the budget."""
        for name in self.ledger.surplus(resolved_budget):
            self.ledger.forget(name)
            self.touch(name)

    def rewrite(self) -> None:
        """Note that the next checkpoint must write all of it."""
        held = (*self.ledger, *self.changes)
        self._dirty |= dict.fromkeys([*(one.id for one in held), *(one.name for one in self.silences)])

    def flush(self) -> dict[bytes, bytes | None]:
        """Return what has changed since the last call by key, ``None``: gone."""
        names, self._dirty = self._dirty, {}
        return {name.encode(): self._flush(name) for name in names}

    def _flush(self, name: str) -> bytes | None:
        held: Incident | Change | SetSilence | None
        if name.startswith(CHANGE):
            held = self.changes.get(name)
            self.changes.flush(name)
        elif name.startswith(SILENCE):
            held = self.silences.get(name)
        else:
            held = self.ledger.get(name)
            self.outbox.flush(name, held)
        return None if held is None else msgspec.json.encode(held)

    def commit(self) -> None:
        """Learn that all that was flushed is durable: what is due may leave."""
        self.outbox.commit()
        self.changes.commit()
