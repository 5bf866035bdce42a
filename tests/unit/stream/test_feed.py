"""Folding stops while what waits for a checkpoint can't be written, and the process is taken for stalled then."""

import asyncio
from types import SimpleNamespace

from prometheus_client import CollectorRegistry

from stream.engine.app import _feed
from stream.engine.batch import Batch
from stream.engine.cadence import FULL, MOST_BYTES
from stream.engine.checkpoint import Written
from stream.engine.held import Held
from stream.engine.keeper import Custody, Keeper
from stream.engine.liveness import STALL_S, Liveness
from stream.engine.partition import Flush
from stream.engine.probe import nothing
from stream.engine.telemetry import EngineTelemetry


class Refusing:
    """A fold that refuses every record; its checkpoint, which waits until the broker is there."""

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


class App:
    """An application that runs its agent over these batches, and commits when it is asked to."""

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
    custody = Custody(
        options={}, group="g", inputs=("i",), checkpoints="c", factory=None, interval_s=1.0, probe=nothing
    )
    keeper, fold, liveness = Keeper(custody, EngineTelemetry(CollectorRegistry())), Refusing(), Liveness()
    keeper._held[0] = Held(fold, fold, {"i": 0})
    app = App(keeper)
    _feed(app, ("i",))
    folding = asyncio.create_task(app.fold(fetched(keeper.epoch, count)))
    await settled()
    without = fold.folded
    for now in (0.0, STALL_S + 1.0):
        is_stalled = liveness.look(keeper.measure_lag(lambda _: count), now, is_moving=False)
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
