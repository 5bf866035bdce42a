"""A partition has caught up when what lay in its inputs at the takeover is folded; it is told so once."""

import asyncio
from contextlib import asynccontextmanager
from types import SimpleNamespace

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import KafkaConnectionError
from faust.types import TP

from stream.engine.backlog import PATIENCE_S, Backlog, Reach
from stream.engine.batch import Batch
from stream.engine.fetching import ConsumerThread
from tests.unit.stream.keepers import keeper_of
from tests.unit.stream.test_keeper import Checkpoint, Fold, Rec

INPUT = TP("i", 0)


class Pager(Fold):
    """A fold that remembers when it was told that it has caught up."""

    def caught_up(self):
        self.told.append("caught up")


class Log:
    """A reader that knows where the input ends."""

    def __init__(self, end):
        self.end = end
        self._client = SimpleNamespace(send=None)

    async def end_offsets(self, tps):
        return dict.fromkeys(tps, self.end)


def taken_over(monkeypatch, end, offset):
    """Return a keeper that has just taken over partition 0, which goes on at ``offset``, and its fold."""
    fold = Pager()
    fold.go_on.set()
    checkpoint = Checkpoint(fold)

    @asynccontextmanager
    async def reader(*_):
        yield Log(end)

    async def opened():
        return None

    async def into(*_):
        return {"i": offset}

    checkpoint.open = opened
    monkeypatch.setattr("stream.engine.custody.reader", reader)
    monkeypatch.setattr("stream.engine.custody.Checkpoint", lambda *_: checkpoint)
    monkeypatch.setattr("stream.engine.keeper.Restore", lambda *_: SimpleNamespace(into=into))
    keeper = keeper_of(factory=lambda *_: fold)
    asyncio.run(keeper.restore({INPUT}))
    return keeper, fold


def look(keeper, *reach):
    """Have the keeper look how far the input was fetched; return whether it asked."""
    asked = []

    async def fetched():
        asked.append(True)
        return {INPUT: Reach(*reach)}

    asyncio.run(keeper.catch_up(fetched))
    return bool(asked)


def test_a_partition_without_a_backlog_has_caught_up_at_once(monkeypatch):
    keeper, fold = taken_over(monkeypatch, end=5, offset=5)
    assert fold.told[-1] == "caught up"
    keeper.resume()
    assert not look(keeper, 5, 5, 0)
    assert fold.told.count("caught up") == 1


def test_a_partition_has_caught_up_once_its_backlog_is_folded_and_is_told_so_once(monkeypatch):
    keeper, fold = taken_over(monkeypatch, end=9, offset=5)
    keeper.resume()
    look(keeper, 5, 9, 0)
    keeper.apply(Batch([Rec(5), Rec(6)], keeper.epoch))
    look(keeper, 7, 9, 7)
    look(keeper, 12, 12, 12)  # all is fetched, and some of it waits for the fold
    assert "caught up" not in fold.told
    keeper.apply(Batch([Rec(7), Rec(8)], keeper.epoch))
    assert look(keeper, 12, 12, 12)
    assert not look(keeper, 12, 12, 12)
    assert fold.told.count("caught up") == 1


def test_markers_and_aborted_records_at_the_end_are_not_waited_for(monkeypatch):
    keeper, fold = taken_over(monkeypatch, end=9, offset=5)
    keeper.resume()
    look(keeper, 5, 9, 0)
    keeper.apply(Batch([Rec(5)], keeper.epoch))
    look(keeper, 6, 9, 6)
    assert "caught up" not in fold.told
    look(keeper, 9, 9, 6)
    assert "caught up" in fold.told


def test_what_was_fetched_before_the_state_was_there_is_not_taken_for_the_backlog(monkeypatch):
    keeper, fold = taken_over(monkeypatch, end=9, offset=5)
    assert not look(keeper, 20, 20, 0)  # the seek comes yet

    async def released_meanwhile():
        keeper.release()
        return {INPUT: Reach(20, 20, 0)}

    keeper.resume()
    asyncio.run(keeper.catch_up(released_meanwhile))
    assert "caught up" not in fold.told


