"""A takeover whose partition goes to another process before it is over."""

import asyncio

from aiokafka.errors import ProducerFenced

from stream.engine.checkpoint import Written
from tests.unit.stream.test_backlog import INPUT, taken_over


def test_a_partition_that_another_process_takes_at_the_end_of_a_restore_is_no_fault_of_it(monkeypatch):
    keeper, _ = taken_over(monkeypatch, 0, 5)
    ticking = []

    async def write(flush, offsets):
        if ticking:
            raise ProducerFenced("m")
        ticking.append(asyncio.create_task(keeper.checkpoint()))  # waits for its turn
        await asyncio.sleep(0)
        keeper.urge(0)
        return Written(0, 0)

    async def again():
        keeper._held[0].checkpoint.write = write
        starts = await keeper.restore({INPUT})
        await ticking[0]
        return starts

    assert asyncio.run(again()) == {INPUT: 5}
    assert not keeper.folds()
    assert keeper.fenced_at is not None
