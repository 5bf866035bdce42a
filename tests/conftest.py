"""One real broker for the session, see ``tests.brokers``; each test has its own topic and group names."""

import asyncio
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, settings
from xdist.scheduler import LoadScopeScheduling

from stream.cluster import administrator
from stream.settings import Settings
from tests import brokers
from tests.require import missing

USED: Final = "broker"
TOGETHER: Final = {"chaos": "processes", "integration": "processes", "docker": "containers"}
"""Rooms whose tests start workers, brokers or containers: one after the other, beside those of the other rooms."""

# no test is about time: the first example may import scikit-learn, and machines are shared
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
# the build server draws the same examples each time, so what fails there is the change; a desk draws new ones
settings.register_profile("same", settings.get_profile("untimed"), derandomize=True)
settings.load_profile("untimed")


@dataclass(frozen=True)
class Kafka:
    """A broker for one test; every topic and group of the test begins with ``prefix``."""

    brokers: str
    prefix: str
    short_session_s: float

    def settings(self, **overrides: dict[str, Any]) -> Settings:
        """Return settings for this broker; ``topics={"partitions": 8}`` overrides fields of a section."""
        return Settings(**self._sections(overrides))  # type: ignore[arg-type]

    def environment(self, **overrides: dict[str, Any]) -> dict[str, str]:
        """Return the same settings as ``TIDEWATCH_*`` variables, to be laid over ``os.environ``."""
        return {
            f"TIDEWATCH_{section}_{field}".upper(): str(value)
            for section, fields in self._sections(overrides).items()
            for field, value in fields.items()
        }

    def tidewatch(self, *words: str, **overrides: dict[str, Any]) -> subprocess.CompletedProcess[str]:
        """Run a command of ``tidewatch`` with these settings to its end."""
        command = [sys.executable, "-m", "stream", *words]
        environment = os.environ | self.environment(**overrides)
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=150)

    def _sections(self, overrides: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
        own: dict[str, dict[str, Any]] = {
            "kafka": {"brokers": self.brokers},
            "topics": {"prefix": self.prefix, "partitions": 2},
            "worker": {"group": f"{self.prefix}worker"},
            "pager": {"group": f"{self.prefix}pager"},
        }
        return own | {section: own.get(section, {}) | fields for section, fields in overrides.items()}


@pytest.fixture(scope="session")
def broker() -> Iterator[brokers.Broker]:
    """The session's broker; ``TIDEWATCH_TEST_BROKER`` is env, docker, embedded, or auto for all in order."""
    with ExitStack() as stack:
        try:
            found = brokers.start(stack, os.environ.get("TIDEWATCH_TEST_BROKER") or "auto")
        except brokers.Unavailable as reason:
            missing("kafka", str(reason))
        yield found


@pytest.fixture
def kafka(broker: brokers.Broker, record_property: Callable[[str, object], None]) -> Iterator[Kafka]:
    """The session's broker with names for one test; its topics are deleted afterwards."""
    record_property(USED, broker.source)
    own = Kafka(broker.brokers, f"test-{uuid4().hex[:12]}.", broker.short_session_s)
    yield own
    asyncio.run(_delete_topics(own))


async def _delete_topics(own: Kafka) -> None:
    async with administrator(own.settings()) as admin:
        mine = [topic for topic in await admin.list_topics() if topic.startswith(own.prefix)]
        if mine:
            await admin.delete_topics(mine)


def pytest_report_header() -> str:
    """Say what is asked of the broker and what may not be skipped."""
    choice = os.environ.get("TIDEWATCH_TEST_BROKER") or "auto"
    return f"tidewatch: broker {choice}; required: {os.environ.get('TIDEWATCH_REQUIRE') or 'nothing'}"


class Rooms(LoadScopeScheduling):
    """What ``make test`` gives to one of its processes: a file, or all that is to be ``TOGETHER``."""

    def _split_scope(self, nodeid: str) -> str:
        file = Path(nodeid.partition("::")[0])
        return TOGETHER.get(file.parts[1], str(file))

    def add_node_collection(self, node: Any, collection: Sequence[str]) -> None:
        """Refuse tests that share an id: one of them would run, and nothing be said of the others."""
        shared = [f"{one} ({count})" for one, count in Counter(collection).items() if count > 1]
        if shared:
            raise pytest.UsageError(f"tests that share an id: {', '.join(shared)}")
        super().add_node_collection(node, collection)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Rooms:
    """Let the tests wait for Kafka on one core and reckon on the others."""
    config.option.loadscopereorder = False  # the rooms with processes take longest, and come first
    return Rooms(config, log)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Say which broker the tests really ran on."""
    reports = [
        one for kind in terminalreporter.stats.values() for one in kind if hasattr(one, "user_properties")
    ]
    used = {source for one in reports for name, source in one.user_properties if name == USED}
    terminalreporter.write_line(f"tidewatch: Kafka broker used: {', '.join(sorted(used)) or 'none'}")
