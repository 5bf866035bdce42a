"""A small fleet with late, biased labels: the promise of the bench, in seconds."""

import pytest

from bench.detection import fleet
from bench.detection.cases import CAUSES


@pytest.fixture(scope="module")
def found():
    made = fleet.Fleet()
    for number in range(14):
        made.add(fleet._one(number, 30.0, 11, CAUSES[number % 3] if number < 9 else None))
    return made


def test_harm_is_found_and_explained(found):
    assert dict(found.harmed) == dict.fromkeys(CAUSES, 3)
    assert found.detected == found.harmed
    assert found.explained.total() >= 8


def test_healthy_models_do_not_page(found):
    assert found.false_pages == 0