def test_a_partition_that_comes_back_has_to_catch_up_with_what_was_written_meanwhile(monkeypatch):
    keeper, fold = taken_over(monkeypatch, end=5, offset=5)
    keeper.release()
    fold.told.clear()

    @asynccontextmanager
    async def later(*_):
        yield Log(7)

    monkeypatch.setattr("stream.engine.custody.reader", later)
    asyncio.run(keeper.restore({INPUT}))
    keeper.resume()
    assert "caught up" not in fold.told
    keeper.apply(Batch([Rec(5)], keeper.epoch))
    look(keeper, 7, 7, 6)
    assert fold.told[-1] == "caught up"


def test_a_partition_that_asks_again_has_to_catch_up_with_what_its_inputs_have_by_then(monkeypatch):
    keeper, fold = taken_over(monkeypatch, end=5, offset=5)
    keeper.resume()
    fold.told.clear()
    ends = reading(monkeypatch, [KafkaConnectionError(), 7])
    keeper.look_again(0)
    assert keeper.urgent.is_set()  # a commit is to prove whose it is
    look(keeper, 5, 5, 5)  # the brokers can't be asked
    assert keeper.urgent.is_set()
    look(keeper, 5, 7, 5)
    assert ends == []
    assert "caught up" not in fold.told
    keeper.apply(Batch([Rec(5), Rec(6)], keeper.epoch))
    look(keeper, 7, 7, 7)
    assert fold.told == ["caught up"]


def test_a_partition_that_asks_again_while_it_is_behind_waits_for_the_newer_end(monkeypatch):
    keeper, fold = taken_over(monkeypatch, end=6, offset=5)
    keeper.resume()
    reading(monkeypatch, [7])
    keeper.look_again(0)
    keeper.apply(Batch([Rec(5)], keeper.epoch))
    look(keeper, 6, 7, 6)
    assert "caught up" not in fold.told
    keeper.apply(Batch([Rec(6)], keeper.epoch))
    look(keeper, 7, 7, 7)
    assert fold.told.count("caught up") == 1


def test_a_partition_that_is_given_back_while_it_asks_is_not_told_of_an_end_that_is_old(monkeypatch):
    keeper, fold = taken_over(monkeypatch, end=5, offset=5)
    keeper.resume()
    fold.told.clear()
    reading(monkeypatch, [5], keeper.release)
    keeper.look_again(0)
    look(keeper, 5, 5, 5)
    assert fold.told == ["suspended"]


def reading(monkeypatch, ends, before=lambda: None):
    """Have the keeper read from a log that ends at each of these in turn, or can't be reached; return the rest."""

    @asynccontextmanager
    async def reader(*_):
        end = ends.pop(0)
        if isinstance(end, Exception):
            raise end
        before()
        yield Log(end)

    monkeypatch.setattr("stream.engine.held.reader", reader)
    return ends


@pytest.mark.parametrize(
    ("after_s", "stable", "has"), [(1, 8, False), (1, 0, False), (2, 8, True), (2, 0, False)]
)
def test_an_end_that_the_log_has_lost_is_not_waited_for_without_end(after_s, stable, has):
    backlog = Backlog({"i": 9}, 100.0)
    backlog.fetched("i", Reach(8, stable, 0), 100.0 + PATIENCE_S * after_s - 1)
    assert backlog.is_folded({"i": 5}) is has


def test_all_inputs_of_a_partition_count():
    backlog = Backlog({"i": 9, "j": 3}, 0.0)
    backlog.fetched("i", Reach(9, 9, 9), 0.0)
    assert not backlog.is_folded({"i": 9, "j": 2})
    assert backlog.is_folded({"i": 9, "j": 3})


def test_a_position_is_told_together_with_what_was_handed_on_until_there(monkeypatch):
    async def fetch(*_, **__):
        state._position = 9  # a commit marker follows the record
        return {TopicPartition("i", 0): [Rec(7)]}

    state = SimpleNamespace(_position=7, lso=9, highwater=12)
    assignment = SimpleNamespace(tps={INPUT}, state_value=lambda tp: state)
    thread = ConsumerThread.__new__(ConsumerThread)
    thread.__dict__ |= {"_handed": {}, "consumer": SimpleNamespace(flow_active=False)}
    monkeypatch.setattr(ConsumerThread, "generation", lambda self: assignment)
    monkeypatch.setattr(ConsumerThread.__mro__[1], "_fetch_records", fetch)

    async def run():
        before = await thread._fetched()
        await thread._fetch_records(None)
        return before, await thread._fetched()

    assert asyncio.run(run()) == ({INPUT: Reach(7, 9, 0)}, {INPUT: Reach(9, 9, 8)})
