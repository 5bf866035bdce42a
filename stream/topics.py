"""Shell. Makes and checks the topics of a cluster (``tidewatch topics create`` and ``check``)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple, TypeVar

import click
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError, for_code

from stream.cluster import DENIED, ClusterError, administrator, describe
from stream.settings import KafkaSettings, Settings, load
from stream.shapes import (
    AHEAD,
    CLOCK,
    Described,
    Fault,
    Needs,
    Shape,
    allowing,
    faults,
    settings_faults,
    shapes,
    stopping,
)

T = TypeVar("T")
VISIBLE_TIMEOUT_S = 30.0
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 5.0
"""Between two tries to reach a cluster that does not answer yet."""
_ALREADY_EXISTS = 36
_INVALID_REPLICATION = 38
_INVALID_CONFIGURATION = 40

TOO_OLD = (
    f"\n    Kafka before 3.6 does not know {AHEAD}: update it, or create the inputs"
    f" without it by kafka-topics.sh, with {CLOCK}=LogAppendTime"
)


class Report(NamedTuple):
    """What became of the topics; ``faults`` is empty when all are right."""

    created: tuple[str, ...]
    right: tuple[str, ...]
    faults: tuple[Fault, ...]


async def check(settings: Settings, needs: Needs | None = None) -> list[Fault]:
    """Return the faults of the cluster's topics, for those of ``needs`` or all; changes nothing.

    Raises:
        ClusterError: the cluster can't be asked.
    """
    async with administrator(settings) as admin:
        return await unfit(admin, settings, needs)


async def unfit(admin: AIOKafkaAdminClient, settings: Settings, needs: Needs | None = None) -> list[Fault]:
    """Return what ``check`` does, asked by this client."""
    cluster = await describe(admin, [shape.name for shape in shapes(settings)])
    uses_inputs = needs is None or any(map(needs.operations, settings.topics.inputs()))
    return (settings_faults(settings) if uses_inputs else []) + faults(settings, cluster, needs)


def demand(settings: Settings, program: str, *, reads: Collection[str], writes: Collection[str] = ()) -> None:
    """Say on stderr all that is wrong with the topics that ``program`` needs, and end it if it can't work so.

    A cluster that does not answer is waited for, up to ``kafka.startup_timeout_s``.
    """
    found = _run(_answered(settings, Needs(reads, writes), program))
    for fault in found:
        click.echo(f"{program}: {fault}", err=True)
    if stopping(found):
        raise SystemExit(1)


@contextmanager
def named_if_lost(settings: Settings) -> Iterator[None]:
    """End the command in one line that names the brokers, should Kafka fail in here."""
    try:
        yield
    except KafkaError as fault:
        brokers = ",".join(settings.kafka.brokers)
        raise click.ClickException(f"kafka.brokers {brokers!r}: {fault}") from fault


async def _answered(settings: Settings, needs: Needs, program: str) -> list[Fault]:
    """Check the topics, as soon as the cluster answers.

    Raises:
        ClusterError: it did not in time.
    """
    wait_s, pause_s, began = settings.kafka.startup_timeout_s, FIRST_PAUSE_S, time.monotonic()
    told = ""
    while True:
        try:
            found = await check(settings, needs)
        except ClusterError as fault:
            left_s = began + wait_s - time.monotonic()
            if left_s <= 0:
                after = f" (waited {wait_s:g} s, kafka.startup_timeout_s)" if wait_s else ""
                raise ClusterError(f"{fault}{after}") from fault
            if str(fault) != told:
                click.echo(f"{program}: waiting for Kafka, {left_s:.0f} s at most: {fault}", err=True)
                told = str(fault)
            await asyncio.sleep(min(pause_s, left_s))
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
        else:
            if told:
                waited_s = time.monotonic() - began
                click.echo(f"{program}: Kafka answers after {waited_s:.0f} s", err=True)
            return found


async def create(settings: Settings) -> Report:
    """Create the topics that do not exist; existing ones are compared and never altered.

    Raises:
        ClusterError: the cluster can't be asked, or refused to create a topic.
    """
    unfit = settings_faults(settings)
    if unfit:
        return Report((), (), tuple(unfit))
    wanted = shapes(settings)
    names = [shape.name for shape in wanted]
    async with administrator(settings) as admin:
        before = await describe(admin, names)
        created = await _create(
            admin, settings.kafka, [shape for shape in wanted if shape.name not in before]
        )
        after = await _describe_all(admin, names)
    found = faults(settings, after)
    wrong = {fault.topic for fault in found}
    right = tuple(name for name in names if name not in created and name not in wrong)
    return Report(created, right, tuple(found))


async def _create(
    admin: AIOKafkaAdminClient, kafka: KafkaSettings, wanted: Collection[Shape]
) -> tuple[str, ...]:
    if not wanted:
        return ()
    response = await admin.create_topics(
        [NewTopic(one.name, one.partitions, one.replication, None, dict(one.configuration)) for one in wanted]
    )
    created = []
    for name, code, message in response.topic_errors:
        if code not in (0, _ALREADY_EXISTS):  # another process may create at the same time
            mend = TOO_OLD if code == _INVALID_CONFIGURATION else ""
            if code == DENIED:
                mend = f"\n    mend: {allowing(kafka, name, ['Create'])}"
            if code == _INVALID_REPLICATION:
                mend = await _too_many_copies(admin, wanted)
            raise ClusterError(f"topic {name}: not created: {message or for_code(code).__name__}{mend}")
        if not code:
            created.append(name)
    return tuple(created)


async def _too_many_copies(admin: AIOKafkaAdminClient, wanted: Collection[Shape]) -> str:
    brokers = len((await admin.describe_cluster())["brokers"])
    copies = max(shape.replication for shape in wanted)
    return (
        f"\n    topics.replication {copies}: want at most the number of brokers, {brokers};"
        f" set TIDEWATCH_TOPICS_REPLICATION={min(copies, brokers)}, or start more brokers"
    )


async def _describe_all(admin: AIOKafkaAdminClient, names: Collection[str]) -> dict[str, Described]:
    """Describe, once the broker asked sees every topic: a creation reaches the brokers one by one."""
    deadline = time.monotonic() + VISIBLE_TIMEOUT_S
    while True:
        seen = await describe(admin, names)
        if len(seen) == len(names) or time.monotonic() > deadline:
            return seen
        await asyncio.sleep(0.1)


@click.group()
def topics() -> None:
    """Create the topics of a cluster, or check them."""


@topics.command("create")
def create_command() -> None:
    """Create the topics that are missing; never alter one that exists."""
    report = _run(create(load()))
    for name in report.created:
        click.echo(f"created        {name}")
    for name in report.right:
        click.echo(f"already right  {name}")
    _finish(report.faults)


@topics.command("check")
def check_command() -> None:
    """Say what is wrong with the topics and what mends it; change nothing."""
    settings = load()
    found = _run(check(settings))
    if not found:
        click.echo(f"all {len(shapes(settings))} topics are right")
    _finish(found)


def _run(work: Coroutine[Any, Any, T]) -> T:
    try:
        return asyncio.run(work)
    except ClusterError as fault:
        raise click.ClickException(str(fault)) from fault


def _finish(found: Collection[Fault]) -> None:
    for fault in found:
        click.echo(str(fault))
    if stopping(found):
        raise SystemExit(1)
