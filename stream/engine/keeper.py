"""Shell. Keeps the folds of all assigned partitions: takes them over, feeds and checkpoints them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from functools import partial
from typing import Any

import structlog
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError, ProducerFenced

from stream.engine.backlog import Reach
from stream.engine.batch import Batch
from stream.engine.checkpoint import why_fenced
from stream.engine.custody import Custody
from stream.engine.hanging import hidden
from stream.engine.held import Held, look_again, look_ahead
from stream.engine.liveness import Lag
from stream.engine.partition import Partition
from stream.engine.precedence import Precedence
from stream.engine.probe import Step
from stream.engine.reading import EVERYTHING
from stream.engine.restore import Restore, refuse_fewer
from stream.engine.telemetry import EngineTelemetry
from stream.garbage import collect_all

LOG = structlog.get_logger()


class Keeper:
    """The state behind one process's assignment. All methods run on the worker's event loop."""

    def __init__(self, custody: Custody, telemetry: EngineTelemetry) -> None:
        self._custody, self._telemetry = custody, telemetry
        self._held, self._parked = dict[int, Held](), dict[int, Held]()
        self._writing = asyncio.Lock()
        self.epoch = self.folded = 0
        self.urgent, self.precedence = asyncio.Event(), Precedence()
        self.restoring = False
        self.fenced_at: float | None = None

    def folds(self) -> Mapping[int, Partition]:
        """Return the live folds by partition number."""
        return {number: held.fold for number, held in self._held.items()}

    def apply(self, batch: Batch) -> bool:
        """Fold one fetched batch, but not what the state includes already; return whether to apply it again.

        That is so while more work follows from it than was done at one go.
        While partitions are restored nothing is: a batch that came before its state was passed over, and to fold
        the next one would leave a hole.
        """
        records = batch.records
        topic, held = records[0].topic, self._held.get(records[0].partition)
        if held is None or self.restoring or batch.epoch != self.epoch:
            return False
        start = held.offsets.get(topic, 0)
        records = records if records[0].offset >= start else [one for one in records if one.offset >= start]
        if not (records or held.fold.is_behind):
            return False
        if held.apply(topic, records):
            self._urge(held)
        self.folded += len(records)
        return held.fold.is_behind

    def pass_over(self, tp: Any, end: int, first: int) -> None:
        """Go on at ``first`` once all below ``end`` is folded: Kafka has deleted what is between."""
        held = self._held.get(tp.partition)
        if held is not None:
            held.losses.gap(tp, end, first)
            held.offsets[tp.topic] = held.losses.behind(tp.topic, held.offsets[tp.topic])
            if held.losses.passed:
                self._urge(held)

    def is_full(self) -> bool:
        """Return whether a partition's next checkpoint is to be written before anything more is folded."""
        return any(held.cadence.is_full() for held in self._held.values())

    def next_offset(self, tp: Any) -> int | None:
        """Return the offset that the state wants next of an input; ``None`` when it is not held."""
        held = self._held.get(tp.partition)
        return None if held is None else held.offsets.get(tp.topic)

    def _urge(self, held: Held) -> None:
        held.changed = held.urgent = True
        self.urgent.set()
        self.precedence.begin()

    def urge(self, number: int) -> None:
        """Write a partition's checkpoint soon."""
        if number in self._held:
            self._urge(self._held[number])

    def rewrite(self) -> None:
        """Write soon all that is known; what is parked, once it comes back."""
        for held in (*self._parked.values(), *self._held.values()):
            held.fold.rewrite()
            self._urge(held)

    async def end_hidden(self) -> None:
        """End once more, with the next checkpoint, what was committed and can't be read."""
        for number in await hidden(self._custody, self._held):
            self.urge(number)

    async def checkpoint(self) -> Mapping[Any, int]:
        """Write every changed partition; return the offsets that are durable now."""
        return await self._checkpoint(lambda _: True)

    async def checkpoint_due(self) -> Mapping[Any, int]:
        """Write the partitions that are urgent or whose interval is over; return the offsets durable now."""
        self.urgent.clear()
        now = time.monotonic()
        for held in self._held.values():
            held.changed = held.changed or held.cadence.is_idle(now)
        return await self._checkpoint(lambda held: held.urgent or held.cadence.is_due(now))

    async def _checkpoint(self, wanted: Callable[[Held], bool]) -> Mapping[Any, int]:
        """Write the wanted ones in turn; what became urgent meanwhile goes before the next one."""
        durable: dict[Any, int] = {}
        async with self._writing:
            durable |= await self._write_urgent()
            for number in [number for number, held in self._held.items() if wanted(held)]:
                durable |= await self._write_changed(number)
                durable |= await self._write_urgent()
        return durable

    async def _write_urgent(self) -> Mapping[Any, int]:
        durable: dict[Any, int] = {}
        for number in [number for number, held in self._held.items() if held.urgent]:
            durable |= await self._write_changed(number)
        if not any(held.urgent for held in self._held.values()):
            self.precedence.end()
        return durable

    async def _write_changed(self, number: int) -> Mapping[Any, int]:
        held = self._held.get(number)
        return {} if held is None or not held.changed else await self._write(number, held)

    async def _write(self, number: int, held: Held) -> Mapping[Any, int]:
        """Write one partition; nothing is durable when it has another owner by now."""
        began = time.monotonic()
        held.changed = held.urgent = False
        held.cadence.begun()
        offsets = dict(held.offsets)
        lost, held.losses.passed = held.losses.passed, {}
        try:
            flush = held.fold.freeze(offsets)
            await self._custody.probe(Step.FROZEN)
            written = await held.checkpoint.write(flush, offsets)
            await held.settle()
        except ProducerFenced:
            LOG.warning("fenced", partition=number, meaning=why_fenced(time.monotonic() - began))
            await self._drop(number, held)
            self.fenced_at = time.monotonic()
            return {}
        except BaseException:
            # whether it was written is unknown: only a restore can tell, so nothing of this state goes on
            await self._drop(number, held)
            raise
        if self._held.get(number) is not held:  # parked while it was written
            held.fold.suspend()
        await self._custody.probe(Step.STORED)
        now = time.monotonic()
        took_s = now - began
        held.cadence.written(now, took_s, written.states, len(self._held), self._custody.interval_s)
        self._telemetry.checkpointed(took_s, written.size)
        if self._held.get(number) is held:
            self._telemetry.saved(number, written.size)
        self._telemetry.passed_over(lost)
        return {TopicPartition(topic, number): at for topic, at in offsets.items()}

    async def _drop(self, number: int, held: Held) -> None:
        for place in (self._held, self._parked):
            if place.get(number) is held:
                del place[number]
        held.fold.close()
        await held.checkpoint.close()

    async def told(self) -> None:
        """Learn that the group knows the durable offsets."""
        await self._custody.probe(Step.TOLD)

    async def restore(self, assigned: set[Any]) -> Mapping[Any, int]:
        """Take over the assigned input partitions; return where to read each of their topics.

        Nothing is folded before ``resume``, which is to be called once that is where they are read.
        """
        custody, inputs = self._custody, self._custody.inputs
        numbers = sorted({tp.partition for tp in assigned if tp.topic in inputs})
        refuse_fewer(inputs, numbers, assigned)
        self.restoring = True
        self.epoch += 1
        self._park()
        async with self._writing, custody.reader() as consumer, custody.reader(EVERYTHING) as everything:
            restore = Restore(consumer, everything, custody, self._telemetry)
            for number in numbers:
                if not await self._unpark(number):
                    await self._take(number, restore)
            self.fenced_at = None
            await look_ahead(consumer, inputs, self._held)
            starts = {tp: self._held[tp.partition].offsets[tp.topic] for tp in assigned if tp.topic in inputs}
        await self.close_parked()  # a checkpoint may come before, and find that a partition is another's
        self._telemetry.partitions.set(len(numbers))
        collect_all()
        LOG.info("assigned", partitions=numbers)
        return starts

    def resume(self) -> None:
        """Fold again; what was fetched until now was read from other places."""
        self.epoch += 1
        self.restoring = False

    async def _take(self, number: int, restore: Restore) -> None:
        began = time.monotonic()
        checkpoint = self._custody.checkpoint(number)
        async with AsyncExitStack() as opened:
            opened.push_async_callback(checkpoint.close)
            await checkpoint.open()
            held = Held(self._custody.factory(number, partial(self.urge, number)), checkpoint)
            opened.callback(held.fold.close)
            held.offsets = await restore.into(number, held.fold, checkpoint, held.losses)
            held.changed = bool(held.losses.passed or checkpoint.unseen.places)
            await held.settle()
            opened.pop_all()
        self._held[number] = held
        self._telemetry.restored(number, time.monotonic() - began)

    def look_again(self, number: int) -> None:
        """Write a partition's checkpoint soon, and tell its fold once more when it has caught up."""
        held = self._held.get(number)
        if held is not None:
            held.backlog, held.doubted_at = None, time.monotonic()
            self._urge(held)

    async def catch_up(self, fetched: Callable[[], Awaitable[Mapping[Any, Reach]]]) -> None:
        """Tell each fold, once, when it has folded what its inputs had at the takeover, or when it was in doubt.

        ``fetched`` tells how far they were fetched; it is asked only while a fold is behind.
        """
        if not self.restoring:
            await look_again(self._custody, self._held)
        epoch = self.epoch
        if self.restoring or all(held.backlog is None for held in self._held.values()):
            return
        reaches = await fetched()
        for number, held in self._held.items() if self.epoch == epoch else ():
            mine = {tp.topic: reach for tp, reach in reaches.items() if tp.partition == number}
            held.catch_up(mine, time.monotonic())

    async def _unpark(self, number: int) -> bool:
        """Go on with the state of a partition that came back, if nobody owned it since: a commit proves that."""
        held = self._parked.pop(number, None)
        if held is None:
            return False
        self._held[number] = held
        try:
            return bool(await self._write(number, held))
        except KafkaError as fault:
            LOG.warning("not gone on with", partition=number, fault=repr(fault), meaning="restored anew")
            return False

    def release(self) -> None:
        """Stop folding: the partitions may have another owner from here on."""
        self.epoch += 1
        self.fenced_at = None
        self._park()
        self._telemetry.forget()

    def _park(self) -> None:
        """Keep the state for the case that the partition comes back."""
        parked, self._held = self._held, {}
        self._parked |= parked
        for held in parked.values():
            held.doubted_at = None
            held.fold.suspend()

    async def close_parked(self) -> None:
        """Give back what did not come back; a checkpoint under way still needs its store and its producer."""
        async with self._writing:
            for number, held in list(self._parked.items()):
                await self._drop(number, held)

    async def close(self) -> None:
        """Give everything back; call after the last checkpoint."""
        self.release()
        await self.close_parked()

    def measure_lag(self, end: Callable[[Any], int | None]) -> Mapping[int, Lag]:
        """Set the lag metrics, and return the lags by partition; ``end``: below which offset records are."""
        lags: dict[int, Lag] = {}
        for number, held in self._held.items():
            waiting = held.waiting(number, end)
            for topic, behind in waiting.items():
                self._telemetry.lag.labels(topic, number).set(behind)
            lags[number] = Lag(sum(waiting.values()), sum(held.offsets.values()) + held.goes)
        return lags
