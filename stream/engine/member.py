"""Shell. A member of its group that has a name of its own, and ends when another process takes the name.

Kafka tells a member whose name was taken that it does not know it, unless the member says its name when it asks.
aiokafka does not, and so takes it for the end of its session and joins again: two processes of one name would take
each other's place for ever, and neither would say why.
"""

from __future__ import annotations

from typing import Any

from aiokafka import errors
from aiokafka.consumer import consumer
from aiokafka.errors import BrokerResponseError, KafkaError
from aiokafka.protocol.api import Request, RequestStruct
from aiokafka.protocol.group import HeartbeatRequest_v1, HeartbeatResponse_v1, JoinGroupRequest
from aiokafka.protocol.types import Int32, Schema, String

_Coordinator: type[Any] = consumer.GroupCoordinator


class NameTaken(BrokerResponseError):  # type: ignore[misc]
    """Another process has joined the group under this one's name."""

    errno = 82
    message = "FENCED_INSTANCE_ID"


class _NamedHeartbeatRequest(RequestStruct):  # type: ignore[misc]
    API_KEY = 12
    API_VERSION = 3
    RESPONSE_TYPE = HeartbeatResponse_v1
    SCHEMA = Schema(
        ("group", String("utf-8")),
        ("generation_id", Int32),
        ("member_id", String("utf-8")),
        ("group_instance_id", String("utf-8")),
    )


class _NamedHeartbeat(Request[HeartbeatRequest_v1 | _NamedHeartbeatRequest]):  # type: ignore[misc]
    """A heartbeat that tells the member's name, which brokers before 2.3 don't know."""

    API_KEY = 12

    def __init__(self, group: str, generation: int, member: str, name: str) -> None:
        self._told = group, generation, member
        self._name = name

    def build(self, request_struct_class: type[Any]) -> Any:
        if request_struct_class is HeartbeatRequest_v1:
            return request_struct_class(*self._told)
        return request_struct_class(*self._told, self._name)


class Member(_Coordinator):  # type: ignore[misc]
    """Asks before it joins its group again whether its name is still its own."""

    _was: tuple[int, str] | None = None
    """The generation and id under which it was a member; forgotten before it joins, whose answer may be lost.

    Not forgotten by a member whose name was taken: it would take the name back while its process ends.
    """

    def reset_generation(self) -> None:
        """Forget the id that Kafka does not know any more."""
        self._note()
        super().reset_generation()

    def _note(self) -> None:
        if self.member_id != JoinGroupRequest.UNKNOWN_MEMBER_ID:
            self._was = self.generation, self.member_id

    async def _do_rejoin_group(self, subscription: Any) -> Any:
        self._note()
        if self._was is not None and self._group_instance_id is not None:
            await self._ask(*self._was, self._group_instance_id)
        self._was = None
        return await super()._do_rejoin_group(subscription)

    async def _ask(self, generation: int, member: str, name: str) -> None:
        """Raise ``NameTaken`` if it is; what else Kafka has to say, it says to who joins."""
        try:
            said = await self._send_req(_NamedHeartbeat(self.group_id, generation, member, name))
        except KafkaError:
            return
        if said.error_code == NameTaken.errno:
            raise NameTaken(name, self.group_id)


def notice() -> None:
    """Have all consumers of this process notice it."""
    consumer.GroupCoordinator = Member
    errors.kafka_errors[NameTaken.errno] = NameTaken
