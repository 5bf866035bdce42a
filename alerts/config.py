"""Edge. The owners file (TOML): receivers, owners, the default owner; every fault at once, never a secret.

Without a file there is only a default owner whom nothing reaches: incidents are kept and counted, and nobody
is told.
"""

from __future__ import annotations

import hashlib
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any, NamedTuple, TypeVar

from msgspec.structs import replace
from pydantic import BaseModel, Field, ValidationError

from alerts.audit import Heartbeat
from alerts.calendar import ROTA, Rota
from alerts.change import lane_of
from alerts.doors import ApiTable, Desk, HeartbeatTable, LinksTable, NetworkTable
from alerts.feed import Feed
from alerts.grouping import Grouping, Upstream
from alerts.guard import Guard
from alerts.lane import CHANGES, Limit
from alerts.links import NOWHERE, Links
from alerts.owners import Owners, RollbackHook
from alerts.receivers.herald import Herald
from alerts.receivers.receiver import Receiver
from alerts.schedules import DefaultOwnerTable, OwnerTable, Pattern, RotaTable, SilenceTable
from alerts.secret import SECRETS, named_files
from alerts.tables import RECEIVERS, Name, ReceiverTable, RollbackTable, Table
from stream.settings import SettingsError

ECHOED = {
    *("name", "kind", "models", "receivers", "fallback", "allow", "ca_file", "owner", "least", "rollback"),
    *("zone", "days", "file", "starts_at", "ends_at", "after_s", "escalation"),
}
"""Fields whose wrong value may be repeated in a message; all others may hold a secret."""

TABLES = (
    *("api", "links", "network", "heartbeat", "grouping", "upstream"),
    *("silence", "rota", "receiver", "rollback", "owner", "default_owner"),
)

CHECKED = ("receiver", "rollback", "owner", "upstream", "rota", "silence")


class OwnersError(SettingsError):
    """The owners file can't be used; the message lists every fault. Mend them and start again."""


class Roster(NamedTuple):
    """Who is told of what, and how."""

    owners: Owners
    receivers: Mapping[str, Receiver]
    limits: Mapping[str, Limit] = {}
    fallbacks: Mapping[str, str] = {}
    heartbeat: Heartbeat | None = None
    desk: Desk | None = None
    links: Links = NOWHERE
    guard: Guard = Guard()
    heralds: Mapping[str, Herald] = {}
    feeds: tuple[Feed, ...] = ()
    digest_over: Mapping[str, int] = {}
    ca_file: Path | None = None
    edition: str = ""
    """Which content of the file and of its secrets' files this is; empty without one."""


class UpstreamTable(Table):
    """``[[upstream]]``: what models depend on, and who answers for it."""

    name: Pattern
    owner: Name
    models: Annotated[tuple[Pattern, ...], Field(min_length=1)]
    least: Annotated[int, Field(ge=2)] = 3


class GroupingTable(Table):
    """``[grouping]``: what is one incident; see ``Grouping``."""

    together_s: Annotated[float, Field(ge=0)] = 300.0
    upstream_s: Annotated[float, Field(ge=0)] = 3_600.0
    reopen_s: Annotated[float, Field(ge=0)] = 900.0
    hold_s: Annotated[float, Field(ge=0)] = 0.0
    inhibit_s: Annotated[float, Field(ge=0)] = 1_800.0


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

    def every(self, model: type[T], raw: Mapping[str, Any], key: str) -> list[T]:
        """Return all tables under ``key`` that are right."""
        read = (self.read(model, place, one) for place, one in self.tables(raw, key))
        return [one for one in read if one is not None]

    def receivers(self, raw: Mapping[str, Any]) -> list[ReceiverTable]:
        """Return all receivers that are right."""
        good = []
        for place, table in self.tables(raw, "receiver"):
            model = RECEIVERS.get(str(table.get("kind")))
            if model is None:
                wanted = ", ".join(RECEIVERS)
                self.faults.append(f"{place}.kind {table.get('kind')!r}: want one of {wanted}")
            elif (receiver := self.read(model, place, table)) is not None:
                good.append(receiver)
        return good

    def cross_check(self, raw: Mapping[str, Any]) -> None:
        """Note names given twice, and receivers, rotas and owners that nobody defined."""
        tables = {key: self.tables(raw, key) for key in CHECKED}
        default = raw.get("default_owner")
        owners = [*tables["owner"], ("default_owner", default if isinstance(default, dict) else {})]
        receivers = {str(table.get("name")) for _, table in tables["receiver"]}
        known = receivers | {f"{ROTA}{table.get('name')}" for _, table in tables["rota"]}
        for place, table in owners:
            for holder in (table, *_steps(table)):
                listed = holder.get("receivers")
                self.named(f"{place}.receivers", listed if isinstance(listed, list) else [], known)
        self._check_hooks(owners, {str(table.get("name")) for _, table in tables["rollback"]}, receivers)
        for place, table in tables["receiver"]:
            others = receivers - {str(table.get("name"))}
            self.named(f"{place}.fallback", [table["fallback"]] if "fallback" in table else [], others)
        teams = {str(table.get("name")) for _, table in owners}
        for place, table in tables["upstream"]:
            owner = table.get("owner")
            if isinstance(owner, str) and owner not in teams:
                self.faults.append(f"{place}.owner {owner!r}: want the name of an [[owner]]")
        if isinstance(default, dict) and default.get("name") in [
            one.get("name") for _, one in tables["owner"]
        ]:
            wanted = "want another name than that of an [[owner]]"
            self.faults.append(f"default_owner.name {default['name']!r}: {wanted}")
        for key, found in tables.items():
            self.faults += _repeated(key, [str(table["name"]) for _, table in found if "name" in table])

    def _check_hooks(
        self, owners: list[tuple[str, dict[str, Any]]], hooks: set[str], receivers: set[str]
    ) -> None:
        for place, table in owners:
            hook = table.get("rollback")
            if isinstance(hook, str) and hook not in hooks:
                self.faults.append(f"{place}.rollback {hook!r}: want the name of a [[rollback]]")
        for name in sorted(hooks & receivers):
            self.faults.append(f"rollback.name {name!r}: want another name than that of a [[receiver]]")

    def named(self, place: str, names: Iterable[Any], known: set[str]) -> None:
        """Note names that no receiver has."""
        wanted = (
            "want the name of another [[receiver]]"
            if "fallback" in place
            else "want the name of a [[receiver]]"
        )
        self.faults += [
            f"{place} {name!r}: {wanted}" for name in names if isinstance(name, str) and name not in known
        ]


