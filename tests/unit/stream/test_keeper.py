"""What a keeper holds is given back only when nobody is writing it."""

import asyncio
import time
from dataclasses import replace
from types import SimpleNamespace
from typing import NamedTuple

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError, ProducerFenced
from structlog.testing import capture_logs

from stream.engine.batch import PART, Batch
from stream.engine.cadence import IDLE_S
from stream.engine.checkpoint import CheckpointError, Written, marker_of
from stream.engine.held import Held
from stream.engine.partition import Flush
from stream.engine.unseen import Unseen
from tests.unit.stream.keepers import keeper_of


class Slow:
    """A fold and its writing, which waits until it is let go on; ``told`` is what happened, in order."""

    waiting_bytes = 0

    def __init__(self):
        self.told = []
        self.writing, self.go_on = asyncio.Event(), asyncio.Event()

    def freeze(self, offsets):
        return Flush([], [])

    def committed(self):
        yield  # others run before all is stored
        self.told.append("stored")

    def suspend(self):
        self.told.append("suspended")

    def close(self):
        self.told.append("store closed")

    async def write(self, flush, offsets):
        self.writing.set()
        await self.go_on.wait()
        self.told.append("acknowledged")
        return Written(0, 0)


class Checkpoint:
    unseen = Unseen()

    def __init__(self, fold):
        self.write, self.told = fold.write, fold.told
        self.client = SimpleNamespace(send=None, coordinator_lookup=None)

    async def close(self):
        self.told.append("producer closed")


def lost(keeper):
    """Return how many records of the input are counted as lost."""
    return keeper._telemetry.lost.labels("i")._value.get()


def test_what_becomes_urgent_is_written_before_the_others_that_are_due():
    async def written():
        keeper, order = keeper_of(), []
        for number in range(4):
            fold = Slow()
            fold.go_on.set()
            fold.committed = lambda number=number: [order.append(number)]
            keeper._held[number] = Held(fold, Checkpoint(fold), {"i": 1}, changed=True)
        first, last = keeper._held[0], keeper._held[3]
        first.fold.go_on.clear()
        ticking = asyncio.create_task(keeper.checkpoint_due())
        await first.fold.writing.wait()
        keeper._urge(last)
        first.fold.go_on.set()
        return order, await ticking

    order, durable = asyncio.run(written())
    assert order == [0, 3, 1, 2]
    assert len(durable) == 4


class Fold(Slow):
    """A fold that remembers the offsets that it was given."""

    is_behind = False

    def __init__(self):
        super().__init__()
        self.offsets = []

    def apply(self, records):
        self.offsets += [record.offset for record in records]
        return False


class Rec(NamedTuple):
    offset: int
    topic: str = "i"
    partition: int = 0


def test_a_large_batch_is_folded_in_pieces_that_are_all_of_it():
    batch = Batch([Rec(number) for number in range(2 * PART + 7)], 3)
    parts = [*batch.parts()]
    assert [len(one.records) for one in parts] == [PART, PART, 7]
    assert [record for one in parts for record in one.records] == batch.records
    assert {one.epoch for one in parts} == {3}


def test_what_is_fetched_while_a_partition_is_restored_is_not_folded_behind_a_hole():
    keeper, fold = keeper_of(), Fold()
    keeper.restoring = True
    keeper.apply(Batch([Rec(5), Rec(6)], keeper.epoch))  # its state is not there yet
    keeper._held[0] = Held(fold, Checkpoint(fold), {"i": 5})
    fetched_before = keeper.epoch
    keeper.apply(Batch([Rec(7), Rec(8)], fetched_before))
    keeper.resume()
    keeper.apply(Batch([Rec(9)], fetched_before))
    assert (fold.offsets, keeper.next_offset(Rec(0))) == ([], 5)
    keeper.apply(Batch([Rec(5), Rec(6)], keeper.epoch))
    assert (fold.offsets, keeper.next_offset(Rec(0))) == ([5, 6], 7)


