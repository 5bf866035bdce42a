"""A restore ends in time, and says what to set when it does not."""

import asyncio

import pytest

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
