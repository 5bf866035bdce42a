"""A member that Kafka does not know any more asks whether its name is another's, before it joins again."""

import asyncio
from types import SimpleNamespace

import pytest
from aiokafka import errors
from aiokafka.consumer import consumer
from aiokafka.errors import KafkaConnectionError
from aiokafka.protocol.group import HeartbeatRequest_v1

from stream.engine import fetching
from stream.engine.member import Member, NameTaken, _NamedHeartbeat

UNKNOWN, TAKEN = 25, 82


class Known(Member):
    """A member that asks a Kafka which says these, and then joins no group."""

    def __init__(self, *says: int, name: str | None = "worker-0"):
        self.says, self.asked, self.joined = list(says), [], 0
        self.group_id, self._group_instance_id = "workers", name
        self.generation, self.member_id = 7, "worker-0-a"
        self._rejoin_needed_fut = SimpleNamespace(done=lambda: True)

    async def _send_req(self, request):
        self.asked.append(request)
        code = self.says.pop(0)
        if code < 0:
            raise KafkaConnectionError
        return SimpleNamespace(error_code=code)


async def rejoin(member: Known, monkeypatch: pytest.MonkeyPatch) -> None:
    async def joined(self, subscription):
        self.joined += 1

    monkeypatch.setattr(Member.__base__, "_do_rejoin_group", joined)
    await member._do_rejoin_group(None)


def test_a_member_whose_name_was_taken_does_not_join_again(monkeypatch):
    member = Known(TAKEN)
    member.reset_generation()
    with pytest.raises(NameTaken, match="worker-0"):
        asyncio.run(rejoin(member, monkeypatch))
    assert member.joined == 0
    (asked,) = member.asked
    assert asked._told == ("workers", 7, "worker-0-a")


def test_a_member_whose_name_was_taken_does_not_take_it_back_while_its_process_ends(monkeypatch):
    member = Known(TAKEN, TAKEN)
    member.reset_generation()
    for _ in range(2):  # aiokafka goes on once its fault was heard
        with pytest.raises(NameTaken):
            asyncio.run(rejoin(member, monkeypatch))
    assert member.joined == 0


@pytest.mark.parametrize("said", [0, UNKNOWN, -1])
def test_a_member_whose_session_is_over_joins_again_and_asks_once(monkeypatch, said):
    member = Known(said)
    member.reset_generation()
    asyncio.run(rejoin(member, monkeypatch))
    asyncio.run(rejoin(member, monkeypatch))
    assert member.joined == 2


def test_a_member_without_a_name_or_that_was_none_yet_asks_nothing(monkeypatch):
    nameless, new = Known(name=None), Known()
    new.member_id = ""
    for member in (nameless, new):
        asyncio.run(rejoin(member, monkeypatch))
        assert member.joined == 1


def test_a_kafka_that_knows_no_names_is_asked_without():
    asked = _NamedHeartbeat("workers", 7, "a", "worker-0")
    assert asked.prepare({12: (0, 1)}).API_VERSION == HeartbeatRequest_v1.API_VERSION
    assert asked.prepare({12: (0, 4)}).group_instance_id == "worker-0"


def test_every_consumer_of_a_worker_notices_it():
    assert fetching.ConsumerThread
    assert consumer.GroupCoordinator is Member
    assert errors.for_code(TAKEN) is NameTaken
