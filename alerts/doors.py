"""Edge. The tables of the owners file about the outside: the API, links, the network, the heartbeat."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, NamedTuple

from pydantic import (
    Field,
    HttpUrl,
    IPvAnyNetwork,
    SecretStr,
    ValidationInfo,
    field_validator,
    model_validator,
)

from alerts.audit import Heartbeat
from alerts.badge import Badges, Token
from alerts.guard import Guard
from alerts.links import Links
from alerts.secret import reveal, reveal_if_given
from alerts.tables import Name, SecretUrl, Table
from alerts.tls import trusting


class Desk(NamedTuple):
    """Where the API listens, and who may come in."""

    host: str
    port: int
    badges: Badges


class TokenTable(Table):
    """``[[api.token]]``: who may call the API; with ``owner`` only about that owner's incidents."""

    name: Name
    owner: str = ""
    token: SecretStr | None = None
    token_file: Path | None = None
    token_env: str | None = None

    @model_validator(mode="after")
    def _is_long(self, info: ValidationInfo) -> TokenTable:
        if len(reveal(self, "token", info.context or {})) < 24:
            raise ValueError("token: want at least 24 characters")
        return self

    def build(self, environ: Mapping[str, str]) -> Token:
        """Return the token."""
        return Token(self.name, self.owner, reveal(self, "token", environ))


class ApiTable(Table):
    """``[api]``: where the pager answers people and programs."""

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65_535)] = 6068
    link_key: SecretStr | None = None
    link_key_file: Path | None = None
    link_key_env: str | None = None
    token: tuple[TokenTable, ...] = ()

    @model_validator(mode="after")
    def _key_is_long(self, info: ValidationInfo) -> ApiTable:
        key = reveal_if_given(self, "link_key", info.context or {})
        if key and len(key) < 32:
            raise ValueError("link_key: want at least 32 characters")
        return self

    def build(self, environ: Mapping[str, str]) -> Desk:
        """Return where to listen, and who may come in."""
        tokens = [token.build(environ) for token in self.token]
        return Desk(self.host, self.port, Badges(tokens, reveal_if_given(self, "link_key", environ)))


class HeartbeatTable(SecretUrl):
    """``[heartbeat]``: the dead man's switch."""

    every_s: Annotated[float, Field(ge=1, le=3_600)] = 60.0

    @model_validator(mode="after")
    def _url_is_good(self, info: ValidationInfo) -> HeartbeatTable:
        self.reveal_url(info.context or {})
        return self

    def build(self, environ: Mapping[str, str]) -> Heartbeat:
        """Return the heartbeat."""
        return Heartbeat(self.reveal_url(environ), self.every_s)


class NetworkTable(Table):
    """``[network]``: which addresses requests may go to, and whose certificates count, besides the public ones."""

    allow: tuple[IPvAnyNetwork, ...] = ()
    ca_file: Path | None = None

    @field_validator("ca_file")
    @classmethod
    def _holds_certificates(cls, ca_file: Path | None) -> Path | None:
        trusting(ssl.create_default_context(), ca_file)
        return ca_file

    def build(self) -> Guard:
        """Return the guard."""
        return Guard(str(network) for network in self.allow)


class LinksTable(Table):
    """``[links]``: where notifications lead."""

    incidents: HttpUrl | None = None
    runbooks: HttpUrl | None = None

    def build(self, badges: Badges | None) -> Links:
        """Return the links."""
        return Links(
            badges=badges,
            incidents=str(self.incidents or "").rstrip("/"),
            runbooks=str(self.runbooks or "").rstrip("/"),
        )
