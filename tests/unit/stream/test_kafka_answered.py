"""When Kafka last answered: the newest answer of any input, and no time at all where none is waited for."""

import math
import time
from types import SimpleNamespace

import pytest
from aiokafka import TopicPartition
from prometheus_client import CollectorRegistry

from stream.engine.fetching import ConsumerThread
from stream.engine.looks import measure
from stream.engine.telemetry import EngineTelemetry
from stream.engine.throttling import Throttling

ONE, OTHER = TopicPartition("predictions", 0), TopicPartition("outcomes", 0)
PRODUCE, FETCH = 0, 1
"""Kafka's numbers of such requests."""


def state(answered_ms, *, sought=True):
    return SimpleNamespace(timestamp=answered_ms, has_valid_position=sought)


def thread(states, *, buffered=(), throttling=None):
    """Return a thread that fetches inputs in these states; of those ``buffered`` something is to be folded."""
    made = ConsumerThread.__new__(ConsumerThread)
    made.app = SimpleNamespace(custody=SimpleNamespace(throttling=throttling or Throttling()))
    assignment = None if states is None else SimpleNamespace(tps=frozenset(states), state_value=states.get)
    made._consumer = SimpleNamespace(
        _subscription=SimpleNamespace(subscription=SimpleNamespace(assignment=assignment)),
        _fetcher=SimpleNamespace(_records=dict.fromkeys(buffered)),
    )
    return made


@pytest.mark.parametrize(
    ("states", "buffered", "answered_at"),
    [
        ({ONE: state(5_000), OTHER: state(7_500)}, (), 7.5),
        ({ONE: state(5_000), OTHER: state(None)}, (), 5.0),
        ({ONE: state(5_000), OTHER: state(7_500)}, (OTHER,), 7.5),
        ({ONE: state(5_000), OTHER: state(7_500)}, (ONE, OTHER), math.nan),
        ({ONE: state(5_000, sought=False), OTHER: state(7_500)}, (OTHER,), math.nan),
        ({ONE: state(None), OTHER: state(None)}, (), math.nan),
        ({}, (), math.nan),
        (None, (), math.nan),
    ],
    ids=[
        "the newest answer",
        "one was never answered",
        "one waits to be folded, and the other is asked for",
        "all waits to be folded",
        "what is not folded yet, and what is not sought yet",
        "none was answered",
        "nothing is assigned",
        "before the first assignment",
    ],
)
def test_kafka_answered_when_it_told_of_any_input(states, buffered, answered_at):
    assert thread(states, buffered=buffered).answered_at() == pytest.approx(answered_at, nan_ok=True)


def test_no_answer_is_waited_for_before_the_consumer_is_made():
    made = thread(None)
    made._consumer = None
    assert math.isnan(made.answered_at())


@pytest.mark.parametrize(("kind", "is_waited_for"), [(FETCH, False), (PRODUCE, True)])
def test_no_answer_is_waited_for_while_kafka_lets_fetches_wait_for_a_quota(kind, is_waited_for):
    throttling = Throttling()
    throttling.told(kind, 60.0, time.monotonic())
    answered_at = thread({ONE: state(5_000)}, throttling=throttling).answered_at()
    assert math.isnan(answered_at) is not is_waited_for


def test_a_scrape_is_told_of_that_moment():
    registry, states = CollectorRegistry(), {ONE: state(5_000)}
    app = SimpleNamespace(consumer=SimpleNamespace(fetching=thread(states)), task=lambda run: None)
    measure(app, EngineTelemetry(registry))
    shown = "tidewatch_kafka_answered_timestamp_seconds"
    assert registry.get_sample_value(shown) == 5.0
    states[ONE].timestamp = 7_500
    assert registry.get_sample_value(shown) == 7.5
