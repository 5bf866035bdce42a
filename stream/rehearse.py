"""Shell. ``tidewatch rehearse MODEL``: a model gets worse in your own Kafka, before your worker and pager."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from stream.engine.connection import client_options
from stream.engine.throttling import QUOTAS, Throttling
from stream.events import Event, Finding, Identifier, Instant, Prediction, Rollout
from stream.refusal import DecodeError
from stream.rehearsal import DELAY_S, WELL, WORSE, Rehearsal
from stream.settings import Settings, load
from stream.wire import decode_told, encode

if TYPE_CHECKING:
    from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

PAST, PAST_S = 3_000, 300.0
"""So many predictions of so many seconds before now tell the worker how well the version does."""
STEP, STEP_S = 25, 0.25
CLOSE_S = 5.0


def _identifier(_context: click.Context, _argument: click.Parameter, given: str) -> str:
    try:
        return msgspec.convert(given, Identifier)
    except msgspec.ValidationError as fault:
        raise click.BadParameter(f"{given[:80]!r}: {fault}") from None


@click.command()
@click.argument("model", callback=_identifier)
@click.option("--config", type=click.Path(path_type=Path), help="Settings file; the environment comes first.")
@click.option(
    "--timeout",
    "timeout_s",
    type=click.FloatRange(min=1),
    default=60.0,
    show_default=True,
    help="Seconds to wait for the finding, and again for its end.",
)
def rehearse(model: str, config: Path | None, timeout_s: float) -> None:
    """Send a version of MODEL that gets worse and recovers, so that its owner is paged.

    The version is a new one each time: figures of real versions are not touched. The page is a real one.
    """
    from stream.topics import demand, named_if_lost

    settings = load(config)
    topics = settings.topics
    demand(settings, "tidewatch rehearse", reads=(topics.findings,), writes=topics.inputs())
    began_at = int(time.time())
    with named_if_lost(settings):
        asyncio.run(_play(settings, Rehearsal(model, f"rehearsal-{began_at}"), timeout_s))


async def _play(settings: Settings, rehearsal: Rehearsal, timeout_s: float) -> None:
    from aiokafka import TopicPartition

    from stream.engine.reading import reader

    async with _producer(settings) as producer, reader(client_options(settings.kafka)) as consumer:
        stage = _Stage(settings, producer, consumer, rehearsal, timeout_s)
        findings = TopicPartition(settings.topics.findings, 0)
        consumer.assign([findings])
        async with stage.in_time("did not say where the findings end"):
            await consumer.seek_to_end(findings)
        try:
            await stage.past()
            await stage.until("open", WORSE, f"now {WORSE:.0%} of its predictions are wrong")
            await stage.until("closed", WELL, f"now it is as good as before: {WELL:.0%}")
        except BaseException:
            await stage.take_off()
            raise


@asynccontextmanager
async def _producer(settings: Settings) -> AsyncIterator[AIOKafkaProducer]:
    """Open a producer; what Kafka has not taken when it is closed is given up soon."""
    from aiokafka import AIOKafkaProducer

    producer = AIOKafkaProducer(**client_options(settings.kafka), linger_ms=20)
    try:
        await producer.start()
        yield producer
    finally:
        with suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_S):
                await producer.stop()


class _Stage:
    """The Kafka that a rehearsal is played on."""

    def __init__(
        self,
        settings: Settings,
        producer: AIOKafkaProducer,
        consumer: AIOKafkaConsumer,
        rehearsal: Rehearsal,
        timeout_s: float,
    ) -> None:
        self._topics = settings.topics
        self._producer = producer
        self._consumer = consumer
        self._rehearsal = rehearsal
        self._timeout_s = timeout_s
        self._throttling = Throttling()
        for client in (producer.client, consumer._client):
            self._throttling.watch(client)

    @asynccontextmanager
    async def in_time(self, lack: str) -> AsyncIterator[None]:
        """Do what Kafka answers soon, unless it lets this client wait.

        Raises:
            click.ClickException: it did not within the timeout.
        """
        try:
            async with asyncio.timeout(self._timeout_s):
                yield
        except TimeoutError:
            late = f"Kafka {lack} within {self._timeout_s:g} s (--timeout){self._throttled()}"
            raise click.ClickException(late) from None

    def _throttled(self) -> str:
        quotas = [QUOTAS[kind] for kind in self._throttling.waits(time.monotonic())]
        return f"; it lets this client wait for a quota ({', '.join(quotas)})" if quotas else ""

    async def past(self) -> None:
        """Send what lets the worker know the version."""
        rehearsal, start = self._rehearsal, time.time() - PAST_S - DELAY_S
        click.echo(
            f"{rehearsal.model} version {rehearsal.version}: sending {PAST:,} predictions of the last"
            f" {PAST_S:.0f} s with their outcomes, {WELL:.0%} of them wrong"
        )
        ats = (start + number * PAST_S / PAST for number in range(PAST))
        await self._send(rehearsal.events(ats, WELL))

    async def until(self, state: str, wrong: float, news: str) -> None:
        """Send live traffic until the worker finds the version to be in ``state``.

        Raises:
            click.ClickException: it did not within the timeout.
        """
        click.echo(news)
        ends_at = time.monotonic() + self._timeout_s
        while (found := await self._finding(state)) is None:
            if time.monotonic() > ends_at:
                raise click.ClickException(
                    f"no {state} finding in {self._topics.findings} within {self._timeout_s:g} s (--timeout):"
                    " is a tidewatch worker running with the same settings, and has it no lag?"
                    f"{self._throttled()}"
                )
            now = time.time() - DELAY_S
            ats = (now - STEP_S + number * STEP_S / STEP for number in range(STEP))
            await self._send(self._rehearsal.events(ats, wrong))
        if state == "open":
            click.echo(f"found worse by {found.after_count} of its outcomes: {found.summary}")
            click.echo("its owner is paged now, if a pager runs")
        else:
            click.echo("found well again; its owner is told of the end now, if a pager runs")

    async def take_off(self) -> None:
        """Retire the version, so that nobody is paged of it any more, and what is open of it is closed."""
        mine, at = self._rehearsal, Instant(time.time())
        retired = Rollout(model=mine.model, version=mine.version, at=at, stage="retired")
        try:
            async with self.in_time(f"did not take that version {mine.version} is retired"):
                await self._producer.send_and_wait(
                    self._topics.rollouts, encode(retired), key=mine.model.encode()
                )
        except click.ClickException as late:  # why it is taken off is to be told, too
            click.echo(late.message, err=True)
            return
        click.echo(f"version {mine.version} is retired: a worker closes what is open of it", err=True)

    async def _send(self, events: Iterable[Event]) -> None:
        async with self.in_time("did not take the events"):
            for event in events:
                topic = self._topics.predictions if isinstance(event, Prediction) else self._topics.outcomes
                await self._producer.send(topic, encode(event), key=event.model.encode())
            await self._producer.flush()

    async def _finding(self, state: str) -> Finding | None:
        """Wait a step for the version's finding."""
        for batch in (await self._consumer.getmany(timeout_ms=int(STEP_S * 1000))).values():
            for record in batch:
                try:
                    found = decode_told(record.value)
                except DecodeError:
                    continue
                if not isinstance(found, Finding):
                    continue
                mine = (found.model, found.version) == (self._rehearsal.model, self._rehearsal.version)
                if mine and found.state == state:
                    return found
        return None
