"""Checkpoints that are deleted and made again under a process hold all it knows once it has seen that."""

import asyncio
import time
from types import SimpleNamespace

import pytest
from structlog.testing import capture_logs

from stream.engine import fetching
from stream.engine.driver import Consumer
from stream.engine.fetching import ConsumerThread
from stream.engine.held import Held
from stream.engine.throttling import Throttling
from stream.events import Instant, Prediction
from stream.fold import InputFold
from stream.pending import MemoryStore
from stream.wire import encode
from tests.laws.lives import BEGAN_AT, RULES, Life, Logged
from tests.unit.alerts.samples import commit, finding, new_book, record
from tests.unit.stream.keepers import keeper_of

OLD, NEW = "cluster/old", "cluster/new"


def test_a_fold_writes_all_its_models():
    fold = InputFold(0, RULES, Life({}), MemoryStore())
    for offset, model in enumerate(("idle", "busy")):
        event = Prediction(
            prediction_id=model, model=model, version="v", at=Instant(BEGAN_AT), prediction="x"
        )
        fold.apply([Logged("predictions", offset, int(1_000 * BEGAN_AT), encode(event))])
    first = dict(fold.freeze({}).state)
    assert len(dict(fold.freeze({}).state)) == 1, "nothing has changed but the clocks"
    fold.rewrite()
    assert dict(fold.freeze({}).state).keys() == first.keys()


def test_a_book_writes_all_it_holds():
    book = new_book()
    book.apply([record(finding("a")), record(finding("b", model="eta.bus"))])
    first = commit(book)
    assert commit(book) == {}
    book.rewrite()
    assert commit(book) == first


def looked(monkeypatch, *ids, restores=()):
    """Return what each look finds when topics have these ids in turn; what was logged; how often all is rewritten.

    Partitions are restored at looks of these numbers.
    """
    waiting, rewritten = [*ids], []

    async def topic_ids(client, names):
        assert names == {"predictions", "checkpoints"}
        return waiting.pop(0)

    monkeypatch.setattr(fetching, "topic_ids", topic_ids)
    app = SimpleNamespace(custody=SimpleNamespace(checkpoints="checkpoints", throttling=Throttling()))
    app.keeper = SimpleNamespace(rewrite=lambda: rewritten.append(1), restoring=False)
    thread = ConsumerThread.__new__(ConsumerThread)
    thread._ids, thread.app = {}, app
    thread.generation = lambda: SimpleNamespace(tps=[SimpleNamespace(topic="predictions")])
    thread._ensure_consumer = lambda: SimpleNamespace(_client=None)
    thread.made_again = thread._made_again
    consumer = Consumer.__new__(Consumer)
    consumer.app, consumer._thread = app, thread

    async def look():
        found = []
        for number in range(len(ids)):
            app.keeper.restoring = number in restores
            found.append(await consumer._made_again())
        return found

    with capture_logs() as logs:
        found = asyncio.run(look())
    return found, [line["event"] for line in logs], len(rewritten)


def test_kafka_is_away_while_no_broker_answers_a_look_and_looks_go_on(monkeypatch):
    answers, now = [{"checkpoints": OLD}, {}, {"checkpoints": OLD}, {}], [1_000.0]

    async def topic_ids(client, names):
        return answers.pop(0)

    monkeypatch.setattr(fetching, "topic_ids", topic_ids)
    monkeypatch.setattr(fetching.time, "monotonic", lambda: now[0])
    thread = ConsumerThread.__new__(ConsumerThread)
    thread._ids = {}
    thread.app = SimpleNamespace(custody=SimpleNamespace(checkpoints="c", throttling=Throttling()))
    thread.generation = lambda: SimpleNamespace(tps=[SimpleNamespace(topic="p")])
    cluster = SimpleNamespace(brokers=lambda: ["one", "another"])
    thread._ensure_consumer = lambda: SimpleNamespace(_client=SimpleNamespace(cluster=cluster))
    seen = [thread.is_away(now[0])]
    for _ in range(4):
        asyncio.run(thread._made_again())
        seen.append(thread.is_away(now[0]))
        now[0] += 10.0
    assert seen == [False, False, True, False, True]
    now[0] += 10.0
    assert thread.is_away(now[0]), "the next look may still wait for each broker"
    now[0] += 10.0
    assert not thread.is_away(now[0]), "a thread that looks no more may be what is wrong"


def test_while_kafka_lets_requests_wait_it_is_not_asked_for_ids():
    throttling = Throttling()
    throttling.told(1, 600.0, time.monotonic())
    thread = ConsumerThread.__new__(ConsumerThread)
    thread.app = SimpleNamespace(custody=SimpleNamespace(checkpoints="c", throttling=throttling))
    thread.generation = lambda: SimpleNamespace(tps=[SimpleNamespace(topic="p")])
    assert asyncio.run(thread._made_again()) == []


@pytest.mark.parametrize(
    ("ids", "found", "said", "done"),
    [
        ([{"checkpoints": OLD}] * 2, [[], []], [], 0),
        (
            [{"checkpoints": OLD}, {"checkpoints": ""}, {"checkpoints": NEW}, {"checkpoints": NEW}],
            [[], [], [], []],
            ["checkpoints made again"],
            1,
        ),
        ([{"predictions": OLD}, {"predictions": NEW}], [[], ["predictions"]], [], 0),
    ],
    ids=["nothing happened", "checkpoints", "an input"],
)
def test_checkpoints_that_were_made_again_are_written_anew_once(monkeypatch, ids, found, said, done):
    assert looked(monkeypatch, *ids) == (found, said, done)


def test_what_is_made_again_while_partitions_are_restored_is_written_anew_when_all_of_them_are_there(
    monkeypatch,
):
    ids = [{"checkpoints": OLD}, *[{"checkpoints": NEW}] * 3]
    assert looked(monkeypatch, *ids, restores=range(3)) == ([[]] * 4, ["checkpoints made again"], 1)


def test_what_is_parked_is_written_anew_too_since_it_may_come_back():
    keeper, rewritten = keeper_of(), []
    for place, name in ((keeper._held, "held"), (keeper._parked, "parked")):
        place[len(name)] = Held(SimpleNamespace(rewrite=lambda name=name: rewritten.append(name)), None)
    keeper.rewrite()
    assert sorted(rewritten) == ["held", "parked"]
    assert [held.urgent for held in keeper._held.values()] == [True]