def test_a_checkpoint_under_way_is_finished_before_its_partition_is_given_back():
    async def close_while_writing():
        keeper, fold = keeper_of(), Slow()
        keeper._held[0] = Held(fold, Checkpoint(fold), {"i": 1}, changed=True)
        ticking = asyncio.create_task(keeper.checkpoint())
        await fold.writing.wait()
        closing = asyncio.create_task(keeper.close())
        await asyncio.sleep(0.01)
        fold.go_on.set()
        await asyncio.gather(ticking, closing)
        return fold.told

    told = asyncio.run(close_while_writing())
    assert told == ["suspended", "acknowledged", "stored", "suspended", "store closed", "producer closed"]


def test_of_a_partition_that_was_given_back_while_it_was_written_nothing_is_shown():
    async def release_while_writing():
        keeper, fold = keeper_of(), Slow()
        keeper._held[0] = Held(fold, Checkpoint(fold), {"i": 1}, changed=True)
        ticking = asyncio.create_task(keeper.checkpoint())
        await fold.writing.wait()
        keeper.release()
        fold.go_on.set()
        await ticking
        telemetry = keeper._telemetry
        counts = [
            one.value for one in telemetry.checkpoint_seconds.collect()[0].samples if "count" in one.name
        ]
        shown = [gauge.collect()[0].samples for gauge in (telemetry.checkpoint_at, telemetry.checkpoint_size)]
        return counts, shown

    assert asyncio.run(release_while_writing()) == ([1], [[], []])


def test_a_partition_whose_disk_fails_is_given_back_for_its_state_would_miss_what_was_not_written():
    async def write():
        keeper, fold = keeper_of(), Slow()
        fold.go_on.set()

        def committed():
            yield
            raise OSError("no space left on device")

        fold.committed = committed
        keeper._held[0] = Held(fold, Checkpoint(fold), {"i": 1}, changed=True)
        with pytest.raises(OSError, match="no space"):
            await keeper.checkpoint()
        return keeper.folds(), fold.told

    assert asyncio.run(write()) == ({}, ["acknowledged", "store closed", "producer closed"])


def test_a_partition_that_comes_back_is_shown_again_after_a_commit_that_proves_that_nobody_had_it():
    async def park_and_come_back():
        keeper, fold = keeper_of(), Slow()
        fold.go_on.set()
        keeper._held[0] = Held(fold, Checkpoint(fold), {"i": 1})
        keeper.release()
        assert await keeper._unpark(0)
        return fold.told

    assert asyncio.run(park_and_come_back()) == ["suspended", "acknowledged", "stored"]


def refusing(fold, fault):
    """Return a checkpoint of the fold that can't be written."""

    async def refuse(flush, offsets):
        fold.told.append("refused")
        raise fault

    checkpoint = Checkpoint(fold)
    checkpoint.write = refuse
    return checkpoint


def test_a_fenced_partition_is_durable_nowhere_and_given_back_while_the_others_are_written():
    async def fenced():
        keeper, fold, other = keeper_of(), Slow(), Slow()
        other.go_on.set()
        keeper._held[0] = Held(fold, refusing(fold, ProducerFenced("m")), {"i": 7}, changed=True)
        keeper._held[1] = Held(other, Checkpoint(other), {"i": 3}, changed=True)
        began = time.monotonic()
        durable = await keeper.checkpoint()
        keeper.apply(Batch([Rec(8)], keeper.epoch))  # fetched before anybody knew
        return keeper, fold.told, durable, began

    keeper, told, durable, began = asyncio.run(fenced())
    assert told == ["refused", "store closed", "producer closed"]
    assert durable == {TopicPartition("i", 1): 3}
    assert (keeper.next_offset(Rec(8)), [*keeper.folds()]) == (None, [1])
    assert keeper.fenced_at is not None
    assert keeper.fenced_at >= began


