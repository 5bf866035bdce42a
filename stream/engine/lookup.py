"""Shell. The lookup of a coordinator outlives a connection that breaks meanwhile, as one that can't be made."""

from __future__ import annotations

from typing import Any

from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaConnectionError, NodeNotReadyError


def make_patient(client: AIOKafkaClient) -> None:
    """Have a producer look again: aiokafka does so when it finds no broker, and ends when it loses one."""
    look_up = client.coordinator_lookup

    async def patient(*what: Any) -> Any:
        try:
            return await look_up(*what)
        except KafkaConnectionError as fault:
            raise NodeNotReadyError(str(fault)) from fault

    client.coordinator_lookup = patient
