"""A real Kafka that asks who one is and allows nothing by itself; its rights are those of docs/operations.md."""

import re
import shlex
import time
from argparse import ArgumentParser
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)

from stream.demo.processes import free_port
from stream.kafka.broker import properties
from stream.kafka.embedded import EmbeddedKafka

PASSWORD = "open-sesame"
TABLE = Path(__file__).parents[1] / "docs" / "operations.md"
_ANY = (AclOperation.ANY, AclPermissionType.ANY)
KINDS = ("topic", "group", "transactional-id")
_ROW = re.compile(r"^\|(?P<program>[^|]*)\| `(?P<options>--operation [^`]+)` \|", re.MULTILINE)
_NAME = re.compile(r"(?<!^)(?=[A-Z])")


@dataclass(frozen=True)
class Right:
    """One operation on one resource, or on all whose names begin so."""

    operation: str
    kind: str
    name: str
    is_prefix: bool

    def binding(self, user: str, kind: type[AclBinding] = AclBinding) -> AclBinding:
        return kind(
            ResourceType[self.kind.replace("-", "_").upper()],
            self.name,
            ResourcePatternType.PREFIXED if self.is_prefix else ResourcePatternType.LITERAL,
            f"User:{user}",
            "*",
            AclOperation[_NAME.sub("_", self.operation).upper()],
            AclPermissionType.ALLOW,
        )

    def __str__(self) -> str:
        return f"{self.operation} {self.kind} {self.name}"


def documented() -> dict[str, tuple[Right, ...]]:
    """Return what the table says, by program."""
    found: dict[str, tuple[Right, ...]] = {}
    program = ""
    for row in _ROW.finditer(TABLE.read_text(encoding="utf-8")):
        program = row["program"].strip("` ") or program
        found[program] = (*found.get(program, ()), *_rights(shlex.split(row["options"])))
    return found


def _rights(options: list[str]) -> Iterator[Right]:
    """Read options as kafka-acls.sh does."""
    parser = ArgumentParser(allow_abbrev=False, exit_on_error=False)
    for name in ("operation", *KINDS):
        parser.add_argument(f"--{name}", action="append", default=[])
    parser.add_argument("--resource-pattern-type", choices=("literal", "prefixed"), default="literal")
    read = vars(parser.parse_args(options))
    is_prefix = read["resource_pattern_type"] == "prefixed"
    for kind in KINDS:
        for operation, name in product(read["operation"], read[kind.replace("-", "_")]):
            yield Right(operation, kind, name, is_prefix)


class Secured:
    """The broker; ``open`` is its address for superusers, ``brokers`` that for users."""

    def __init__(self, open_at: str, brokers: str) -> None:
        self.open = open_at
        self.brokers = brokers
        self._admin = AdminClient({"bootstrap.servers": open_at})

    def let(self, user: str, rights: Iterable[Right]) -> None:
        """Make a user with these rights, and return when the broker knows both."""
        secret = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, 4096)
        made = UserScramCredentialUpsertion(user, secret, PASSWORD.encode())
        for one in self._admin.alter_user_scram_credentials([made]).values():
            one.result(30)
        wanted = [right.binding(user) for right in rights]
        for one in self._admin.create_acls(wanted).values():
            one.result(30)
        own = AclBindingFilter(ResourceType.ANY, None, ResourcePatternType.ANY, f"User:{user}", None, *_ANY)
        while len(self._admin.describe_acls(own).result(30)) < len(wanted):
            time.sleep(0.02)

    def forbid(self, user: str, right: Right) -> None:
        """Take a right away."""
        for one in self._admin.delete_acls([right.binding(user, AclBindingFilter)]).values():
            assert len(one.result(30)) == 1

    def connection(self, user: str) -> dict[str, Any]:
        """Return the settings by which a user connects."""
        return {
            "brokers": self.brokers,
            "security_protocol": "SASL_PLAINTEXT",
            "sasl_username": user,
            "sasl_password": PASSWORD,
        }


@contextmanager
def secured_kafka() -> Iterator[Secured]:
    """Start the broker."""
    port = free_port()

    def configured(folder: Path, own: int, controller: int) -> str:
        listeners = f"BROKER://127.0.0.1:{own},USERS://127.0.0.1:{port}"
        more = {  # of a setting that is there twice the last one counts
            "listeners": f"{listeners},CONTROLLER://127.0.0.1:{controller}",
            "advertised.listeners": listeners,
            "listener.security.protocol.map": "BROKER:PLAINTEXT,CONTROLLER:PLAINTEXT,USERS:SASL_PLAINTEXT",
            "sasl.enabled.mechanisms": "SCRAM-SHA-512",
            "listener.name.users.scram-sha-512.sasl.jaas.config": (
                "org.apache.kafka.common.security.scram.ScramLoginModule required;"
            ),
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "super.users": "User:ANONYMOUS",
        }
        return properties(folder, own, controller) + "".join(f"{key}={one}\n" for key, one in more.items())

    with EmbeddedKafka(configure=configured) as kafka:
        yield Secured(kafka.brokers, f"127.0.0.1:{port}")