@pytest.mark.parametrize(
    ("longest_s", "meaning"),
    [(60.0, "another process owns it"), (-1.0, "a slow broker, or a quota")],
    ids=["at once", "after a transaction's time"],
)
def test_who_is_fenced_is_told_whether_kafka_was_too_slow(monkeypatch, longest_s, meaning):
    async def fenced():
        keeper, fold = keeper_of(), Slow()
        keeper._held[0] = Held(fold, refusing(fold, ProducerFenced("m")), {"i": 7}, changed=True)
        await keeper.checkpoint()

    monkeypatch.setattr("stream.engine.checkpoint.TRANSACTION_S", longest_s)
    with capture_logs() as logs:
        asyncio.run(fenced())
    (line,) = logs
    assert meaning in line["meaning"]


@pytest.mark.parametrize(
    "fault",
    [ProducerFenced("m"), KafkaError("producer id mapping")],
    ids=["another had it", "Kafka does not know it any more"],
)
def test_a_partition_that_comes_back_and_is_refused_is_restored(fault):
    async def come_back():
        keeper, fold = keeper_of(), Slow()
        keeper._held[0] = Held(fold, refusing(fold, fault), {"i": 7})
        keeper.release()
        return await keeper._unpark(0), keeper, fold.told

    is_mine, keeper, told = asyncio.run(come_back())
    assert not is_mine, "it has to be restored"
    assert not keeper.folds()
    assert told == ["suspended", "refused", "store closed", "producer closed"]


def test_a_partition_that_was_quiet_for_a_day_is_written_though_nothing_changed():
    async def tick():
        keeper, fold = keeper_of(), Slow()
        fold.go_on.set()
        keeper._held[0] = held = Held(fold, Checkpoint(fold), {"i": 7})
        before = await keeper.checkpoint_due()
        held.cadence._idle_since -= IDLE_S + 1.0
        return before, await keeper.checkpoint_due(), await keeper.checkpoint_due()

    before, idle, after = asyncio.run(tick())
    assert (before, idle, after) == ({}, {TopicPartition("i", 0): 7}, {})


def test_a_write_of_which_nobody_knows_whether_it_was_done_is_told_and_its_state_is_given_back():
    async def broken():
        keeper, fold = keeper_of(), Slow()
        keeper._held[0] = Held(fold, refusing(fold, KafkaError("m")), {"i": 7}, changed=True)
        with pytest.raises(KafkaError):
            await keeper.checkpoint()
        return keeper, fold.told

    keeper, told = asyncio.run(broken())
    assert told == ["refused", "store closed", "producer closed"]
    assert not keeper.folds()
    assert keeper.fenced_at is None, "nobody else owns it, as far as is known"


def test_who_was_fenced_and_takes_part_in_a_rebalance_since_is_fenced_no_more():
    async def rebalance():
        keeper, fold = keeper_of(), Slow()
        keeper._held[0] = Held(fold, refusing(fold, ProducerFenced("m")), {"i": 7}, changed=True)
        await keeper.checkpoint()
        before = keeper.fenced_at
        keeper.release()
        return before, keeper.fenced_at

    before, since = asyncio.run(rebalance())
    assert before is not None
    assert since is None


@pytest.mark.parametrize(
    ("where", "told"),
    [
        ("opened", ["producer closed"]),
        ("made", ["producer closed"]),
        ("restored", ["store closed", "producer closed"]),
    ],
)
def test_a_partition_that_can_not_be_taken_leaves_nothing_open(where, told, monkeypatch):
    fold = Slow()

    async def fail_if(step):
        if step == where:
            raise KafkaError(step)

    def factory(number, urge):
        if where == "made":
            raise OSError(where)
        return fold

    async def take():
        checkpoint = Checkpoint(fold)
        checkpoint.open = lambda: fail_if("opened")
        monkeypatch.setattr("stream.engine.custody.Checkpoint", lambda *_: checkpoint)
        keeper = keeper_of(factory=factory)
        with pytest.raises((KafkaError, OSError), match=where):
            await keeper._take(0, SimpleNamespace(into=lambda *_: fail_if("restored")))
        return keeper.folds(), fold.told

    assert asyncio.run(take()) == ({}, told)


