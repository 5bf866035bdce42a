"""Shell. Asks a cluster what its topics are, and what this client may do with them."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Collection, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.metadata import MetadataRequest_v5
from aiokafka.protocol.types import Array, Boolean, Int16, Int32, Schema, String

from stream.engine.connection import client_options
from stream.settings import Settings
from stream.shapes import Described, Operation
from stream.unreached import advice

_NOT_THERE, DENIED = 3, 29
_NOT_TOLD = -(1 << 31)
_BITS: Mapping[Operation, int] = {"Read": 3, "Write": 4, "Describe": 8}
"""Kafka's numbers of the operations, by which it tells which of them are allowed."""


class ClusterError(Exception):
    """The cluster can't be asked or refused; the message says what was tried."""


class _MetadataResponse(Response):  # type: ignore[misc]
    API_KEY = 3
    API_VERSION = 8
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "brokers",
            Array(("node_id", Int32), ("host", String("utf-8")), ("port", Int32), ("rack", String("utf-8"))),
        ),
        ("cluster_id", String("utf-8")),
        ("controller_id", Int32),
        (
            "topics",
            Array(
                ("error_code", Int16),
                ("topic", String("utf-8")),
                ("is_internal", Boolean),
                (
                    "partitions",
                    Array(
                        ("error_code", Int16),
                        ("partition", Int32),
                        ("leader", Int32),
                        ("leader_epoch", Int32),
                        ("replicas", Array(Int32)),
                        ("isr", Array(Int32)),
                        ("offline_replicas", Array(Int32)),
                    ),
                ),
                ("authorized_operations", Int32),
            ),
        ),
        ("cluster_authorized_operations", Int32),
    )


class _MetadataRequest(RequestStruct):  # type: ignore[misc]
    API_KEY = 3
    API_VERSION = 8
    RESPONSE_TYPE = _MetadataResponse
    SCHEMA = Schema(
        ("topics", Array(String("utf-8"))),
        ("allow_auto_topic_creation", Boolean),
        ("include_cluster_authorized_operations", Boolean),
        ("include_topic_authorized_operations", Boolean),
    )


class _Metadata(Request[MetadataRequest_v5 | _MetadataRequest]):  # type: ignore[misc]
    """Asks for topics by name, creates none, and asks what is allowed if the broker can tell (from Kafka 2.3 on).

    aiokafka's own can't ask that.
    """

    API_KEY = 3

    def __init__(self, names: Collection[str]) -> None:
        self._names = list(names)

    def build(self, request_struct_class: type[Any]) -> Any:
        if request_struct_class is MetadataRequest_v5:
            return request_struct_class(self._names, False)
        return request_struct_class(self._names, False, False, True)


async def describe(admin: AIOKafkaAdminClient, names: Collection[str]) -> dict[str, Described]:
    """Return those of ``names`` that the cluster has, or does not show to this client; creates nothing."""
    told = (await admin._send_request(_Metadata(names))).to_object()["topics"]
    found = {topic["topic"]: topic for topic in told if topic["error_code"] != _NOT_THERE}
    if not found:
        return {}
    resources = [ConfigResource(ConfigResourceType.TOPIC, name) for name in sorted(found)]
    configurations: dict[str, dict[str, str]] = {}
    for response in await admin.describe_configs(resources):
        for code, _, _, name, entries in response.resources:
            if code == _NOT_THERE:  # the broker that was asked this has not heard of it yet
                del found[name]
            elif code != DENIED:
                configurations[name] = {entry[0]: entry[1] for entry in entries}
    return {name: _described(topic, configurations.get(name)) for name, topic in found.items()}


def _described(topic: Mapping[str, Any], configuration: Mapping[str, str] | None) -> Described:
    partitions = topic["partitions"]
    replication = min((len(one["replicas"]) for one in partitions), default=0)
    allowed = _allowed(topic)
    if configuration is not None:
        allowed |= {"DescribeConfigs"}
    return Described(len(partitions), replication, configuration or {}, allowed)


def _allowed(topic: Mapping[str, Any]) -> frozenset[Operation]:
    """Return what this client may do with the records; all, where Kafka does not tell."""
    if topic["error_code"] == DENIED:
        return frozenset()
    bits = topic.get("authorized_operations", _NOT_TOLD)
    return frozenset(one for one, bit in _BITS.items() if bits == _NOT_TOLD or bits >> bit & 1)


@asynccontextmanager
async def administrator(settings: Settings) -> AsyncIterator[AIOKafkaAdminClient]:
    """Open an admin client.

    Raises:
        ClusterError: the cluster can't be asked; names the brokers, and why none was reached.
    """
    with _heard() as heard:
        try:
            async with quiet_administrator(settings) as admin:
                yield admin
        except (KafkaError, TimeoutError) as fault:
            brokers, protocol = ",".join(settings.kafka.brokers), settings.kafka.security_protocol
            reason = "; ".join(sorted(set(heard))) or str(fault) or type(fault).__name__
            told = f"kafka.brokers {brokers!r}, {protocol}: {reason}{advice(reason, protocol)}"
            raise ClusterError(told) from fault


@asynccontextmanager
async def quiet_administrator(settings: Settings) -> AsyncIterator[AIOKafkaAdminClient]:
    """Open an admin client beside others, whose logs it leaves as they are.

    Raises:
        KafkaError, TimeoutError: the cluster can't be asked.
    """
    admin = AIOKafkaAdminClient(**client_options(settings.kafka))
    try:
        await admin.start()
        yield admin
    finally:
        await admin.close()


class _Heard(logging.Handler):
    """Keeps what a library logs."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep it; a fault that says nothing by its name."""
        said = record.getMessage()
        last = record.args[-1] if isinstance(record.args, tuple) and record.args else None
        nameless = isinstance(last, BaseException) and not str(last)
        self.said.append(f"{said}{type(last).__name__}" if nameless else said)


@contextmanager
def _heard() -> Iterator[list[str]]:
    """Keep what aiokafka logs: only there it says why it can't reach a broker."""
    log, handler = logging.getLogger("aiokafka"), _Heard()
    propagates, log.propagate = log.propagate, False
    log.addHandler(handler)
    try:
        yield handler.said
    finally:
        log.removeHandler(handler)
        log.propagate = propagates
