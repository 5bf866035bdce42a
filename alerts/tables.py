"""Edge. The ``[[receiver]]`` tables of the owners file, one class a kind; each builds its receiver."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    HttpUrl,
    SecretStr,
    TypeAdapter,
    ValidationError,
    ValidationInfo,
    model_validator,
)

from alerts.lane import FREE, Limit
from alerts.links import Links
from alerts.owners import RollbackHook
from alerts.receivers.alertmanager import AlertmanagerReceiver
from alerts.receivers.email import EmailReceiver
from alerts.receivers.herald import Herald
from alerts.receivers.mail import MailServer, Security, address
from alerts.receivers.pagerduty import BASE_URL, PagerDutyHerald, PagerDutyReceiver
from alerts.receivers.receiver import Receiver
from alerts.receivers.rollback import RollbackReceiver
from alerts.receivers.slack import SlackReceiver
from alerts.receivers.teams import TeamsReceiver
from alerts.receivers.webhook import Envelope, WebhookReceiver
from alerts.secret import reveal, reveal_if_given

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]
_ADDRESS = r"^[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9.-]{1,250}$"
MailAddress = Annotated[str, Field(pattern=_ADDRESS), AfterValidator(address)]
PORTS: dict[Security, int] = {"starttls": 587, "tls": 465, "none": 25}
_url = TypeAdapter(HttpUrl)


class Table(BaseModel):
    """Any table of the owners file."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class ReceiverTable(Table):
    """What every ``[[receiver]]`` has."""

    limit: ClassVar[Limit] = FREE
    digest_most: ClassVar[int | None] = None
    """What ``digest_over`` is when it is left out; ``None``: this kind takes no digests."""

    name: Name
    fallback: str | None = None
    per_minute: Annotated[float, Field(gt=0, le=6_000)] | None = None
    digest_over: Annotated[int, Field(ge=0, le=10_000)] | None = None

    def digests(self) -> int:
        """Return past how many waiting notifications it is sent digests, 0: never."""
        return (self.digest_most or 0) if self.digest_over is None else self.digest_over

    def limits(self) -> Limit:
        """Return how fast it may be sent to."""
        if self.per_minute is None:
            return self.limit
        return Limit(self.per_minute / 60.0, max(1.0, self.per_minute / 60.0))

    def build(self, environ: Mapping[str, str], links: Links) -> Receiver:
        """Return the receiver.

        Raises:
            ValueError: a secret is missing or not of the form that it must have; never says the secret.
        """
        raise NotImplementedError

    def herald(self, environ: Mapping[str, str]) -> Herald | None:
        """Return what tells it of rollouts, ``None`` when it doesn't ask or can't be told."""
        return None

    @model_validator(mode="after")
    def _can_be_built(self, info: ValidationInfo) -> ReceiverTable:
        self.build(info.context or {}, Links())
        if self.digest_over is not None and self.digest_most is None:
            raise ValueError("digest_over: this kind takes no digests; want it left out")
        return self


class SignedTable(ReceiverTable):
    """A signed webhook. ``previous_secret`` signs too, while its receiver changes to the new one."""

    url: HttpUrl
    secret: SecretStr | None = None
    secret_file: Path | None = None
    secret_env: str | None = None
    previous_secret: SecretStr | None = None
    previous_secret_file: Path | None = None
    previous_secret_env: str | None = None

    def secrets(self, environ: Mapping[str, str]) -> list[str]:
        """Return what to sign with.

        Raises:
            ValueError: a secret is missing or has another form; never says it.
        """
        given = {"secret": reveal(self, "secret", environ)}
        if previous := reveal_if_given(self, "previous_secret", environ):
            given["previous_secret"] = previous
        for name, secret in given.items():
            if not secret.startswith("whsec_") or not 24 <= _decoded_size(secret[6:]) <= 64:
                raise ValueError(f'{name}: want "whsec_" and then 24 to 64 random bytes in base64')
        return [*given.values()]


class WebhookTable(SignedTable):
    """``kind = "webhook"``."""

    digest_most = 0

    kind: Literal["webhook"]
    envelope: Envelope = "standard"

    def build(self, environ: Mapping[str, str], links: Links) -> Receiver:
        """Return the receiver; see ``ReceiverTable``."""
        return WebhookReceiver(str(self.url), self.secrets(environ), links, self.envelope)


class RollbackTable(SignedTable):
    """``[[rollback]]``: the deploy pipeline's hook; see ``RollbackHook``."""

    automatic: bool = False
    dry_run: bool = False
    fresh_s: Annotated[float, Field(gt=0, le=3_600)] = 3_600.0
    give_up_s: Annotated[float, Field(ge=1, le=86_400)] = 600.0

    @model_validator(mode="after")
    def _stands_alone(self) -> RollbackTable:
        if self.fallback is not None:
            raise ValueError("fallback: a rollback has none; want it left out")
        return self

    def build(self, environ: Mapping[str, str], links: Links) -> Receiver:
        """Return the hook's receiver; see ``ReceiverTable``."""
        return RollbackReceiver(str(self.url), self.secrets(environ), links)

    def hook(self) -> RollbackHook:
        """Return when it is asked."""
        return RollbackHook(
            name=self.name,
            automatic=self.automatic,
            dry_run=self.dry_run,
            fresh_s=self.fresh_s,
            give_up_s=self.give_up_s,
        )