@pytest.mark.parametrize("marker", [b'{"schema":1,"offs', b"{}", b"", b'{"schema":9,"offsets":{}}'])
def test_a_marker_that_can_not_be_read_names_its_partition(marker):
    with pytest.raises(CheckpointError, match=r"partition=3.*(schema 9|can't be read)"):
        marker_of(marker, TopicPartition("checkpoints", 3))


def test_what_kafka_deleted_is_passed_when_the_fold_comes_to_it_and_counted_when_that_is_durable():
    async def fall_behind():
        keeper, fold = keeper_of(), Fold()
        checkpoint, writes = Checkpoint(fold), []

        async def write(flush, offsets):
            writes.append((offsets["i"], lost(keeper)))
            keeper.apply(
                Batch([Rec(9), Rec(10), Rec(11)], keeper.epoch)
            )  # only at the first time they are new
            return Written(0, 0)

        checkpoint.write = write
        keeper._held[0] = Held(fold, checkpoint, {"i": 5})
        keeper.pass_over(Rec(0), 7, 9)  # 5 and 6 are fetched and wait
        keeper.pass_over(Rec(0), 12, 20)  # so do 9 to 11, when more is deleted
        keeper.apply(Batch([Rec(5)], keeper.epoch))
        before = keeper.next_offset(Rec(0))
        keeper.apply(Batch([Rec(6)], keeper.epoch))
        return before, keeper.next_offset(Rec(0)), await keeper.checkpoint_due(), writes, lost(keeper)

    before, behind, durable, writes, counted = asyncio.run(fall_behind())
    assert (before, behind) == (6, 9)
    assert writes == [(9, 0), (20, 2)]
    assert (durable, counted) == ({TopicPartition("i", 0): 20}, 10)


def test_what_was_lost_behind_the_last_record_is_passed_though_nothing_comes():
    async def fall_behind():
        keeper, fold = keeper_of(), Slow()
        fold.go_on.set()
        keeper._held[0] = Held(fold, Checkpoint(fold), {"i": 5})
        with capture_logs() as told:
            keeper.pass_over(Rec(0), 5, 8)
        assert [(one["topic"], one["partition"], one["records"]) for one in told] == [("i", 0, 3)]
        return await keeper.checkpoint_due(), lost(keeper)

    assert asyncio.run(fall_behind()) == ({TopicPartition("i", 0): 8}, 3)


def test_what_was_lost_to_one_that_is_fenced_is_left_to_its_successor_to_count():
    async def fall_behind():
        keeper, fold = keeper_of(), Slow()
        keeper._held[0] = Held(fold, refusing(fold, ProducerFenced("m")), {"i": 5})
        keeper.pass_over(Rec(0), 5, 8)
        return await keeper.checkpoint(), lost(keeper)

    assert asyncio.run(fall_behind()) == ({}, 0)


def test_what_was_lost_before_a_restore_is_counted_by_the_next_checkpoint(monkeypatch):
    async def into(number, fold, checkpoint, losses):
        losses.gap(Rec(0), 3, 5)
        return {"i": losses.behind("i", 3)}

    async def opened():
        return None

    async def take():
        keeper, fold = keeper_of(), Slow()
        fold.go_on.set()
        checkpoint = Checkpoint(fold)
        checkpoint.open = opened
        monkeypatch.setattr("stream.engine.custody.Checkpoint", lambda *_: checkpoint)
        keeper._custody = replace(keeper._custody, factory=lambda *_: fold)
        await keeper._take(0, SimpleNamespace(into=into))
        before = lost(keeper)
        return before, await keeper.checkpoint_due(), lost(keeper)

    assert asyncio.run(take()) == (0, {TopicPartition("i", 0): 5}, 2)
