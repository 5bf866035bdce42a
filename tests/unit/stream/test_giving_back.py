"""A worker that is to give its partitions back does so, whatever it is doing and whatever fails."""

import asyncio
from contextlib import contextmanager
from types import SimpleNamespace

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError
from faust.tables.recovery import RebalanceAgain
from prometheus_client import CollectorRegistry

from stream.engine.app import Plan, build
from stream.engine.held import Held
from stream.settings import KafkaSettings

INPUT = TopicPartition("i", 0)


class Fold:
    """A fold whose checkpoint can't be written; ``told`` is what happened, in order."""

    waiting_bytes = 0

    def __init__(self):
        self.told = []

    def freeze(self, offsets):
        self.told.append("frozen")

    async def write(self, flush, offsets):
        raise KafkaError("no answer")

    def suspend(self):
        self.told.append("suspended")

    def close(self):
        self.told.append("store closed")


class Checkpoint:
    def __init__(self, fold):
        self.write = fold.write

    async def close(self):
        pass


@contextmanager
def working(assigned):
    """Yield an application that was assigned these, and has no broker."""
    plan = Plan(
        kafka=KafkaSettings(),
        group="g",
        inputs=("i",),
        outputs=(),
        checkpoints="c",
        factory=None,
        registry=CollectorRegistry(),
        host="127.0.0.1",
        port=6066,
        checkpoint_interval_s=1.0,
        restore_timeout_s=60.0,
    )
    app = build(plan)
    thread = app.consumer.fetching
    thread._consumer = SimpleNamespace(
        assignment=lambda: assigned, _subscription=SimpleNamespace(subscription=None)
    )
    try:
        yield app
    finally:
        thread.thread_loop.close()


def test_what_can_not_be_written_at_a_rebalance_is_given_back_with_all_the_rest():
    async def revoke():
        with working(set()) as app:
            broken, other = Fold(), Fold()
            app.keeper._held[0] = Held(broken, Checkpoint(broken), {"i": 7}, changed=True)
            app.keeper._held[1] = Held(other, Checkpoint(other), {"i": 7})
            with pytest.raises(KafkaError, match="no answer"):
                await app.consumer.on_partitions_revoked({INPUT})
            return app.keeper.folds(), broken.told, other.told

    assert asyncio.run(revoke()) == ({}, ["frozen", "store closed"], ["suspended"])


def test_a_worker_that_is_asked_to_end_gives_up_what_it_restores():
    async def stop():
        with working({INPUT}) as app:
            restoring, keeper = asyncio.Event(), app.keeper

            async def restore(assigned):
                async with keeper._writing:
                    restoring.set()
                    await asyncio.Event().wait()

            keeper.restore = restore
            seeking = asyncio.create_task(app.consumer.perform_seek())
            await restoring.wait()
            await asyncio.wait_for(app.on_stop(), 10)
            await seeking

    with pytest.raises(RebalanceAgain):
        asyncio.run(stop())
