"""Shell. A partition taken over: its state read from the checkpoint, the rest derived from the log."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from aiokafka import AIOKafkaConsumer, TopicPartition

from stream.engine.checkpoint import Checkpoint, CheckpointError
from stream.engine.custody import Custody
from stream.engine.hanging import Hanging
from stream.engine.losses import Losses
from stream.engine.partition import Partition
from stream.engine.reading import read_range
from stream.engine.slices import Slices
from stream.engine.telemetry import EngineTelemetry


class Restore:
    """Brings empty folds to where their checkpoints stand; its readers serve all partitions in turn.

    ``consumer`` sees what was committed, ``everything`` more than that.
    """

    def __init__(
        self,
        consumer: AIOKafkaConsumer,
        everything: AIOKafkaConsumer,
        custody: Custody,
        telemetry: EngineTelemetry,
    ) -> None:
        self._consumer = consumer
        self._inputs = custody.inputs
        self._telemetry = telemetry
        self._hanging = Hanging(consumer, everything, custody.outputs)

    async def into(
        self, number: int, fold: Partition, checkpoint: Checkpoint, losses: Losses
    ) -> dict[str, int]:
        """Restore and rebuild one fold; return the offset to go on from, for each input topic.

        What Kafka deleted after the checkpoint and before it was read is told to ``losses``.

        Raises:
            CheckpointError: it can't be used, a transaction hangs in it, or an input ends before what it has read.
        """
        await self._hanging.end(checkpoint)
        offsets = await checkpoint.read(self._consumer, fold)
        tps = [TopicPartition(topic, number) for topic in self._inputs]
        refuse_shorter(offsets, await self._consumer.end_offsets(tps))
        earliest = await self._consumer.beginning_offsets(tps)
        starts = await self._starts(fold, tps, offsets)
        for tp in tps:
            await self._rebuild(fold, tp, max(starts[tp], earliest[tp]), offsets.get(tp.topic, 0))
        await _finish(fold, Slices())
        self._telemetry.passed_over(dict.fromkeys(self._inputs, 0))
        return {tp.topic: self._next(tp, offsets, earliest[tp], losses) for tp in tps}

    @staticmethod
    def _next(tp: TopicPartition, offsets: Mapping[str, int], first: int, losses: Losses) -> int:
        end = offsets.get(tp.topic, first)  # of a topic that nobody has read nothing is lost
        losses.gap(tp, end, first)
        return losses.behind(tp.topic, end)

    async def _starts(
        self, fold: Partition, tps: Sequence[TopicPartition], offsets: Mapping[str, int]
    ) -> Mapping[TopicPartition, int]:
        """Return where to re-read each input from: where the local disk stands, or what is old enough if later."""
        local = fold.local()
        if local and (not offsets or any(local.get(topic, 0) > offset for topic, offset in offsets.items())):
            fold.forget_local()  # of another log, or ahead of this one
            local = {}
        since = fold.rebuild_since()
        if since is None:
            return {tp: (local or offsets).get(tp.topic, 0) for tp in tps}
        found = await self._consumer.offsets_for_times({tp: max(0, int(since * 1000)) for tp in tps})
        young = {tp: at.offset if (at := found.get(tp)) else offsets.get(tp.topic, 0) for tp in tps}
        return {tp: max(at, local.get(tp.topic, 0)) for tp, at in young.items()}

    async def _rebuild(self, fold: Partition, tp: TopicPartition, start: int, end: int) -> None:
        if start >= end:
            return
        slices = Slices()
        async for batch in read_range(self._consumer, tp, start, end):
            if fold.rebuild(batch):
                await _finish(fold, slices)
            await slices.pause()


async def _finish(fold: Partition, slices: Slices) -> None:
    while fold.rebuild(()):
        await slices.pause()


class InputGone(Exception):
    """An input topic is not there any more."""

    def __init__(self, topics: Iterable[str], meaning: str) -> None:
        again = "if it was made again under its name, see docs/operations.md"
        super().__init__(f"{', '.join(sorted(topics))}: {meaning}; {again}")


def refuse_fewer(inputs: Sequence[str], numbers: Sequence[int], assigned: Collection[TopicPartition]) -> None:
    """Refuse partitions that come without one of their inputs: nothing would be read of it until a rebalance.

    Raises:
        InputGone: names the topics.
    """
    gone = [topic for topic in inputs if any(TopicPartition(topic, one) not in assigned for one in numbers)]
    if gone:
        lone = [one for one in numbers if any(TopicPartition(topic, one) not in assigned for topic in gone)]
        given = f"the group was given the other inputs without it (partitions {', '.join(map(str, lone))})"
        raise InputGone(gone, f"{given}: Kafka did not have it then, or it has fewer partitions than they")


def refuse_shorter(offsets: Mapping[str, int], ends: Mapping[TopicPartition, int]) -> None:
    """Refuse inputs that end before what a checkpoint has read: what comes next would be taken for known.

    Raises:
        CheckpointError: names each such input.
    """
    short = [
        f"{tp.topic}-{tp.partition} ends at offset {end}, but its checkpoint has read up to {offsets[tp.topic]}"
        for tp, end in sorted(ends.items())
        if end < offsets.get(tp.topic, 0)
    ]
    if short:
        raise CheckpointError(
            f"{'; '.join(short)}: the topic was made again, or has lost its end;"
            " want a topic of another name, or an empty one for checkpoints (docs/operations.md)"
        )
