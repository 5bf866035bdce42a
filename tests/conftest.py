"""One real broker for the session, see ``tests.brokers``; each test has its own topic and group names."""

import asyncio
import os
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from hypothesis import HealthCheck, settings

from stream.settings import Settings
from tests import brokers
from tests.require import missing

_USED = pytest.StashKey[str]()

# no test is about time: the first example may import scikit-learn, and machines are shared
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")


@dataclass(frozen=True)
class Kafka:
    """A broker for one test; every topic and group of the test begins with ``prefix``."""

    brokers: str
    prefix: str
    short_session_s: float

    def settings(self, **overrides: dict[str, Any]) -> Settings:
        """Return settings for this broker; ``topics={"partitions": 8}`` overrides fields of a section."""
        sections = self._sections()
        for section, fields in overrides.items():
            sections[section] = sections.get(section, {}) | fields
        return Settings(**sections)  # type: ignore[arg-type]

    def environment(self, **overrides: dict[str, Any]) -> dict[str, str]:
        """Return the same settings as ``TIDEWATCH_*`` variables, to be laid over ``os.environ``."""
        sections = self._sections()
        for section, fields in overrides.items():
            sections[section] = sections.get(section, {}) | fields
        return {
            f"TIDEWATCH_{section}_{field}".upper(): str(value)
            for section, fields in sections.items()
            for field, value in fields.items()
        }

    def _sections(self) -> dict[str, dict[str, Any]]:
        return {
            "kafka": {"brokers": self.brokers},
            "topics": {"prefix": self.prefix, "partitions": 2},
            "worker": {"group": f"{self.prefix}worker"},
            "pager": {"group": f"{self.prefix}pager"},
        }


@pytest.fixture(scope="session")
def broker(request: pytest.FixtureRequest) -> Iterator[brokers.Broker]:
    """The session's broker; ``TIDEWATCH_TEST_BROKER`` is env, docker, embedded, or auto for all in order."""
    with ExitStack() as stack:
        try:
            found = brokers.start(stack, os.environ.get("TIDEWATCH_TEST_BROKER") or "auto")
        except brokers.Unavailable as reason:
            request.config.stash[_USED] = f"none: {reason}"
            missing("kafka", str(reason))
        request.config.stash[_USED] = found.source
        yield found


@pytest.fixture
def kafka(broker: brokers.Broker) -> Iterator[Kafka]:
    """The session's broker with names for one test; its topics are deleted afterwards."""
    own = Kafka(broker.brokers, f"test-{uuid4().hex[:12]}.", broker.short_session_s)
    yield own
    asyncio.run(_delete_topics(own))


async def _delete_topics(own: Kafka) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=own.brokers)
    await admin.start()
    try:
        mine = [topic for topic in await admin.list_topics() if topic.startswith(own.prefix)]
        if mine:
            await admin.delete_topics(mine)
    finally:
        await admin.close()


def pytest_report_header() -> str:
    """Say what is asked of the broker and what may not be skipped."""
    choice = os.environ.get("TIDEWATCH_TEST_BROKER") or "auto"
    return f"tidewatch: broker {choice}; required: {os.environ.get('TIDEWATCH_REQUIRE') or 'nothing'}"


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Say which broker the tests really ran on."""
    terminalreporter.write_line(
        f"tidewatch: Kafka broker used: {config.stash.get(_USED, 'no test asked for one')}"
    )
