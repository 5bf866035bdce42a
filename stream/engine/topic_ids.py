"""Shell. Which log is behind a topic's name: Kafka gives each topic an id of its own, made again or not.

Offsets alone can't tell: those of a topic that was made again are valid in its new log once as many records have
come. aiokafka asks for no ids, so the request is here.
"""

from __future__ import annotations

import asyncio
from base64 import urlsafe_b64encode
from collections.abc import Collection, Mapping, Sequence
from io import BytesIO
from typing import Any

import structlog
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaError
from aiokafka.protocol.abstract import AbstractType
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.metadata import MetadataRequest_v5
from aiokafka.protocol.types import Boolean, CompactArray, CompactString, Int16, Int32, Schema, TaggedFields

LOG = structlog.get_logger()
UNTOLD = ""
"""The id of a topic of which Kafka tells none: it is older than 2.8, or has it not."""
ANSWER_S = 5.0
"""A broker that tells nothing for so long is left for the next: it may be the one that is away."""
_BYTES = 16
_NONE = bytes(_BYTES)


class _Uuid(AbstractType[bytes]):  # type: ignore[misc]
    @classmethod
    def encode(cls, value: bytes) -> bytes:
        return value

    @classmethod
    def decode(cls, data: BytesIO) -> bytes:
        return data.read(_BYTES)


_TAGS = ("tags", TaggedFields)
_NAME = CompactString("utf-8")
_BROKER = (("node_id", Int32), ("host", _NAME), ("port", Int32), ("rack", _NAME), _TAGS)
_PARTITION = (
    *(("error_code", Int16), ("partition", Int32), ("leader", Int32), ("leader_epoch", Int32)),
    *((name, CompactArray(Int32)) for name in ("replicas", "isr", "offline_replicas")),
    _TAGS,
)
_TOPIC = (
    *(("error_code", Int16), ("topic", _NAME), ("topic_id", _Uuid), ("is_internal", Boolean)),
    *(("partitions", CompactArray(*_PARTITION)), ("authorized_operations", Int32), _TAGS),
)


class _MetadataResponse(Response):  # type: ignore[misc]
    API_KEY = 3
    API_VERSION = 10
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        ("brokers", CompactArray(*_BROKER)),
        ("cluster_id", _NAME),
        ("controller_id", Int32),
        ("topics", CompactArray(*_TOPIC)),
        ("cluster_authorized_operations", Int32),
        _TAGS,
    )


class _MetadataRequest(RequestStruct):  # type: ignore[misc]
    FLEXIBLE_VERSION = True
    API_KEY = 3
    API_VERSION = 10
    RESPONSE_TYPE = _MetadataResponse
    SCHEMA = Schema(
        ("topics", CompactArray(("topic_id", _Uuid), ("topic", _NAME), _TAGS)),
        ("allow_auto_topic_creation", Boolean),
        ("include_cluster_authorized_operations", Boolean),
        ("include_topic_authorized_operations", Boolean),
        _TAGS,
    )


class _Metadata(Request[MetadataRequest_v5 | _MetadataRequest]):  # type: ignore[misc]
    """Asks for topics by name, and creates none; brokers before 2.8 tell no ids."""

    API_KEY = 3

    def __init__(self, names: Collection[str]) -> None:
        self._names = names

    def build(self, request_struct_class: type[Any]) -> Any:
        if request_struct_class is MetadataRequest_v5:
            return request_struct_class([*self._names], False)
        return request_struct_class([(_NONE, name, {}) for name in self._names], False, False, False, {})


async def topic_ids(client: AIOKafkaClient, names: Collection[str]) -> Mapping[str, str]:
    """Return the ids of these topics, with their cluster's before a slash; ``UNTOLD`` of which none is told.

    Empty, and told, when no broker answers.
    """
    fault: Exception | None = None
    for broker in client.cluster.brokers() if names else ():
        try:
            async with asyncio.timeout(ANSWER_S):
                return _ids(await client.send(broker.nodeId, _Metadata(names)))
        except (TimeoutError, KafkaError, OSError) as failed:
            fault = failed
    if names:
        LOG.warning("topic ids not known", topics=sorted(names), fault=repr(fault), meaning="asked for later")
    return {}


def _ids(told: Response) -> Mapping[str, str]:
    topics: Sequence[Mapping[str, Any]] = told.to_object()["topics"]
    cluster = told.cluster_id
    return {one["topic"]: _id(cluster, one.get("topic_id", _NONE)) for one in topics}


def _id(cluster: str, told: bytes) -> str:
    return UNTOLD if told == _NONE else f"{cluster}/{urlsafe_b64encode(told).decode().rstrip('=')}"


def told(ids: Mapping[str, str]) -> dict[str, str]:
    """Return those that are known."""
    return {topic: one for topic, one in ids.items() if one != UNTOLD}


def made_again(before: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """Return the topics that are another log by now, sorted.

    Of another cluster nothing is known: a copy of a topic that keeps its offsets has an id of its own there.
    """
    return sorted(topic for topic, one in before.items() if _is_another(one, now.get(topic, UNTOLD)))


def _is_another(one: str, other: str) -> bool:
    same_cluster = one.rpartition("/")[0] == other.rpartition("/")[0]
    return UNTOLD not in {one, other} and one != other and same_cluster