def _steps(owner: Mapping[str, Any]) -> list[dict[str, Any]]:
    steps = owner.get("escalation")
    return [step for step in steps if isinstance(step, dict)] if isinstance(steps, list) else []


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
        content = path.read_bytes()
        raw = tomllib.loads(content.decode())
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as fault:
        reason = fault.strerror if isinstance(fault, OSError) else fault
        raise OwnersError(f"owners file {path}: {reason}") from None
    return _roster(path.name, raw, environ)._replace(edition=edition_of(content, named_files(raw, SECRETS)))


def edition_of(content: bytes, files: Iterable[Path]) -> str:
    """Return what tells one content of the file, and of the files that it names, from another."""
    parts = [content]
    for path in files:
        with suppress(OSError):
            parts.append(path.read_bytes())
    return hashlib.sha256(b"\0".join(parts)).hexdigest()


def _roster(file: str, raw: Mapping[str, Any], environ: Mapping[str, str]) -> Roster:
    reader = _Reader(environ)
    reader.faults += [
        f"{key}: unknown; want one of {', '.join(TABLES)}" for key in sorted(raw.keys() - set(TABLES))
    ]
    receivers = reader.receivers(raw)
    links = reader.read(LinksTable, "links", raw.get("links", {}))
    network = reader.read(NetworkTable, "network", raw.get("network", {}))
    beat = reader.read(HeartbeatTable, "heartbeat", raw["heartbeat"]) if "heartbeat" in raw else None
    api = reader.read(ApiTable, "api", raw["api"]) if "api" in raw else None
    hooks = reader.every(RollbackTable, raw, "rollback")
    rotas, names = reader.every(RotaTable, raw, "rota"), {one.name for one in receivers}
    for rota in rotas:
        reader.named(f"rota {rota.name!r} turn", rota.turns(), names)
        reader.named(f"rota {rota.name!r} otherwise", rota.otherwise, names)
    turns = {one.name: one.build(names) for one in rotas}
    owners = _owners(reader, raw, turns, {one.name: one.hook() for one in hooks})
    reader.cross_check(raw)
    if reader.faults or owners is None or links is None or network is None:
        raise OwnersError("\n".join(f"{file}: {fault}" for fault in dict.fromkeys(reader.faults)))
    desk = None if api is None else api.build(environ)
    leading = links.build(None if desk is None else desk.badges)
    heralds = {one.name: herald for one in receivers if (herald := one.herald(environ)) is not None}
    feeds = tuple(one.feed(turns[one.name], environ) for one in rotas)
    return Roster(
        replace(owners, hear_changes=frozenset(heralds), known=frozenset(names)),
        receivers={one.name: one.build(environ, leading) for one in (*receivers, *hooks)},
        heralds={lane_of(name): herald for name, herald in heralds.items()},
        limits={one.name: one.limits() for one in (*receivers, *hooks)}
        | dict.fromkeys(map(lane_of, heralds), CHANGES),
        fallbacks={one.name: one.fallback for one in receivers if one.fallback is not None},
        guard=network.build(),
        ca_file=network.ca_file,
        heartbeat=None if beat is None else beat.build(environ),
        desk=desk,
        links=leading,
        digest_over={one.name: one.digests() for one in receivers if one.digests()},
        feeds=feeds,
    )


def _owners(
    reader: _Reader, raw: Mapping[str, Any], rotas: Mapping[str, Rota], hooks: Mapping[str, RollbackHook]
) -> Owners | None:
    default = reader.read(DefaultOwnerTable, "default_owner", raw.get("default_owner", {}))
    grouping = reader.read(GroupingTable, "grouping", raw.get("grouping", {}))
    owners, upstreams = reader.every(OwnerTable, raw, "owner"), reader.every(UpstreamTable, raw, "upstream")
    silences = reader.every(SilenceTable, raw, "silence")
    if default is None or grouping is None:
        return None
    return Owners(
        owners=tuple(owner.build(hooks, owner.models) for owner in owners),
        default=default.build(hooks),
        upstreams=tuple(Upstream(**one.model_dump()) for one in upstreams),
        grouping=Grouping(**grouping.model_dump()),
        silences=tuple(silence.build() for silence in silences),
        rotas=rotas,
    )


def _describe(place: str, fault: Any) -> str:
    where = ".".join([place, *(str(part) for part in fault["loc"])])
    echo = f" {fault['input']!r}" if fault["loc"] and fault["loc"][0] in ECHOED else ""
    return f"{where}{echo}: {fault['msg'].removeprefix('Value error, ')}"
