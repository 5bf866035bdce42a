"""A restore ends in time, and says what to set when it does not; one that a rebalance makes void ends at once."""

import asyncio

import pytest
from faust.tables.recovery import RebalanceAgain

from stream.engine.takeover import Takeover, TookTooLong


def test_a_restore_that_outlasts_its_time_ends_and_names_the_setting():
    async def restore():
        async with Takeover(0.05).limited():
            await asyncio.sleep(60)

    with pytest.raises(TookTooLong, match=r"within 0\.05 s: want a higher worker\.restore_timeout_s"):
        asyncio.run(restore())


def test_a_restore_in_time_ends_as_it_does():
    async def restore(fault):
        async with Takeover(60).limited():
            if fault is not None:
                raise fault
            return "restored"

    assert asyncio.run(restore(None)) == "restored"
    with pytest.raises(TimeoutError, match="of a broker"):
        asyncio.run(restore(TimeoutError("of a broker")))


def test_a_restore_is_given_up_at_a_rebalance_and_the_next_one_waits_for_its_end():
    async def rebalance():
        takeover, told = Takeover(60), []

        async def restore():
            async with takeover.limited():
                try:
                    await asyncio.sleep(60)
                finally:
                    told.append("dropped")

        under_way = asyncio.create_task(restore())
        await asyncio.sleep(0)
        takeover.void()
        with pytest.raises(RebalanceAgain):
            await under_way
        with pytest.raises(RebalanceAgain):
            await restore()
        takeover.decided()
        async with takeover.limited():
            told.append("restored")
        return told

    assert asyncio.run(rebalance()) == ["dropped", "restored"]
