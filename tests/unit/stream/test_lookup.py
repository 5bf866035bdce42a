"""A broker that goes away while a coordinator is looked up is waited for, as one that is away."""

import asyncio
from types import SimpleNamespace

import pytest
from aiokafka.errors import CoordinatorNotAvailableError, KafkaConnectionError, NodeNotReadyError

from stream.engine.lookup import make_patient


async def looked_up(fault):
    async def look_up(kind, key):
        if fault is not None:
            raise fault
        return f"{kind} {key}"

    client = SimpleNamespace(coordinator_lookup=look_up)
    make_patient(client)
    return await client.coordinator_lookup("transaction", "g-0")


def test_what_is_found_is_returned():
    assert asyncio.run(looked_up(None)) == "transaction g-0"


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        (KafkaConnectionError("closed"), NodeNotReadyError),
        (CoordinatorNotAvailableError(), CoordinatorNotAvailableError),
    ],
)
def test_a_broken_connection_is_told_as_what_a_producer_waits_for(fault, told):
    with pytest.raises(told):
        asyncio.run(looked_up(fault))
