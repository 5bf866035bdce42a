"""Shell. The thread in which aiokafka fetches, and what is asked of it there."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, cast

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError
from faust.transport.drivers import aiokafka as stock
from faust.types import TP

from stream.engine.backlog import Reach
from stream.engine.fetched import slim
from stream.engine.held_back import Ends
from stream.engine.member import notice
from stream.engine.topic_ids import ANSWER_S, made_again, told, topic_ids

notice()

FETCH_WAIT_MS = 20
ANSWER_MS = 90_000
"""How long a broker may take to answer: more than the minute that a group's rebalance may take."""
LOOKS_S = 15.0
"""Between two looks at which logs topics are, at most, beside what brokers take that don't answer."""


class ConsumerThread(stock.AIOKafkaConsumerThread):
    """The thread that fetches; reads only what was committed, so that aborted checkpoints stay unseen."""

    gone: frozenset[str] = frozenset()
    """Assigned topics that Kafka has not had at some time: what has such a name now may be another topic."""
    _away_until = -math.inf

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._handed: dict[TP, int] = {}
        self._ids: dict[str, str] = {}
        """Of the inputs and checkpoints, as first seen: an id stays as long as its topic."""

    def _stopped_set(self) -> None:
        """Have it stop; a crash has had it stop by itself, and its loop may be closed."""
        with suppress(RuntimeError):
            super()._stopped_set()

    def _create_worker_consumer(self, transport: Any) -> AIOKafkaConsumer:
        consumer = super()._create_worker_consumer(transport)
        # Faust ties this to its own exactly_once mode, which we don't use (research: it loses state).
        consumer._isolation_level = "read_committed"
        # a broker answers one fetch at a time: while it holds one for topics without news, the others wait
        consumer._fetch_max_wait_ms = FETCH_WAIT_MS
        # Faust's own setting is also how long it waits for a restore
        consumer._request_timeout_ms = consumer._client._request_timeout_ms = ANSWER_MS
        cast(Any, self.app).custody.throttling.watch(consumer._client)
        consumer._client.cluster.add_listener(self._look_for_topics)
        return consumer

    def _look_for_topics(self, cluster: Any) -> None:
        """Note what is missing in new metadata; aiokafka asks for them when a fetch finds no topic, too."""
        assignment = self.generation()
        if assignment is not None:
            topics = {tp.topic for tp in assignment.tps}
            self.gone |= topics - cluster.topics() - cluster.unauthorized_topics

    async def _fetch_records(self, consumer: Any, *what: Any, **how: Any) -> Any:
        if self.consumer.flow_active and consumer._fetcher is not None:
            slim(consumer._fetcher)
        records = await super()._fetch_records(consumer, *what, **how)
        self._handed |= {tp: batch[-1].offset + 1 for tp, batch in records.items() if batch}
        return records

    async def fetched(self) -> Mapping[TP, Reach]:
        """Return how far each assigned input was fetched.

        It is looked in this thread: from another one a position may be seen before what was fetched until there.
        """
        reaches: Mapping[TP, Reach] = await self.call_thread(self._fetched)
        return reaches

    async def _fetched(self) -> Mapping[TP, Reach]:
        assignment = self.generation()
        tps = () if assignment is None else assignment.tps
        return {tp: Reach(*self.reach(tp), self._handed.get(tp, 0)) for tp in tps}

    def reach(self, tp: TP) -> tuple[int, int]:
        """Return from which offset is read next, and below which there is something; 0 while not known.

        Commit markers of transactions take offsets too, so what follows the newest record is not the end. An open
        transaction hides what comes after its first record.
        """
        assignment = self.generation()
        if assignment is None or tp not in assignment.tps:
            return 0, 0
        state = assignment.state_value(tp)
        stable = state.lso
        return state._position or 0, (state.highwater if stable is None or stable < 0 else stable) or 0

    def ends(self) -> Mapping[TP, Ends]:
        """Return where each assigned input ends, as the last fetch of it told."""
        assignment = self.generation()
        tps = () if assignment is None else assignment.tps
        states = {tp: assignment.state_value(tp) for tp in tps}
        return {tp: Ends(state.lso, state.highwater, state.timestamp) for tp, state in states.items()}

    def answered_at(self) -> float:
        """Return when Kafka last answered a fetch of any assigned input, in epoch seconds.

        ``nan`` while it has answered none of them, none is assigned, or no answer is waited for: all that was
        fetched is still to be folded, or Kafka said that it lets fetches wait for a quota.
        """
        assignment = self.generation()
        tps = () if assignment is None else assignment.tps
        states = {tp: assignment.state_value(tp) for tp in tps}
        newest_ms = max((state.timestamp or 0 for state in states.values()), default=0)
        buffered = self._ensure_consumer()._fetcher._records if states else {}
        is_asked = any(state.has_valid_position and tp not in buffered for tp, state in states.items())
        is_kept = "fetch" in cast(Any, self.app).custody.throttling.waits(time.monotonic())
        return newest_ms / 1000 if newest_ms and is_asked and not is_kept else math.nan

    def generation(self) -> Any:
        """Return aiokafka's assignment, a new object at each rebalance; ``None`` before the first."""
        subscription = None if self._consumer is None else self._consumer._subscription.subscription
        return None if subscription is None else subscription.assignment

    async def seek_to(self, offsets: Mapping[TP, int], only_on: Any = None) -> Any:
        """Read on from these offsets, and return the assignment that was sought on.

        It is done in this thread: a fetch goes through what a seek throws away. On another assignment than
        ``only_on`` nothing is sought.
        """
        return await self.call_thread(self._seek_to, offsets, only_on)

    async def _seek_to(self, offsets: Mapping[TP, int], only_on: Any) -> Any:
        assignment = self.generation()
        if only_on is None or assignment is only_on:
            for tp, offset in offsets.items():
                self._ensure_consumer().seek(tp, offset)
        return assignment

    async def made_again(self) -> list[str]:
        """Return which assigned topics, and whether the checkpoints, are another log than when first seen."""
        again: list[str] = await self.call_thread(self._made_again)
        return again

    async def _made_again(self) -> list[str]:
        assignment = self.generation()
        custody = cast(Any, self.app).custody
        is_kept = custody.throttling.keeps(time.monotonic())  # it would not be answered in time
        if assignment is None or is_kept:
            return []
        names = {custody.checkpoints, *(tp.topic for tp in assignment.tps)}
        client = self._ensure_consumer()._client
        now = await topic_ids(client, names)
        self._away_until = -math.inf
        if not now:
            self._away_until = time.monotonic() + LOOKS_S + ANSWER_S * len(client.cluster.brokers())
        self._ids = told(now) | self._ids
        return made_again(self._ids, now)

    def is_away(self, now: float) -> bool:
        """Return whether Kafka is away: at the last look no broker answered; ``now`` is in seconds, monotonic.

        Looks that are not made any more say nothing.
        """
        return now < self._away_until

    def forget_id(self, topic: str) -> None:
        """Take the log that this topic is at the next look for the first one seen."""
        self._ids.pop(topic, None)

    async def check_group(self) -> None:
        """Raise the ``KafkaError`` that keeps this process out of its group."""
        await self.call_thread(self._check_group)

    async def _check_group(self) -> None:
        coordinator = None if self._consumer is None else self._consumer._coordinator
        if coordinator is None:
            return
        try:
            coordinator.check_errors()
        except KafkaError as fault:
            if not fault.retriable or coordinator._coordination_task.done():
                raise

    def verify_event_path(self, now: float, tp: TP) -> None:
        """Do nothing: Faust's check compares two different clocks; liveness is the engine's."""
