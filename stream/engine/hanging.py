"""Shell. Transactions that are over and yet open in a partition, where they hide all that comes after them.

Kafka 4.3 and 4.4 leave them so when a partition has no leader while its transaction is ended (KAFKA-20734): the
only broker is killed, say. The next commit of the same transactional id would show what they wrote, when its work
was done again: see docs/decisions/0022-hanging-transactions.md.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection, Iterable, Mapping, Sequence

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition

from stream.engine.checkpoint import Checkpoint, CheckpointError
from stream.engine.custody import Custody
from stream.engine.held import Held, ends_of
from stream.engine.held_back import Hang

LOG = structlog.get_logger()
LOOK_S = 10.0
"""Between two looks whether what was committed can be read."""
ENDED_WITHIN_S, AGAIN_S = 30.0, 5.0
PAUSE_S = 0.1
HIDDEN = (
    "an open transaction hides what was committed there; if it is this worker's own, it is ended once more"
)


class Hanging:
    """Ends what former owners have left open; ``committed`` reads what was committed, ``everything`` all."""

    def __init__(
        self, committed: AIOKafkaConsumer, everything: AIOKafkaConsumer, outputs: Collection[str]
    ) -> None:
        self._committed = committed
        self._everything = everything
        self._outputs = outputs
        self._in_outputs: Mapping[TopicPartition, int] | None = None

    async def end(self, checkpoint: Checkpoint) -> None:
        """Abort what hangs in a partition's checkpoints, and with it in all that was written at the same time.

        Call it once the former owner is fenced: nothing of its transactional id is under way then. Whether Kafka
        had decided to commit is not known any more; since no state shows it, the work is done again. What hangs
        in outputs alone is of checkpoints that are there: the next ``write`` commits it.

        Raises:
            CheckpointError: it still hangs.
        """
        place = checkpoint.place
        if not await self._open([place]):
            checkpoint.unseen.expect(await self._open_outputs(checkpoint))
            return
        tps = [place, *await self._open(await checkpoint.partitions(self._outputs))]
        LOG.warning(
            "hanging transaction",
            partition=place.partition,
            open_in=[f"{tp.topic}-{tp.partition}" for tp in tps],
            meaning="Kafka has not ended it everywhere (KAFKA-20734); it is aborted, its work is done again",
        )
        deadline = time.monotonic() + ENDED_WITHIN_S
        while not await self._is_aborted(checkpoint, tps):
            if time.monotonic() > deadline:
                raise CheckpointError(_still_open(place))

    async def _is_aborted(self, checkpoint: Checkpoint, tps: Sequence[TopicPartition]) -> bool:
        """Abort, and return whether that has come to the checkpoint: these markers may be left out, too."""
        await checkpoint.abort_in(tps)
        again_at = time.monotonic() + AGAIN_S
        while await self._open([checkpoint.place]):
            if time.monotonic() > again_at:
                return False
            await asyncio.sleep(PAUSE_S)
        return True

    async def _open_outputs(self, checkpoint: Checkpoint) -> Mapping[TopicPartition, int]:
        """Return what is open in the outputs at the first call: what hangs stays."""
        if self._in_outputs is None:
            self._in_outputs = await self._open(await checkpoint.partitions(self._outputs))
        return self._in_outputs

    async def _open(self, tps: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        """Return where a transaction is open, and since which offset.

        The order of the questions matters: what is written meanwhile looks open.
        """
        stable = await self._committed.end_offsets(list(tps))
        ends = await self._everything.end_offsets(list(stable))
        return {tp: at for tp, at in stable.items() if at < ends[tp]}


def _still_open(tp: TopicPartition) -> str:
    return (
        f"{tp.topic}-{tp.partition}: a transaction hangs in it, and could not be ended: want it aborted by Kafka's"
        f" own tool, kafka-transactions.sh find-hanging --topic {tp.topic}, then abort (docs/operations.md)"
    )


def tell(hang: Hang[TopicPartition]) -> None:
    """Say that somebody else's transaction hangs in an input."""
    topic, partition = hang.name
    LOG.warning(
        "held back",
        topic=topic,
        partition=partition,
        offset=hang.offset,
        held_back_s=round(hang.held_s),
        meaning="a transaction that began there stays open: what comes after it can't be read, and is no lag",
        mend="see 'A transaction hangs in an input' in docs/operations.md",
    )


async def hidden(custody: Custody, helds: Mapping[int, Held]) -> list[int]:
    """Return the partitions whose next checkpoint is wanted soon: what was committed is hidden still.

    What fails is tried again with the next call.
    """
    unseen = {number: held.checkpoint.unseen for number, held in helds.items()}
    ends = await ends_of(custody, {tp for one in unseen.values() for tp in one.places})
    found = {number: one.look(ends) for number, one in unseen.items()}
    for number, tps in found.items():
        if tps:
            names = sorted(f"{tp.topic}-{tp.partition}" for tp in tps)
            LOG.warning("hidden", partition=number, committed_in=names, meaning=HIDDEN)
    return [number for number, tps in found.items() if tps]
