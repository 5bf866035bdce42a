"""Within a day harm is found whichever topic is read ahead, and how far: the chaos suite's load in one fold."""

import random
from collections import Counter
from dataclasses import replace
from itertools import groupby

import pytest

from stream.events import Finding
from stream.fold import InputFold
from stream.pending import MemoryStore
from stream.wire import decode_told
from tests.chaos.load import HORIZON_S, Shape, build
from tests.laws.lives import BEGAN_AT, RULES, Life, Logged

SHAPE = Shape(events=12_000, partitions=1, healthy=0, legacy=0, is_rich=False)
FOLD = replace(RULES, label_horizon_s=HORIZON_S, memory_entries=100_000)


def chunks(day, rng, most):
    """Yield a day's records, up to ``most`` of one topic at a time, each topic in its order."""
    waiting = {topic: [one for one in day if one.topic == topic] for topic in ("predictions", "outcomes")}
    while any(waiting.values()):
        topic = rng.choice([name for name, left in waiting.items() if left])
        many = rng.randrange(1, most)
        yield waiting[topic][:many]
        waiting[topic] = waiting[topic][many:]


def told(fold):
    findings = [decode_told(out.value) for out in fold.freeze({}).outputs if out.topic == FOLD.findings]
    for _ in fold.committed():
        pass
    return Counter(
        (one.model, one.slice, one.episode, one.state) for one in findings if isinstance(one, Finding)
    )


def findings(records, parts):
    """Return the findings when each day is folded in the parts that ``parts`` makes of it."""
    fold, found = InputFold(0, FOLD, Life({}), MemoryStore()), Counter()
    for _, day in groupby(records, key=lambda one: one.day):
        for part in parts([*day]):
            fold.apply([Logged(one.topic, 0, one.timestamp_ms, one.value) for one in part])
            found += told(fold)
    return found


@pytest.fixture(scope="module")
def records():
    return build(18, SHAPE, BEGAN_AT)


@pytest.fixture(scope="module")
def in_step(records):
    return findings(records, lambda day: [[one] for one in day])


def test_in_step_each_harm_is_told_and_over(in_step):
    assert Counter(state for *_, state in in_step) == {"open": SHAPE.degraded, "closed": SHAPE.degraded}


@pytest.mark.parametrize("most", [50, 200, 10_000])
def test_harm_is_found_in_whatever_order_two_topics_are_read(records, in_step, most):
    rng = random.Random(most)
    for _ in range(3):
        assert findings(records, lambda day: chunks(day, rng, most)) == in_step
