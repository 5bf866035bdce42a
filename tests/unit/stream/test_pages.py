"""What a process says of itself over HTTP."""

import time
from types import SimpleNamespace

from aiokafka import TopicPartition
from prometheus_client import CollectorRegistry

from stream.engine.backlog import Backlog
from stream.engine.keeper import Held
from stream.engine.liveness import Lag
from stream.engine.pace import Verdict
from stream.engine.pages import folded_by, health_of
from stream.engine.throttling import Throttling
from tests.unit.stream.keepers import keeper_of

FETCH = 1
"""Kafka's number of such a request."""


def holding(offsets, registry=None):
    keeper = keeper_of(registry, inputs=("a", "b"))
    keeper._held = {number: Held(None, None, dict(own)) for number, own in offsets.items()}
    return keeper


def test_partitions_are_ready_when_all_of_them_are_restored():
    keeper = holding({1: {}, 0: {}})
    keeper.restoring = True
    assert folded_by(keeper) == []
    keeper.restoring = False
    assert folded_by(keeper) == [0, 1]


def test_lag_is_what_lies_between_the_state_and_the_end_of_each_input():
    registry = CollectorRegistry()
    keeper = holding({0: {"a": 3, "b": 7}, 1: {"a": 5}}, registry)
    ends = {TopicPartition("a", 0): 10, TopicPartition("b", 0): 6, TopicPartition("a", 1): None}
    assert keeper.measure_lag(ends.get) == {0: Lag(7, 10), 1: Lag(0, 5)}
    said = {"topic": "a", "partition": "0"}
    assert registry.get_sample_value("tidewatch_consumer_lag_records", said) == 7.0


def test_health_says_what_waits_and_what_helps_a_worker_that_falls_behind():
    keeper = holding({0: {}, 1: {}})
    keeper.folded = 70
    fetching = SimpleNamespace(is_away=lambda now: False)
    app = SimpleNamespace(
        look_alive=lambda: (9, True),
        consumer=SimpleNamespace(fetching=fetching),
        pace=SimpleNamespace(verdict=Verdict.KEEPS_UP),
        keeper=keeper,
        custody=SimpleNamespace(throttling=Throttling()),
    )
    assert health_of(app) == {"stalled": True, "waiting": 9, "folded": 70, "pace": "keeps_up"}
    app.pace.verdict = Verdict.FALLS_BEHIND
    assert "add workers: this one has 2 partitions" in health_of(app)["advice"]
    app.custody.throttling.told(FETCH, 60.0, time.monotonic())
    assert health_of(app)["throttled"] == ["fetch"]
    fetching.is_away = lambda now: True
    assert health_of(app)["kafka"] == "away"


def test_records_wait_although_no_fetch_has_told_of_them_yet():
    keeper = holding({0: {"a": 3, "b": 7}})
    keeper._held[0].backlog = Backlog({"a": 10, "b": 7}, 0.0)
    unknown = {TopicPartition("a", 0): 0, TopicPartition("b", 0): None}
    assert keeper.measure_lag(unknown.get) == {0: Lag(7, 10)}