class PagerDutyTable(ReceiverTable):
    """``kind = "pagerduty"``."""

    limit = Limit(per_s=2.0, burst=20.0)  # about 120 a minute are taken

    kind: Literal["pagerduty"]
    routing_key: SecretStr | None = None
    routing_key_file: Path | None = None
    routing_key_env: str | None = None
    base_url: HttpUrl = HttpUrl(BASE_URL)
    changes: bool = False

    def build(self, environ: Mapping[str, str], links: Links) -> Receiver:
        """Return the receiver; see ``ReceiverTable``."""
        return PagerDutyReceiver(self._key(environ), str(self.base_url), links)

    def herald(self, environ: Mapping[str, str]) -> Herald | None:
        """Return what tells it of rollouts; see ``ReceiverTable``."""
        return PagerDutyHerald(self._key(environ), str(self.base_url)) if self.changes else None

    def _key(self, environ: Mapping[str, str]) -> str:
        key = reveal(self, "routing_key", environ)
        if len(key) != 32:
            raise ValueError("routing_key: want the 32 characters of an Events API v2 integration key")
        return key


class AlertmanagerTable(ReceiverTable):
    """``kind = "alertmanager"``."""

    digest_most = 0

    kind: Literal["alertmanager"]
    url: HttpUrl
    token: SecretStr | None = None
    token_file: Path | None = None
    token_env: str | None = None

    def build(self, environ: Mapping[str, str], links: Links) -> Receiver:
        """Return the receiver; see ``ReceiverTable``."""
        token = reveal_if_given(self, "token", environ)
        if not (token.isascii() and token.isprintable()):
            raise ValueError("token: want printable ASCII")
        return AlertmanagerReceiver(str(self.url), token, links)


class SecretUrl(Table):
    """A URL that lets anyone who has it post: it is a secret."""

    url: SecretStr | None = None
    url_file: Path | None = None
    url_env: str | None = None

    def reveal_url(self, environ: Mapping[str, str]) -> str:
        """Return the URL.

        Raises:
            ValueError: it is missing, or no http or https URL; never says it.
        """
        try:
            return str(_url.validate_python(reveal(self, "url", environ)))
        except ValidationError:
            raise ValueError("url: want an http or https URL") from None


class SlackTable(ReceiverTable, SecretUrl):
    """``kind = "slack"``."""

    limit = Limit(per_s=1.0, burst=5.0)  # one a second, and short bursts
    digest_most = 20

    kind: Literal["slack"]

    def build(self, environ: Mapping[str, str], links: Links) -> Receiver:
        """Return the receiver; see ``ReceiverTable``."""
        return SlackReceiver(self.reveal_url(environ), links)


class TeamsTable(ReceiverTable, SecretUrl):
    """``kind = "teams"``."""

    limit = Limit(per_s=2.0, burst=4.0)  # four a second are throttled
    digest_most = 20

    kind: Literal["teams"]

    def build(self, environ: Mapping[str, str], links: Links) -> Receiver:
        """Return the receiver; see ``ReceiverTable``."""
        return TeamsReceiver(self.reveal_url(environ), links)


class EmailTable(ReceiverTable):
    """``kind = "email"``."""

    limit = Limit(per_s=1.0, burst=10.0)
    digest_most = 20

    kind: Literal["email"]
    to: MailAddress
    sender: MailAddress
    host: Annotated[str, Field(min_length=1, max_length=253)]
    port: Annotated[int, Field(ge=1, le=65_535)] | None = None
    security: Security = "starttls"
    username: str = ""
    password: SecretStr | None = None
    password_file: Path | None = None
    password_env: str | None = None

    def build(self, environ: Mapping[str, str], links: Links) -> Receiver:
        """Return the receiver; see ``ReceiverTable``."""
        password = reveal_if_given(self, "password", environ)
        if bool(self.username) != bool(password):
            raise ValueError("want both of username and password, or none")
        if password and self.security == "none":
            raise ValueError('security "none": want "starttls" or "tls" to send a password')
        port = self.port or PORTS[self.security]
        server = MailServer(self.host, port, self.security, self.username, password)
        return EmailReceiver(server, self.sender, self.to, links)


def _decoded_size(text: str) -> int:
    try:
        return len(base64.b64decode(text + "=" * (-len(text) % 4), validate=True))
    except binascii.Error:
        return 0


RECEIVERS: dict[str, type[ReceiverTable]] = {
    "webhook": WebhookTable,
    "pagerduty": PagerDutyTable,
    "alertmanager": AlertmanagerTable,
    "slack": SlackTable,
    "teams": TeamsTable,
    "email": EmailTable,
}
