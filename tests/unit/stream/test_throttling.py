"""What Kafka says of quotas with its answers is heard, counted, said once, and no stall."""

import asyncio
from types import SimpleNamespace

import pytest
from structlog.testing import capture_logs

from stream.engine.app import EngineApp
from stream.engine.liveness import STALL_S, Lag, Liveness
from stream.engine.throttling import OVER_AFTER_S, SAID_AFTER_S, Throttling

PRODUCE, FETCH, METADATA = 0, 1, 3
"""Kafka's numbers of requests."""


def answered(api_key: int, answer: object) -> list[tuple[str, float]]:
    """Return what is counted of a client's answer, which must reach the client."""
    counted: list[tuple[str, float]] = []

    async def send(node_id, request, *, group):
        assert (node_id, group) == (7, "g")
        return answer

    client = SimpleNamespace(send=send)
    Throttling(lambda kind, seconds: counted.append((kind, seconds))).watch(client)
    assert asyncio.run(client.send(7, SimpleNamespace(API_KEY=api_key), group="g")) is answer
    return counted


@pytest.mark.parametrize(
    ("api_key", "answer", "counted"),
    [
        (FETCH, SimpleNamespace(throttle_time_ms=1_500), [("fetch", 1.5)]),
        (PRODUCE, SimpleNamespace(throttle_time_ms=200), [("produce", 0.2)]),
        (METADATA, SimpleNamespace(throttle_time_ms=30), [("other", 0.03)]),
        (FETCH, SimpleNamespace(throttle_time_ms=0), []),
        (METADATA, SimpleNamespace(), []),
        (PRODUCE, None, []),
    ],
    ids=["fetch", "produce", "other", "no quota", "an old version tells none", "no answer is asked for"],
)
def test_what_brokers_make_a_client_wait_is_counted_by_kind_of_request(api_key, answer, counted):
    assert answered(api_key, answer) == counted


def test_a_request_waits_for_as_long_as_the_newest_answer_said():
    throttling = Throttling()
    throttling.told(FETCH, 10.0, 100.0)
    throttling.told(FETCH, 2.0, 101.0)
    throttling.told(METADATA, 30.0, 100.0)
    assert throttling.waits(109.0) == ["fetch", "other"]
    assert throttling.waits(111.0) == ["other"]
    assert throttling.waits(131.0) == []


def test_what_the_thread_that_fetches_is_told_does_not_disturb_who_looks_meanwhile():
    throttling = Throttling()
    throttling.told(METADATA, 1.0, 100.0)

    class Now(float):
        """An instant; while it is compared the other thread is told of the first fetch."""

        def __lt__(self, until):
            throttling.told(FETCH, 1.0, 100.0)
            return float(self) < until

    assert "other" in throttling.waits(Now(100.5))


def test_only_what_keeps_records_from_coming_or_going_excuses_a_process_that_folds_nothing():
    throttling = Throttling()
    throttling.told(METADATA, 30.0, 100.0)
    assert not throttling.keeps(101.0), "a stuck process still beats its heart"
    throttling.told(PRODUCE, 1.0, 102.0)
    assert throttling.keeps(102.5)
    assert not throttling.keeps(103.5)


def said(*looks: tuple[float, float]) -> list[str]:
    """Return what is logged at looks, at each of which a fetch was told to wait for so long."""
    throttling, found = Throttling(), []
    for at, seconds in looks:
        throttling.told(FETCH, seconds, at)
        with capture_logs() as logs:
            throttling.look(at)
        found += [line["event"] for line in logs]
    return found


def test_a_quota_is_told_once_while_it_lasts_and_so_is_its_end():
    lasting = [(at, 10.0) for at in (100.0, 105.0, 100.0 + SAID_AFTER_S, 115.0, 140.0)]
    over = 140.0 + OVER_AFTER_S + 1.0
    assert said(*lasting) == ["throttled"]
    assert said(*lasting, (160.0, 0.0), (over, 0.0)) == ["throttled", "not throttled any more"]
    again = [(over + at, 10.0) for at in (1.0, 2.0 + SAID_AFTER_S)]
    assert said(*lasting, (over, 0.0), *again)[2:] == ["throttled"]


def test_a_moment_of_it_is_not():
    assert said((100.0, 1.0), (105.0, 0.0), (100.0 + OVER_AFTER_S + 5.0, 0.0)) == []


def test_the_line_names_the_quota():
    throttling = Throttling()
    for at in (0.5, 0.5 + SAID_AFTER_S):
        throttling.told(FETCH, 1.0, at)
        with capture_logs() as logs:
            throttling.look(at)
    (line,) = logs
    assert (line["requests"], line["quotas"]) == (["fetch"], ["consumer_byte_rate"])


def alive(monkeypatch, *, throttled: bool, is_away: bool = False) -> bool:
    """Whether a process passes for alive that lets records wait for two minutes, as Kafka may let it."""
    app = SimpleNamespace(
        keeper=SimpleNamespace(measure_lag=lambda end: {0: Lag(5, 100)}, restoring=False),
        consumer=SimpleNamespace(end=None, fetching=SimpleNamespace(is_away=lambda now: is_away)),
        custody=SimpleNamespace(throttling=Throttling()),
        liveness=Liveness(),
        rebalancing=False,
    )
    for now in (0.0, STALL_S, 2 * STALL_S):
        monkeypatch.setattr("stream.engine.app.time.monotonic", lambda now=now: now)
        if throttled:
            app.custody.throttling.told(FETCH, STALL_S, now)
        _, is_stalled = EngineApp.look_alive(app)
    return not is_stalled


def test_a_process_that_kafka_lets_wait_is_not_taken_for_dead_and_another_is(monkeypatch):
    assert alive(monkeypatch, throttled=True), "a restart would read its state again, and wait for that, too"
    assert alive(monkeypatch, throttled=False, is_away=True), "it would find no broker either"
    assert not alive(monkeypatch, throttled=False)
