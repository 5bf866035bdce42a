"""Core. Who may do what: bearer tokens of owners and administrators, and links that open one page for a while."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Sequence
from typing import Literal, NamedTuple

Purpose = Literal["view", "acknowledge", "rollback"]
VIEW_S = 7 * 86_400.0
FORM_S = 3_600.0
WINDOW_S = 60.0


class Token(NamedTuple):
    """A bearer token: its holder's name, and the owner whose incidents it opens, empty for all."""

    name: str
    owner: str
    secret: str

    def __repr__(self) -> str:
        return f"Token({self.name})"

    def opens(self, owner: str) -> bool:
        """Whether it opens this owner's incidents."""
        return self.owner in ("", owner)


class Badges:
    """Checks tokens and signs links; all comparisons take constant time."""

    def __init__(self, tokens: Sequence[Token], link_key: str) -> None:
        self._tokens = tuple(tokens)
        self._key = hashlib.sha256(f"tidewatch links\0{link_key}".encode()).digest() if link_key else b""

    @property
    def signs(self) -> bool:
        """Whether links and forms have passes: there is a key."""
        return bool(self._key)

    def holder(self, authorization: str) -> Token | None:
        """Return whose token the ``Authorization`` header holds, or ``None``."""
        scheme, _, given = authorization.partition(" ")
        offered = _bytes(given.strip())
        found = [one for one in self._tokens if hmac.compare_digest(one.secret.encode(), offered)]
        return found[0] if scheme.lower() == "bearer" and found else None

    def sign(self, purpose: Purpose, incident: str, expires_at: float) -> str:
        """Return the pass that opens one incident for one purpose until then, empty without a key."""
        if not self._key:
            return ""
        until = str(int(expires_at))
        return f"{until}.{self._signature(purpose, incident, until)}"

    def admits(self, ticket: str, purpose: Purpose, incident: str, now: float) -> bool:
        """Whether the pass opens this incident for this purpose now."""
        until, _, signature = ticket.partition(".")
        if not self._key or not (until.isascii() and until.isdigit()) or len(until) > 12:
            return False
        genuine = self._signature(purpose, incident, until).encode()
        return hmac.compare_digest(genuine, _bytes(signature)) and now < int(until)

    def _signature(self, purpose: str, incident: str, until: str) -> str:
        signed = hmac.new(self._key, "\0".join((purpose, incident, until)).encode(), hashlib.sha256).digest()
        return base64.urlsafe_b64encode(signed).decode().rstrip("=")


def _bytes(text: str) -> bytes:
    """Return what somebody sent as bytes; what was no UTF-8 equals nothing of ours."""
    return text.encode(errors="backslashreplace")


class Failures:
    """Counts failed attempts to get in by peer: past ``most`` within ``WINDOW_S`` the peer is shut.

    A shut peer's right tokens and passes still count: people behind one proxy share an address with whoever fails.
    """

    def __init__(self, most: int = 10, peers: int = 10_000) -> None:
        self._most = most
        self._peers = peers
        self._since: dict[str, tuple[float, int]] = {}

    def note(self, peer: str, now: float) -> None:
        """Count one failure; the peers that failed longest ago are forgotten beyond a budget."""
        began, count = self._since.pop(peer, (now, 0))
        self._since[peer] = (now, 1) if now - began > WINDOW_S else (began, count + 1)
        while len(self._since) > self._peers:
            del self._since[next(iter(self._since))]

    def is_shut(self, peer: str, now: float) -> bool:
        """Whether this peer has failed too often of late."""
        began, count = self._since.get(peer, (now, 0))
        return count >= self._most and now - began <= WINDOW_S
