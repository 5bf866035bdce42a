"""What the Docker tests share: an engine, and the images; and one line at the end on what they did not show."""

from typing import Any

import pytest

from tests.docker import engine, images
from tests.require import missing

_SHOWN = pytest.StashKey[bool]()


def pytest_configure(config: pytest.Config) -> None:
    """Name the marker."""
    config.addinivalue_line("markers", "docker: wants a Docker engine; the first run makes images for a minute or two")


@pytest.fixture(scope="session")
def made(request: pytest.FixtureRequest) -> dict[str, str]:
    """The variables that name the images of docker-compose.yml."""
    try:
        found = images.obtain()
        engine.compose()
    except engine.Unavailable as reason:
        missing("docker", str(reason))
    request.config.stash[_SHOWN] = True
    return found


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Say loudly what the Compose test leaves out."""
    if config.stash.get(_SHOWN, False):
        terminalreporter.write_line(
            "tidewatch: docker-compose.yml was brought up WITHOUT GRAFANA: its image can't be made here, so no "
            "dashboard was rendered; the dashboard's file and queries have their own tests"
        )
