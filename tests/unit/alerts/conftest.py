"""A real HTTP receiver for each test that asks."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.unit.alerts.samples import HookServer, hook_server


@pytest.fixture
def hook() -> Iterator[HookServer]:
    with hook_server() as server:
        yield server
