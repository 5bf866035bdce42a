"""What the Docker tests share: an engine and the images; at the end a line on what they did not show."""

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest

from tests.docker import engine, images
from tests.require import missing


def pytest_configure(config: pytest.Config) -> None:
    """Name the marker."""
    config.addinivalue_line(
        "markers", "docker: wants a Docker engine; the first run makes images for a minute or two"
    )


@pytest.fixture(scope="session")
def made() -> Iterator[dict[str, str]]:
    """The variables that name the images of docker-compose.yml; the service's own goes, the others stay."""
    try:
        found = images.obtain()
        engine.compose()
    except engine.Unavailable as reason:
        missing("docker", str(reason))
    yield found
    with contextlib.suppress(RuntimeError):  # another run uses the same content now
        engine.docker("image", "rm", found["TIDEWATCH_IMAGE"])


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Say loudly what the Compose test leaves out."""
    if any("docker" in one.keywords for one in terminalreporter.stats.get("passed", ())):
        terminalreporter.write_line(
            "tidewatch: docker-compose.yml was shown WITHOUT GRAFANA, whose image can't be made here: no "
            "dashboard was rendered; its file and its queries have their own tests"
        )
