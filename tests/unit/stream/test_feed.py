"""Folding stops while what waits for a checkpoint can't be written, and the process is taken for stalled then."""

import asyncio
from types import SimpleNamespace

import pytest

from stream.engine.app import _feed
from stream.engine.batch import Batch
from stream.engine.cadence import FULL, MOST_BYTES
from stream.engine.checkpoint import Written
from stream.engine.held import Held
from stream.engine.liveness import STALL_S, Liveness
from stream.engine.partition import Flush
from tests.unit.stream.keepers import keeper_of


class Refusing:
    """A fold that refuses every record; its checkpoint, which waits until the broker is there."""

    is_behind = False

    def __init__(self):
        self.folded = self.waiting_bytes = self.most_bytes = 0
        self.broker = asyncio.Event()

    def apply(self, records):
        self.folded += len(records)
        self.waiting_bytes += MOST_BYTES // 2
        self.most_bytes = max(self.most_bytes, self.waiting_bytes)
        return False

    def freeze(self, offsets):
        self.waiting_bytes = 0
        return Flush([], [])

    def committed(self):
        return ()

    async def write(self, flush, offsets):
        await self.broker.wait()
        return Written(0, 0)


class Behind(Refusing):
    """A fold that needs three goes for a batch; what it was applied, and what its checkpoints included."""

    def __init__(self):
        super().__init__()
        self.told = []

    @property
    def is_behind(self):
        return len([one for one in self.told if isinstance(one, int)]) % 3 > 0

    def apply(self, records):
        self.told.append(len(records))
        return False

    def freeze(self, offsets):
        self.told.append(offsets)
        return Flush([], [])


class App:
    """An application that runs its agent over these batches, and commits when it is asked to."""

    rebalancing = should_stop = False

    def __init__(self, keeper):
        self.keeper, self.consumer = keeper, self
        self.commit = keeper.checkpoint_due

    def topic(self, *inputs, schema):
        return inputs

    def agent(self, inputs):
        return lambda fold: setattr(self, "fold", fold)


async def fetched(epoch, count):
    for offset in range(count):
        yield Batch([SimpleNamespace(topic="i", partition=0, offset=offset)], epoch)


async def settled():
    for _ in range(1_000):
        await asyncio.sleep(0)


async def feed(count):
    """Return the fold and whether the process was alive, without a broker, then the fold's count with it."""
    keeper, fold, liveness = keeper_of(), Refusing(), Liveness()
    keeper._held[0] = Held(fold, fold, {"i": 0})
    app = App(keeper)
    _feed(app, ("i",))
    folding = asyncio.create_task(app.fold(fetched(keeper.epoch, count)))
    await settled()
    without = fold.folded
    for now in (0.0, STALL_S + 1.0):
        is_stalled = liveness.look(keeper.measure_lag(lambda _: count), now, is_kept=False)
        await settled()
    fold.broker.set()
    await folding
    return fold, without, is_stalled


def test_folding_stops_until_what_waits_is_written_and_goes_on_then():
    fold, without, is_stalled = asyncio.run(feed(50))
    assert without == 2 * FULL
    assert is_stalled
    assert fold.folded == 50
    assert fold.most_bytes == FULL * MOST_BYTES


async def feed_behind(meanwhile):
    """Return what a fold was told that is behind after each batch, when this was done after its first go."""
    keeper, fold = keeper_of(interval_s=0.0), Behind()
    fold.broker.set()
    keeper._held[0] = Held(fold, fold, {"i": 0})
    app = App(keeper)
    _feed(app, ("i",))
    folding = asyncio.create_task(app.fold(fetched(keeper.epoch, 2)))
    await asyncio.sleep(0)
    await meanwhile(app)
    await folding
    return fold.told


def test_what_a_batch_leaves_to_do_is_done_before_the_next_one_and_a_checkpoint_may_come_in_between():
    told = asyncio.run(feed_behind(lambda app: app.keeper.checkpoint()))
    assert [one for one in told if isinstance(one, int)] == [1, 0, 0, 1, 0, 0]
    assert {"i": 1} in told[1:4]


@pytest.mark.parametrize("sign", ["rebalancing", "should_stop"])
def test_what_a_batch_leaves_to_do_keeps_no_rebalance_and_no_stop_waiting(sign):
    async def come(app):
        setattr(app, sign, True)

    assert asyncio.run(feed_behind(come)) == [1, 0, 1]  # who has it then goes on with its next batch


def test_a_fold_that_goes_on_with_what_a_batch_left_is_alive():
    lags, liveness = [], Liveness()

    async def look(app):
        lags.append(app.keeper.measure_lag(lambda _: 9))
        await asyncio.sleep(0)
        lags.append(app.keeper.measure_lag(lambda _: 9))

    asyncio.run(feed_behind(look))
    assert lags[0][0].waiting == lags[1][0].waiting
    assert not any(liveness.look(lag, now, is_kept=False) for now, lag in zip((0, 99), lags, strict=True))
