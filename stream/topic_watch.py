"""Shell. Looks at the topics while a worker or pager runs: somebody may alter, grow or delete one under it.

It goes on with what is wrong, since it may be meant, and would find it again at its next start, which ends of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection

import structlog
from aiokafka.errors import KafkaError
from prometheus_client import CollectorRegistry, Gauge

from stream.cluster import quiet_administrator
from stream.settings import Settings
from stream.shapes import Fault, Needs
from stream.topics import unfit

LOG = structlog.get_logger()
LOOK_S = 60.0


class TopicWatch:
    """Tells each fault that ``check`` finds once, and when a topic has none any more.

    ``show`` is told how many would stop a start.
    """

    def __init__(
        self, check: Callable[[], Awaitable[Collection[Fault]]], show: Callable[[float], None]
    ) -> None:
        self._check = check
        self._show = show
        self._told: frozenset[Fault] = frozenset()

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            await asyncio.sleep(LOOK_S)
            await self.look()

    async def look(self) -> None:
        """Look once; a cluster that can't be asked tells nothing new."""
        try:
            found = frozenset(await self._check())
        except (KafkaError, TimeoutError):
            return
        except Exception as failed:  # a password file that is being replaced, say, ends nothing that runs
            LOG.warning("topics not looked at", fault=repr(failed), meaning="they are in a minute")
            return
        for fault in sorted(found - self._told):
            tell = LOG.error if fault.severity == "error" else LOG.warning
            tell("topic unfit", topic=fault.topic, what=fault.what, mend=fault.mend)
        for topic in sorted({fault.topic for fault in self._told} - {fault.topic for fault in found}):
            LOG.info("topic fit again", topic=topic)
        self._told = found
        self._show(sum(fault.severity == "error" for fault in found))


def topic_watch(
    settings: Settings, registry: CollectorRegistry, *, reads: Collection[str], writes: Collection[str]
) -> TopicWatch:
    """Return what looks at these topics, and shows in ``registry`` how many faults there are."""

    async def found() -> list[Fault]:
        async with quiet_administrator(settings) as admin:
            return await unfit(admin, settings, Needs(reads, writes))

    gauge = Gauge(
        "tidewatch_topic_faults",
        "What is wrong with the topics so that a process would not start with them; looked at each minute.",
        registry=registry,
    )
    return TopicWatch(found, gauge.set)
