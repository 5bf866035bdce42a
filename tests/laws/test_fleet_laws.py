"""A small fleet with late, biased labels: the promise of the bench, in seconds."""

import numpy as np
import pytest

from bench.detection import fleet
from stream.version import Judgement


@pytest.fixture(scope="module")
def found():
    made = fleet.Fleet(weeks=1.0)
    for number in range(12):
        rng = np.random.default_rng([11, number])
        case = fleet._case(rng, 30.0, harmed=number < 8)
        opened = [one for one in fleet._findings("m", case, 30.0, Judgement(), rng) if one.state == "open"]
        fleet._score(made, case, opened)
    return made


def test_harm_is_found_and_explained(found):
    assert found.harmed == 8
    assert found.detected == 8
    assert found.explained >= 7


def test_healthy_models_do_not_page(found):
    assert found.false_pages == 0
