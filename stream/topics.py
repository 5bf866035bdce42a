"""Shell. Makes and checks the topics of a cluster (``tidewatch topics create`` and ``check``)."""

from __future__ import annotations

import asyncio
import logging
import signal
import time
from collections.abc import AsyncIterator, Collection, Coroutine, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn, TypeVar

import click

from stream.engine.connection import client_options
from stream.settings import Settings, load
from stream.shapes import AHEAD, CLOCK, Described, Fault, Shape, faults, settings_faults, shapes, stopping

if TYPE_CHECKING:
    from aiokafka.admin import AIOKafkaAdminClient

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


class ClusterError(Exception):
    """The cluster can't be asked or refused; the message says what was tried."""


class Report(NamedTuple):
    """What became of the topics; ``faults`` is empty when all are right."""

    created: tuple[str, ...]
    right: tuple[str, ...]
    faults: tuple[Fault, ...]


async def check(settings: Settings, names: Collection[str] | None = None) -> list[Fault]:
    """Return the faults of the cluster's topics, for ``names`` or all; changes nothing.

    Raises:
        ClusterError: the cluster can't be asked.
    """
    async with _admin(settings) as admin:
        cluster = await describe(admin, [shape.name for shape in shapes(settings)])
    reads_inputs = names is None or not set(names).isdisjoint(settings.topics.inputs())
    return (settings_faults(settings) if reads_inputs else []) + faults(settings, cluster, names)


def demand(settings: Settings, names: Collection[str], program: str) -> None:
    """Say on stderr all that is wrong with the topics that ``program`` needs, and end it if it can't work so.

    A cluster that does not answer is waited for, up to ``kafka.startup_timeout_s``; SIGTERM ends the wait.
    """
    before = signal.signal(signal.SIGTERM, _end)  # process 1 of a container would not hear it
    try:
        found = _run(_answered(settings, names, program))
    finally:
        signal.signal(signal.SIGTERM, before)
    for fault in found:
        click.echo(f"{program}: {fault}", err=True)
    if stopping(found):
        raise SystemExit(1)


@contextmanager
def named_if_lost(settings: Settings) -> Iterator[None]:
    """End the command in one line that names the brokers, should Kafka fail in here."""
    from aiokafka.errors import KafkaError

    try:
        yield
    except KafkaError as fault:
        brokers = ",".join(settings.kafka.brokers)
        raise click.ClickException(f"kafka.brokers {brokers!r}: {fault}") from fault


def _end(number: int, _frame: Any) -> NoReturn:
    raise SystemExit(128 + number)


async def _answered(settings: Settings, names: Collection[str], program: str) -> list[Fault]:
    """Check the topics, as soon as the cluster answers.

    Raises:
        ClusterError: it did not in time.
    """
    wait_s, pause_s, began = settings.kafka.startup_timeout_s, FIRST_PAUSE_S, time.monotonic()
    told = ""
    while True:
        try:
            found = await check(settings, names)
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
    async with _admin(settings) as admin:
        before = await describe(admin, names)
        created = await _create(admin, [shape for shape in wanted if shape.name not in before])
        after = await _describe_all(admin, names)
    found = faults(settings, after)
    wrong = {fault.topic for fault in found}
    right = tuple(name for name in names if name not in created and name not in wrong)
    return Report(created, right, tuple(found))


async def describe(admin: AIOKafkaAdminClient, names: Collection[str]) -> dict[str, Described]:
    """Return those of ``names`` that the cluster has; nothing is created by asking."""
    from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

    found = {topic["topic"]: topic for topic in await admin.describe_topics() if topic["topic"] in names}
    if not found:
        return {}
    resources = [ConfigResource(ConfigResourceType.TOPIC, name) for name in sorted(found)]
    configurations: dict[str, dict[str, str]] = {}
    for response in await admin.describe_configs(resources):
        configurations |= {entry[3]: {item[0]: item[1] for item in entry[4]} for entry in response.resources}
    return {name: _described(topic, configurations.get(name, {})) for name, topic in found.items()}


def _described(topic: Mapping[str, Any], configuration: Mapping[str, str]) -> Described:
    partitions = topic["partitions"]
    replication = min((len(one["replicas"]) for one in partitions), default=0)
    return Described(len(partitions), replication, configuration)


async def _create(admin: AIOKafkaAdminClient, wanted: Collection[Shape]) -> tuple[str, ...]:
    from aiokafka.admin import NewTopic
    from aiokafka.errors import for_code

    if not wanted:
        return ()
    response = await admin.create_topics(
        [NewTopic(one.name, one.partitions, one.replication, None, dict(one.configuration)) for one in wanted]
    )
    created = []
    for name, code, message in response.topic_errors:
        if code not in (0, _ALREADY_EXISTS):  # another process may create at the same time
            mend = TOO_OLD if code == _INVALID_CONFIGURATION else ""
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


@asynccontextmanager
async def _admin(settings: Settings) -> AsyncIterator[AIOKafkaAdminClient]:
    from aiokafka.admin import AIOKafkaAdminClient
    from aiokafka.errors import KafkaError

    admin = AIOKafkaAdminClient(**client_options(settings.kafka))
    try:
        await admin.start()
        yield admin
    except (KafkaError, TimeoutError) as fault:
        brokers = ",".join(settings.kafka.brokers)
        raise ClusterError(f"kafka.brokers {brokers!r}: {fault or type(fault).__name__}") from fault
    finally:
        await admin.close()


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
    log = logging.getLogger("aiokafka")
    level = log.level
    log.setLevel(logging.CRITICAL)  # what it warns of is raised, and told once
    try:
        return asyncio.run(work)
    except ClusterError as fault:
        raise click.ClickException(str(fault)) from fault
    finally:
        log.setLevel(level)


def _finish(found: Collection[Fault]) -> None:
    for fault in found:
        click.echo(str(fault))
    if stopping(found):
        raise SystemExit(1)
