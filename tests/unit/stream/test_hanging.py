"""When a takeover aborts what a former owner left open, when it gives up, and who looks for what is hidden."""

import asyncio
import re
from contextlib import asynccontextmanager
from types import SimpleNamespace

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import KafkaTimeoutError
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from stream.engine import hanging
from stream.engine.checkpoint import CheckpointError
from stream.engine.hanging import Hanging
from stream.engine.held import Held
from stream.engine.losses import Losses
from stream.engine.restore import Restore
from stream.engine.telemetry import EngineTelemetry
from stream.engine.unseen import Unseen
from tests.unit.stream.keepers import keeper_of

PLACE, OUT, OTHER = TopicPartition("checkpoints", 2), TopicPartition("out", 0), TopicPartition("out", 1)


class Ends:
    """A consumer that sees up to these offsets."""

    def __init__(self, ends):
        self.ends = ends

    async def end_offsets(self, tps):
        return {tp: self.ends[tp] for tp in tps}


class Left:
    """A checkpoint that ends what hangs at this abort of several, the first unless told otherwise."""

    place = PLACE

    def __init__(self, committed, everything, helps_at):
        self.committed, self.everything, self.helps_at = committed, everything, helps_at
        self.aborted, self.unseen = [], Unseen()

    async def partitions(self, topics):
        assert topics == ["out"]
        return [OUT, OTHER]

    async def abort_in(self, tps):
        self.aborted.append([*tps])
        if len(self.aborted) >= self.helps_at:
            self.committed.ends |= self.everything.ends


def ended(stable, ends, *, helps_at=1):
    """Return the checkpoint after a takeover, and what that logged."""
    committed, everything = Ends(stable), Ends(ends)
    left = Left(committed, everything, helps_at)
    with capture_logs() as said:
        asyncio.run(Hanging(committed, everything, ["out"]).end(left))
    return left, said


def test_where_nothing_is_open_nothing_is_done():
    left, said = ended({PLACE: 5, OUT: 9, OTHER: 2}, {PLACE: 5, OUT: 9, OTHER: 2})
    assert (left.aborted, left.unseen.places, said) == ([], {}, [])


def test_what_hangs_in_outputs_alone_is_left_to_the_next_commit():
    left, said = ended({PLACE: 5, OUT: 1, OTHER: 2}, {PLACE: 5, OUT: 9, OTHER: 2})
    assert (left.aborted, left.unseen.places, said) == ([], {OUT: 1}, [])


def test_what_hangs_is_aborted_in_the_checkpoint_and_where_else_something_is_open_and_named():
    left, said = ended({PLACE: 0, OUT: 1, OTHER: 2}, {PLACE: 5, OUT: 9, OTHER: 2})
    assert (left.aborted, left.unseen.places) == ([[PLACE, OUT]], {})
    assert [(one["event"], one["partition"], one["open_in"]) for one in said] == [
        ("hanging transaction", 2, ["checkpoints-2", "out-0"])
    ]


def test_an_abort_whose_markers_are_left_out_is_made_again(monkeypatch):
    monkeypatch.setattr(hanging, "AGAIN_S", 0.0)
    left, _ = ended({PLACE: 0, OUT: 1, OTHER: 2}, {PLACE: 5, OUT: 9, OTHER: 2}, helps_at=3)
    assert left.aborted == [[PLACE, OUT]] * 3


def test_what_goes_on_hanging_is_an_error_that_says_what_to_do(monkeypatch):
    monkeypatch.setattr(hanging, "AGAIN_S", 0.0)
    monkeypatch.setattr(hanging, "ENDED_WITHIN_S", 0.0)
    with pytest.raises(CheckpointError, match=r"checkpoints-2: a transaction hangs .*kafka-transactions\.sh"):
        ended({PLACE: 0, OUT: 1, OTHER: 2}, {PLACE: 5, OUT: 1, OTHER: 2}, helps_at=9)


def test_a_restore_reads_the_state_after_what_hangs_is_ended():
    committed, everything = Ends({PLACE: 0}), Ends({PLACE: 5})
    left = Left(committed, everything, 1)

    async def read(consumer, fold):
        raise CheckpointError(f"read with {consumer.ends}")

    left.read = read
    custody = SimpleNamespace(inputs=(), outputs=["out"])
    committed.ends |= {OUT: 2, OTHER: 2}
    everything.ends |= {OUT: 2, OTHER: 2}
    restore = Restore(committed, everything, custody, EngineTelemetry(CollectorRegistry()))
    with pytest.raises(CheckpointError, match=re.escape(f"read with {everything.ends}")):
        asyncio.run(restore.into(2, None, left, Losses()))


# -- what a worker itself committed


def unseen():
    """Return what two places are to show."""
    made = Unseen()
    made.expect({PLACE: 4, OUT: 7})
    return made


def test_what_is_hidden_is_told_at_the_second_look_and_then_seldomer():
    made = unseen()
    looks = [made.look({PLACE: 5, OUT: 7}) for _ in range(9)]
    assert [number for number, found in enumerate(looks, 1) if found] == [2, 4, 8]
    assert [found for found in looks if found] == [[OUT]] * 3
    assert made.places == {OUT: 7}


def test_a_newer_record_in_the_same_place_is_looked_for_anew_and_one_that_was_not_asked_for_stays():
    made = unseen()
    first = made.look({OUT: 7})
    made.expect({OUT: 8})
    assert [first, *map(made.look, ({OUT: 7}, {}, {OUT: 8}, {OUT: 9}))] == [[], [], [], [OUT], []]
    assert made.places == {PLACE: 4}


def test_what_was_told_hidden_is_not_told_again_by_a_look_that_learns_nothing():
    made = unseen()
    assert [made.look(ends) for ends in ({OUT: 7}, {OUT: 7}, {}, {OUT: 7})] == [[], [OUT], [], []]


def looked(monkeypatch, answer):
    """Return what is urgent after two looks of a keeper that has partitions 2 and 3, and what was logged."""

    @asynccontextmanager
    async def reader(options):
        yield SimpleNamespace(end_offsets=answer)

    async def look():
        keeper = keeper_of()
        keeper._held = {
            n: Held(None, SimpleNamespace(unseen=one)) for n, one in ((2, unseen()), (3, Unseen()))
        }
        await keeper.end_hidden()
        await keeper.end_hidden()
        return [number for number, held in keeper._held.items() if held.urgent]

    monkeypatch.setattr("stream.engine.held.reader", reader)
    with capture_logs() as said:
        return asyncio.run(look()), said


def test_a_worker_hurries_the_checkpoint_of_what_stays_hidden(monkeypatch):
    async def answer(tps):
        return dict.fromkeys(tps, 5)

    urgent, said = looked(monkeypatch, answer)
    assert urgent == [2]
    assert [(one["event"], one["partition"], one["committed_in"]) for one in said] == [
        ("hidden", 2, ["out-0"])
    ]


def test_a_kafka_that_does_not_answer_is_asked_again(monkeypatch):
    async def answer(tps):
        raise KafkaTimeoutError

    urgent, said = looked(monkeypatch, answer)
    assert (urgent, [one["event"] for one in said]) == ([], ["ends not known"] * 2)
