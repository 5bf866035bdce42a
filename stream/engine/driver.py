"""Shell. A Faust transport that carries one message per fetched batch, and leaves offsets to checkpoints.

Stock Faust spends its time per message, not per byte: one task, one lock and one acknowledgement each. Here a
message's value is the list of records that one fetch brought for one partition. Its acknowledgements are only
used to know when the agent is idle: the offsets to go on from are those in the checkpoint (see ``checkpoint``).
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from typing import Any, cast

import faust
import structlog
from aiokafka.errors import KafkaError, KafkaTimeoutError, NoOffsetForPartitionError, OffsetOutOfRangeError
from faust.transport.drivers import aiokafka as stock
from faust.types import TP, ConsumerMessage, Message
from mode import Service
from mode.utils.futures import notify

from stream.engine.alignment import Place, ahead
from stream.engine.batch import Batch
from stream.engine.damaged import Damaged
from stream.engine.fetching import ConsumerThread
from stream.engine.keeper import Keeper
from stream.engine.partition import Record
from stream.engine.restore import InputGone
from stream.engine.takeover import Takeover

LOG = structlog.get_logger()
REWRITTEN = "Kafka has deleted the topic and made it again; all that this process knows is written anew"
GROUP_S = 5.0
"""Between two looks whether this process is still in its group."""


class MadeAgain(Exception):
    """An input goes on below what was read of it: what comes would be taken for known, and passed over."""

    def __init__(self, tp: TP, offset: int, read_until: int) -> None:
        super().__init__(
            f"{tp.topic}-{tp.partition} goes on at offset {offset}, but was read up to {read_until}: the topic"
            " was made again, or has lost its end; want a topic of another name (docs/operations.md)"
        )


class BatchSchema(faust.Schema):  # type: ignore[type-arg]
    """Hands the fetched batch to the agent as it is; decoding belongs to the fold."""

    def loads_key(self, app: Any, message: Message, **_: Any) -> Any:
        """Return no key: a batch has many."""
        return None

    def loads_value(self, app: Any, message: Message, **_: Any) -> Any:
        """Return the list of records."""
        return message.value


class Consumer(stock.Consumer):
    """Delivers batches; commits only what a checkpoint made durable."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._places: dict[TP, Place] = {}
        self._delivered: dict[TP, int] = {}
        self._sought_on: Any = None
        """The assignment on which ``perform_seek`` sought; on a newer one a fetch may begin anywhere."""
        self._read_from: dict[TP, int] = {}
        """What the state wants next once all that was delivered is folded."""

    def _new_consumer_thread(self) -> ConsumerThread:
        return ConsumerThread(self, loop=self.loop, beacon=self.beacon)

    @Service.task
    async def _watch_group(self) -> None:
        """Stop the worker when it can't be in its group any more, or reads another log than it did.

        aiokafka tells the first only those who read, and the second nobody.
        """
        while not self.should_stop:
            await self.sleep(GROUP_S)
            try:
                await self.fetching.check_group()
                again = await self._made_again()
            except KafkaError as fault:
                await self.crash(fault)
                return
            if again:
                await self.crash(InputGone(again, "Kafka has deleted it and made it again"))
                return

    async def _made_again(self) -> list[str]:
        """Return the inputs that are another log by now; have all state written where its log is another.

        While partitions are restored that has to wait: the keeper does not have all of them.
        """
        again = await self.fetching.made_again()
        checkpoints: str = cast(Any, self.app).custody.checkpoints
        if checkpoints in again and not self._keeper.restoring:
            LOG.error("checkpoints made again", topic=checkpoints, meaning=REWRITTEN)
            self._keeper.rewrite()
            self.fetching.forget_id(checkpoints)
        return [topic for topic in again if topic != checkpoints]

    @property
    def fetching(self) -> ConsumerThread:
        """Return the thread that fetches."""
        return cast(ConsumerThread, self._thread)

    @property
    def _keeper(self) -> Keeper:
        return cast(Any, self.app).keeper  # type: ignore[no-any-return]

    @property
    def _takeover(self) -> Takeover:
        return cast(Any, self.app).takeover  # type: ignore[no-any-return]

    async def getmany(self, timeout: float) -> AsyncIterator[tuple[TP, ConsumerMessage]]:  # noqa: ASYNC109
        """Yield one message per partition and fetch."""
        epoch = self._keeper.epoch
        records, active = await self._wait_next_records(timeout)
        if self.fetching.gone:
            await self.crash(InputGone(self.fetching.gone, "Kafka did not have it, so it was deleted"))
            return
        if not records or self.should_stop:
            return
        self._delivered |= {tp: batch[-1].offset + 1 for tp, batch in records.items() if batch}
        for tp, batch in records.items():
            if not self.flow_active or self._keeper.epoch != epoch:
                await self._read_again(records)
                return
            if batch and (active is None or tp in active or tp in self._buffered_partitions):
                self._read_from[tp] = batch[-1].offset + 1
                self._places[tp] = Place(batch[-1].timestamp, time.monotonic(), has_more=True)
                yield tp, self._batch_message(tp, batch, epoch)

    async def _getmany(self, active_partitions: Any, timeout: float) -> Any:  # noqa: ASYNC109
        """Fetch, but not from what is ahead of its siblings."""
        active: set[TP] = set(active_partitions or ())
        by_number: dict[int, list[TP]] = {}
        for tp in active:
            by_number.setdefault(tp.partition, []).append(tp)
        places: dict[TP, Place] = {tp: self._place(tp) for tp in active}
        siblings: dict[TP, list[TP]] = {tp: by_number[tp.partition] for tp in active}
        leading: set[TP] = ahead(places, siblings, time.monotonic())
        try:
            return await super()._getmany(active - leading, timeout)
        except NoOffsetForPartitionError:  # it was assigned anew, and is not sought yet
            return {}
        except Damaged as fault:
            await self.crash(fault)
            return {}
        except OffsetOutOfRangeError as fault:
            (wanted,) = fault.args
        for tp, position in wanted.items():
            await self._find_start(tp, position)
        return {}

    async def _find_start(self, tp: TP, position: int) -> None:
        """Go on where the log begins now, above what was read; end when it does not: it was made again."""
        epoch, sought_on = self._keeper.epoch, self._sought_on
        if self.fetching.generation() is not sought_on:
            return
        try:
            first = (await self.fetching.earliest_offsets(tp))[tp]
        except KafkaTimeoutError:  # the next fetch asks again
            return
        if self._keeper.epoch != epoch:
            return
        if first <= position:
            await self.crash(MadeAgain(tp, first, position))
            return
        self._keeper.pass_over(tp, self._read_from[tp], first)
        self._read_from[tp] = first
        await self.fetching.seek_to({tp: first}, sought_on)

    def _place(self, tp: TP) -> Place:
        place = self._places.setdefault(tp, Place(float("-inf"), time.monotonic(), has_more=False))
        position, end = self.fetching.reach(tp)
        return place._replace(has_more=position < end)

    def end(self, tp: TP) -> int | None:
        """Return below which offset records wait, or were folded, as the last fetch told; ``None``: not known."""
        position, end = self.fetching.reach(tp)
        return end if position < end else self._delivered.get(tp)

    async def _read_again(self, places: Iterable[TP]) -> None:
        """Go back to where the state stands: the fetch moved on past records that nobody will fold.

        A fetch that began before a rebalance may end after it, and then its records are not taken.
        """
        for tp in places:
            offset = self._keeper.next_offset(tp)
            if offset is not None and tp in self.assignment():
                await self._seek(tp, offset)  # at once: a restore that came in between would be undone
                self._read_from[tp] = offset

    def _batch_message(self, tp: TP, batch: Sequence[Record], epoch: int) -> ConsumerMessage:
        last = batch[-1]
        return ConsumerMessage(
            topic=tp.topic,
            partition=tp.partition,
            offset=last.offset,
            timestamp=last.timestamp / 1000.0,
            timestamp_type=0,
            headers=None,
            key=None,
            value=cast(Any, Batch(batch, epoch)),
            checksum=None,
            tp=tp,
            generation_id=self.app.consumer_generation_id,
        )

    async def perform_seek(self) -> None:
        """Restore the state of what was assigned, and read on from there: flow resumes right after this."""
        async with self._takeover.limited():
            offsets = await self._keeper.restore(self.assignment())
            sought_on = await self.fetching.seek_to(offsets)
            await self._made_again()  # what is seen now is what later looks are held against
        for tp, offset in offsets.items():
            self._read_offset[tp] = None
            self._committed_offset[tp] = offset
        self._places, self._delivered, self._read_from, self._sought_on = {}, {}, dict(offsets), sought_on
        self._keeper.resume()

    async def commit(self, topics: Any = None, start_new_transaction: bool = True) -> bool:
        """Checkpoint what is due. Faust asks for it in its own time; nothing is ever committed without."""
        return await self.tell(await self._keeper.checkpoint_due())

    async def force_commit(self, topics: Any = None, start_new_transaction: bool = True) -> bool:
        """Checkpoint everything."""
        return await self.tell(await self._keeper.checkpoint())

    async def tell(self, offsets: Mapping[TP, int]) -> bool:
        """Tell the group what is durable, for lag monitors only.

        A thread that a crash has ended answers nobody.
        """
        owned = {tp: offset for tp, offset in offsets.items() if tp in self.assignment()}
        if not owned or self.fetching.should_stop or not await self._commit(owned):
            return False
        self._committed_offset.update(owned)
        self.app.monitor.on_tp_commit(owned)
        await self._keeper.told()
        return True

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Finish the batch in hand and checkpoint while the partitions are still ours; then forget them."""
        self._takeover.void()
        await super().on_partitions_revoked(revoked)
        try:
            await self.force_commit()
        finally:
            self._keeper.release()

    async def on_partitions_assigned(self, assigned: set[TP], generation_id: int = 0) -> None:
        """Give everything back when nothing was assigned: Faust restores only when something was."""
        self._takeover.decided()
        await super().on_partitions_assigned(assigned, generation_id)
        if not assigned:
            await self._keeper.close_parked()
            self._keeper.resume()

    async def on_stop(self) -> None:
        """Finish the batch in hand and checkpoint it (Faust commits here), then give the partitions back."""
        await super().on_stop()
        await self.force_commit()
        await self._keeper.close()

    def ack(self, message: Message) -> bool:
        """Note that the agent is done with a batch; offsets come from the state, not from here."""
        message.acked = True
        self._unacked_messages.discard(message)
        notify(self._waiting_for_ack)
        return True

    async def _add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None:
        """Do nothing: batches, transactions and compaction leave holes by nature."""


class Transport(stock.Transport):
    """The aiokafka transport with this module's consumer."""

    Consumer = Consumer
