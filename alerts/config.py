"""Edge. The owners file (TOML): receivers, owners, the default owner; every fault at once, never a secret.

Without a file there is only a default owner whom nothing reaches: incidents are kept and counted, and nobody
is told.
"""

from __future__ import annotations

import base64
import binascii
import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, TypeVar

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    HttpUrl,
    SecretStr,
    ValidationError,
    ValidationInfo,
    model_validator,
)

from alerts.owners import Owner, Owners
from alerts.receivers.pagerduty import BASE_URL, PagerDutyReceiver
from alerts.receivers.request import Receiver
from alerts.receivers.webhook import WebhookReceiver
from alerts.secret import reveal
from stream.settings import SettingsError

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]
Pattern = Annotated[str, Field(min_length=1, max_length=200)]
ECHOED = frozenset({"name", "kind", "models", "receivers"})
"""Fields whose wrong value may be repeated in a message; all others may hold a secret."""


class OwnersError(SettingsError):
    """The owners file can't be used; the message lists every fault. Mend them and start again."""


class Roster(NamedTuple):
    """Who is told of what, and how."""

    owners: Owners
    receivers: Mapping[str, Receiver]


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class WebhookTable(_Table):
    """``[[receiver]] kind = "webhook"``."""

    name: Name
    kind: Literal["webhook"]
    url: HttpUrl
    secret: SecretStr | None = None
    secret_file: Path | None = None
    secret_env: str | None = None

    @model_validator(mode="after")
    def _secret_is_good(self, info: ValidationInfo) -> WebhookTable:
        secret = reveal(self, "secret", info.context or {})
        if not secret.startswith("whsec_") or not 24 <= _decoded_size(secret[6:]) <= 64:
            raise ValueError('secret: want "whsec_" and then 24 to 64 random bytes in base64')
        return self

    def build(self, environ: Mapping[str, str]) -> Receiver:
        """Return the receiver."""
        return WebhookReceiver(str(self.url), reveal(self, "secret", environ))


class PagerDutyTable(_Table):
    """``[[receiver]] kind = "pagerduty"``."""

    name: Name
    kind: Literal["pagerduty"]
    routing_key: SecretStr | None = None
    routing_key_file: Path | None = None
    routing_key_env: str | None = None
    base_url: HttpUrl = HttpUrl(BASE_URL)

    @model_validator(mode="after")
    def _routing_key_is_good(self, info: ValidationInfo) -> PagerDutyTable:
        if len(reveal(self, "routing_key", info.context or {})) != 32:
            raise ValueError("routing_key: want the 32 characters of an Events API v2 integration key")
        return self

    def build(self, environ: Mapping[str, str]) -> Receiver:
        """Return the receiver."""
        return PagerDutyReceiver(reveal(self, "routing_key", environ), str(self.base_url))


class OwnerTable(_Table):
    """``[[owner]]``."""

    name: Name
    models: Annotated[tuple[Pattern, ...], Field(min_length=1)]
    receivers: tuple[str, ...] = ()


class DefaultOwnerTable(_Table):
    """``[default_owner]``: whoever answers for models that nobody claims."""

    name: Name
    receivers: tuple[str, ...] = ()


T = TypeVar("T", bound=BaseModel)


class _Reader:
    """Reads tables and gathers faults; ``faults`` is complete once all tables were read."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self.faults: list[str] = []

    def tables(self, raw: Mapping[str, Any], key: str) -> list[tuple[str, dict[str, Any]]]:
        """Return the tables under ``key`` with their places."""
        found = raw.get(key, [])
        if not isinstance(found, list) or not all(isinstance(table, dict) for table in found):
            self.faults.append(f"{key}: want tables, written [[{key}]]")
            return []
        return [(f"{key}[{number}]", table) for number, table in enumerate(found)]

    def read(self, model: type[T], place: str, table: object) -> T | None:
        """Return the table as ``model``, or ``None`` with its faults noted."""
        try:
            return model.model_validate(table, context=self._environ)
        except ValidationError as faults:
            self.faults += [_describe(place, fault) for fault in faults.errors()]
            return None

    def receivers(self, raw: Mapping[str, Any]) -> list[WebhookTable | PagerDutyTable]:
        """Return all receivers that are right."""
        good = []
        for place, table in self.tables(raw, "receiver"):
            model = RECEIVERS.get(str(table.get("kind")))
            if model is None:
                wanted = " or ".join(RECEIVERS)
                self.faults.append(f"{place}.kind {table.get('kind')!r}: want {wanted}")
            elif (receiver := self.read(model, place, table)) is not None:
                good.append(receiver)
        return good

    def cross_check(self, raw: Mapping[str, Any]) -> None:
        """Note names given twice, and receivers that nobody defined."""
        receivers = self.tables(raw, "receiver")
        owners = self.tables(raw, "owner")
        default = raw.get("default_owner")
        named = {str(table.get("name")) for _, table in receivers}
        for place, table in [*owners, ("default_owner", default if isinstance(default, dict) else {})]:
            for name in table.get("receivers", []) if isinstance(table.get("receivers"), list) else []:
                if name not in named:
                    self.faults.append(f"{place}.receivers {name!r}: want the name of a [[receiver]]")
        for key, tables in (("receiver", receivers), ("owner", owners)):
            self.faults += _repeated(key, [str(table["name"]) for _, table in tables if "name" in table])


def _repeated(key: str, names: list[str]) -> Iterator[str]:
    for name, times in Counter(names).items():
        if times > 1:
            yield f"{key}.name {name!r}: given {times} times; want different names"


def load(path: Path | None, environ: Mapping[str, str]) -> Roster:
    """Read the owners file; ``None`` gives a default owner without receivers.

    Raises:
        OwnersError: the file can't be read, or anything in it is wrong; lists all of it.
    """
    if path is None:
        return Roster(Owners(), {})
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as fault:
        reason = fault.strerror if isinstance(fault, OSError) else fault
        raise OwnersError(f"owners file {path}: {reason}") from None
    return _roster(path.name, raw, environ)


def _roster(file: str, raw: Mapping[str, Any], environ: Mapping[str, str]) -> Roster:
    reader = _Reader(environ)
    reader.faults += [
        f"{key}: unknown; want receiver, owner or default_owner"
        for key in raw.keys() - {"receiver", "owner", "default_owner"}
    ]
    receivers = reader.receivers(raw)
    owners = [reader.read(OwnerTable, place, table) for place, table in reader.tables(raw, "owner")]
    default = reader.read(DefaultOwnerTable, "default_owner", raw.get("default_owner", {}))
    reader.cross_check(raw)
    if reader.faults or default is None:
        raise OwnersError("\n".join(f"{file}: {fault}" for fault in dict.fromkeys(reader.faults)))
    return Roster(
        Owners(
            owners=tuple(Owner(**owner.model_dump()) for owner in owners if owner is not None),
            default=Owner(**default.model_dump()),
        ),
        {receiver.name: receiver.build(environ) for receiver in receivers},
    )


def _describe(place: str, fault: Any) -> str:
    where = ".".join([place, *(str(part) for part in fault["loc"])])
    echo = f" {fault['input']!r}" if fault["loc"] and fault["loc"][0] in ECHOED else ""
    return f"{where}{echo}: {fault['msg'].removeprefix('Value error, ')}"


def _decoded_size(text: str) -> int:
    try:
        return len(base64.b64decode(text + "=" * (-len(text) % 4), validate=True))
    except binascii.Error:
        return 0


RECEIVERS: dict[str, type[WebhookTable] | type[PagerDutyTable]] = {
    "webhook": WebhookTable,
    "pagerduty": PagerDutyTable,
}
