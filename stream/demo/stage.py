"""Shell. The stage of every story: a Kafka, its topics, the teams' receivers, a worker and a pager."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from stream.demo.processes import Child, Failed, free_port
from stream.demo.receiver import Receivers
from stream.demo.recording import Teams
from stream.kafka.embedded import EmbeddedKafka
from stream.kafka.jars import VERSION, Progress
from stream.settings import KafkaSettings, Settings, TopicSettings
from stream.topics import create

PARTITIONS = 4
LOOK_S = 0.3
PROGRESS_S = 3.0


@dataclass
class Stage:
    """What a story is played on. ``ends_at`` is when it gives up, on the monotonic clock."""

    brokers: str
    prefix: str
    partitions: int
    ends_at: float
    receivers: Receivers
    worker: Child
    pager: Child
    say: Callable[[str], None]

    def look(self) -> None:
        """Raise ``Failed`` when a process has ended."""
        self.worker.check()
        self.pager.check()

    @property
    def time_is_up(self) -> bool:
        """Whether the story has to end."""
        return time.monotonic() > self.ends_at

    async def folded(self, sent: int) -> None:
        """Return when the worker has folded all that was sent; no answer says nothing yet.

        Raises:
            Failed: time is up, or a process ended.
        """
        told_at = time.monotonic()
        while not (done := await self.worker.figure("tidewatch_events_total")) >= sent:
            if time.monotonic() - told_at > PROGRESS_S:
                told_at = time.monotonic()
                is_known = done == done
                self.say(
                    f"  {done:,.0f} of {sent:,} events folded"
                    if is_known
                    else "  the worker is too busy to say"
                )
            if self.time_is_up:
                raise Failed(f"time is up: the worker has folded {done:.0f} of {sent} events")
            self.look()
            await asyncio.sleep(LOOK_S)

    async def told(self) -> None:
        """Return when the pager knows every finding of the worker, and every receiver has what is due.

        Both must have answered: a process that is busy or gone has settled nothing.

        Raises:
            Failed: time is up, or a process ended.
        """
        while True:
            made = await self.worker.figure("tidewatch_findings_total")
            known = await self.pager.figure("tidewatch_findings_received_total")
            waiting = await self.pager.figure("tidewatch_notifications_pending")
            if known >= made and waiting == 0:
                return
            if self.time_is_up:
                raise Failed(
                    f"time is up: the pager knows {known:.0f} of {made:.0f} findings,"
                    f" {waiting:.0f} notifications wait"
                )
            self.look()
            await asyncio.sleep(LOOK_S)


async def build(
    stack: AsyncExitStack,
    brokers: str | None,
    teams: Teams,
    timeout_s: float,
    say: Callable[[str], None],
    extra: Mapping[str, str],
) -> Stage:
    """Start everything; it ends with ``stack``. ``extra``: settings of worker and pager, as variables."""
    folder = Path(stack.enter_context(_folder()))
    began = time.monotonic()
    if brokers is None:
        say(f"starting Apache Kafka {VERSION}")
        brokers = (await stack.enter_async_context(EmbeddedKafka(progress=_fetching(say)))).brokers
        say(f"Kafka is up on {brokers} after {time.monotonic() - began:.1f} s")
    ends_at = time.monotonic() + timeout_s
    receivers = Receivers(teams)
    await stack.enter_async_context(receivers.serve())
    prefix = f"demo-{secrets.token_hex(4)}."
    kafka = KafkaSettings.model_validate({"brokers": brokers})
    topics = TopicSettings.model_validate({"prefix": prefix, "partitions": PARTITIONS})
    await create(Settings.model_construct(kafka=kafka, topics=topics))
    owners = folder / "owners.toml"
    receivers.write_owners(owners)
    worker, pager = _start(stack, folder, dict(extra) | _environment(brokers, prefix, owners))
    await asyncio.gather(worker.ready(), pager.ready())
    say(f"worker and pager are up after {time.monotonic() - began:.1f} s")
    return Stage(brokers, prefix, PARTITIONS, ends_at, receivers, worker, pager, say)


def _fetching(say: Callable[[str], None]) -> Progress:
    def progress(fetched: int, total: int, name: str) -> None:
        if not fetched:
            say(f"fetching it, this once: {total} jars, 43 MB with all that it needs")
        elif fetched % 10 == 0:
            say(f"  {fetched} of {total} jars fetched")

    return progress


def _environment(brokers: str, prefix: str, owners: Path) -> dict[str, str]:
    return {
        "TIDEWATCH_KAFKA_BROKERS": brokers,
        "TIDEWATCH_TOPICS_PREFIX": prefix,
        "TIDEWATCH_TOPICS_PARTITIONS": str(PARTITIONS),
        "TIDEWATCH_WORKER_GROUP": f"{prefix}worker",
        "TIDEWATCH_PAGER_GROUP": f"{prefix}pager",
        "TIDEWATCH_PAGER_OWNERS": str(owners),
        "TIDEWATCH_WORKER_DATA_DIR": str(
            owners.parent / "worker"
        ),  # goes with the demo, however the worker ends
    }


def _start(stack: AsyncExitStack, folder: Path, environment: Mapping[str, str]) -> tuple[Child, Child]:
    children = []
    for name in ("worker", "pager"):
        port = free_port()
        child = Child(name, {**environment, f"TIDEWATCH_{name}_PORT".upper(): str(port)}, folder, port)
        stack.callback(child.stop)
        children.append(child)
    return children[0], children[1]


def _folder() -> TemporaryDirectory[str]:
    return TemporaryDirectory(prefix="tidewatch-demo-")
