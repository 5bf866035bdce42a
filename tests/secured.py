"""A real Kafka that asks who one is and allows nothing by itself; its rights are those of docs/operations.md.

It also listens with TLS, with certificates that are right or wrong in one way.
"""

import re
import shlex
import time
from argparse import ArgumentParser
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import product
from pathlib import Path
from typing import Any

import trustme
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
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from stream.demo.processes import free_port
from stream.kafka.broker import properties
from stream.kafka.embedded import EmbeddedKafka

PASSWORD = "open-sesame"
TABLE = Path(__file__).parents[1] / "docs" / "operations.md"
_ANY = (AclOperation.ANY, AclPermissionType.ANY)
HOST = "127.0.0.1"
LISTENERS = {
    "USERS": "SASL_PLAINTEXT",
    "SAFE": "SASL_SSL",
    "TLS": "SSL",
    "EXPIRED": "SSL",
    "ELSEWHERE": "SSL",
    "MUTUAL": "SSL",
    "ASTRAY": "PLAINTEXT",
}
"""How the broker listens, by name.

The certificate of ``ELSEWHERE`` is that of another name, ``MUTUAL`` asks for the client's, and whoever has come to
``ASTRAY`` is sent on to where nobody listens.
"""
NOWHERE = f"{HOST}:1"
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
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
    """The broker; ``open`` is its address for superusers, ``at`` those of its listeners, ``ca`` signed for it."""

    def __init__(self, open_at: str, at: dict[str, str], ca: Path) -> None:
        self.open = open_at
        self.at = at
        self.ca = ca
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

    def connection(self, user: str, listener: str = "USERS") -> dict[str, Any]:
        """Return the settings by which a user connects to a listener."""
        protocol = LISTENERS[listener]
        given: dict[str, Any] = {"brokers": self.at[listener], "security_protocol": protocol}
        if protocol.endswith("SSL"):
            given["ssl_cafile"] = self.ca
        if protocol.startswith("SASL"):
            given |= {"sasl_username": user, "sasl_password": PASSWORD}
        return given


class Certificates:
    """An authority of its own, and what it signed, as files."""

    def __init__(self, folder: Path) -> None:
        self._authority = trustme.CA()
        self._folder = folder
        self.ca = folder / "ca.pem"
        self._authority.cert_pem.write_to_path(self.ca)

    def configuration(self) -> dict[str, str]:
        """Return the broker's settings of its listeners with TLS."""
        issue = self._authority.issue_cert
        stores = dict.fromkeys(("SAFE", "TLS", "MUTUAL"), self._written("right", issue(HOST)))
        stores["EXPIRED"] = self._written("expired", issue(HOST, not_after=LONG_AGO))
        stores["ELSEWHERE"] = self._written("elsewhere", issue("localhost"))
        made = {}
        for name, store in stores.items():
            of = f"listener.name.{name.lower()}.ssl"
            made |= {f"{of}.keystore.type": "PEM", f"{of}.keystore.location": str(store)}
        mutual = "listener.name.mutual.ssl"
        made |= {f"{mutual}.truststore.type": "PEM", f"{mutual}.truststore.location": str(self.ca)}
        return made | {f"{mutual}.client.auth": "required"}

    def _written(self, name: str, leaf: trustme.LeafCert) -> Path:
        """Write key and certificates in one file, the key as Java wants it."""
        key = load_pem_private_key(leaf.private_key_pem.bytes(), None)
        path = self._folder / f"{name}.pem"
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        path.write_bytes(pem + b"".join(one.bytes() for one in leaf.cert_chain_pems))
        return path


def _listed(listeners: dict[str, str]) -> str:
    return ",".join(f"{name}://{at}" for name, at in listeners.items())


@contextmanager
def secured_kafka(folder: Path) -> Iterator[Secured]:
    """Start the broker; its certificates are in the folder."""
    certificates = Certificates(folder)
    at = {name: f"{HOST}:{free_port()}" for name in LISTENERS}

    def configured(data: Path, own: int, controller: int) -> str:
        here = {"BROKER": f"{HOST}:{own}"} | at
        protocols = ",".join(f"{name}:{protocol}" for name, protocol in LISTENERS.items())
        more = {  # of a setting that is there twice the last one counts
            "listeners": _listed(here | {"CONTROLLER": f"{HOST}:{controller}"}),
            "advertised.listeners": _listed(here | {"ASTRAY": NOWHERE}),
            "listener.security.protocol.map": f"BROKER:PLAINTEXT,CONTROLLER:PLAINTEXT,{protocols}",
            "sasl.enabled.mechanisms": "SCRAM-SHA-512",
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "super.users": "User:ANONYMOUS",
        }
        login = "org.apache.kafka.common.security.scram.ScramLoginModule required;"
        for name in ("users", "safe"):
            more[f"listener.name.{name}.scram-sha-512.sasl.jaas.config"] = login
        more |= certificates.configuration()
        return properties(data, own, controller) + "".join(f"{key}={one}\n" for key, one in more.items())

    with EmbeddedKafka(configure=configured) as kafka:
        yield Secured(kafka.brokers, at, certificates.ca)
