"""Quotas of a real Kafka; neither aiokafka nor confluent-kafka can set them."""

from collections.abc import Mapping
from typing import Any

from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import Array, Boolean, Float64, Int16, Int32, Schema, String

from stream.cluster import administrator
from stream.settings import Settings

_TEXT = String("utf-8")
_ENTITY = Array(("entity_type", _TEXT), ("entity_name", _TEXT))


class _Answer(Response):
    API_KEY = 49
    API_VERSION = 0
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        ("entries", Array(("error_code", Int16), ("error_message", _TEXT), ("entity", _ENTITY))),
    )


class _Alteration(RequestStruct):
    API_KEY = 49
    API_VERSION = 0
    RESPONSE_TYPE = _Answer
    SCHEMA = Schema(
        (
            "entries",
            Array(
                ("entity", _ENTITY), ("ops", Array(("key", _TEXT), ("value", Float64), ("remove", Boolean)))
            ),
        ),
        ("validate_only", Boolean),
    )


class _Alter(Request[_Alteration]):
    API_KEY = 49

    def __init__(self, client_id: str, quotas: Mapping[str, float | None]) -> None:
        self._entry = (
            [("client-id", client_id)],
            [(name, value or 0.0, value is None) for name, value in quotas.items()],
        )

    def build(self, request_struct_class: type[Any]) -> Any:
        return request_struct_class([self._entry], False)


async def limit(settings: Settings, client_id: str, **quotas: float | None) -> None:
    """Set quotas of a client id on all brokers, as ``kafka-configs.sh`` does; ``None``: no quota."""
    async with administrator(settings) as admin:
        answer = (await admin._send_request(_Alter(client_id, quotas))).to_object()
    for entry in answer["entries"]:
        assert not entry["error_code"], entry["error_message"]
