"""A worker beside the broker, for what asks it from outside."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from stream.demo.processes import Child
from stream.topics import create
from tests.conftest import Kafka
from tests.integration import one_model


@pytest.fixture
def worker(kafka: Kafka, tmp_path: Path) -> Iterator[Child]:
    asyncio.run(create(kafka.settings()))
    child = one_model.worker(kafka, tmp_path)
    yield child
    child.stop()
