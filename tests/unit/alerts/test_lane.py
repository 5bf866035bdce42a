"""How attempts are spaced: jitter, Retry-After, the circuit, the limit."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from alerts.answer import Accepted, Answer, Refused, RetryLater
from alerts.lane import TRIP, Lane, Limit, Pace

PACE = Pace(base_s=1.0, cap_s=60.0)
LATER = RetryLater("http_503")


WIDE = Limit(1_000.0, 1_000.0)


def lane(limit: Limit = WIDE) -> Lane:
    return Lane(lambda: 1.0, PACE, limit)


@given(st.integers(1, 10_000), st.floats(0, 1))
def test_wait_is_within_zero_and_the_ceiling(failures: int, draw: float) -> None:
    assert 0.0 <= PACE.wait_s(failures, draw) <= min(60.0, 2.0 ** min(failures - 1, 30))


def test_failed_notification_waits_and_another_does_not() -> None:
    one = lane()
    one.note("a", 1, LATER, now=100.0)
    assert one.wait_s("a", 100.0) == 1.0
    assert one.wait_s("b", 100.0) == 0.0
    assert one.wait_s("a", 101.0) == 0.0


def test_retry_after_holds_for_all() -> None:
    one = lane()
    one.note("a", 1, RetryLater("http_429", 7.0), now=100.0)
    assert one.wait_s("b", 100.0) == 7.0


def test_circuit_opens_for_all_and_closes_with_the_first_answer_that_is_none_of_failure() -> None:
    for answer in (Accepted(), Refused("http_400")):
        one = lane()
        for number in range(TRIP):
            one.note(f"{number}", 1, LATER, now=100.0)
        assert one.is_open
        assert one.wait_s("new", 100.0) == 4.0
        one.note("0", 2, LATER, now=104.0)
        assert one.wait_s("new", 104.0) == 8.0
        one.note("0", 3, answer, now=112.0)
        assert not one.is_open
        assert one.wait_s("new", 112.0) == 0.0


def test_jitter_draws_anew_so_that_recovery_is_no_stampede() -> None:
    draws = iter([0.1, 0.9, 0.5])
    one = Lane(lambda: next(draws), PACE)
    one.note("a", 5, LATER, now=0.0)
    one.note("b", 5, LATER, now=0.0)
    assert one.wait_s("a", 0.0) != one.wait_s("b", 0.0)


@given(st.lists(st.floats(0, 0.5), min_size=1, max_size=200), st.integers(1, 20))
def test_no_window_holds_more_than_the_limit(steps: list[float], burst: int) -> None:
    limit = Limit(per_s=2.0, burst=float(burst))
    one, now, taken = lane(limit), 0.0, []
    for step in steps:
        now += step
        if one.wait_s("a", now) <= 0:
            one.take(now)
            taken.append(now)
    for first, began in enumerate(taken):
        for count, ended in enumerate(taken[first:], start=1):
            assert count <= burst + 2.0 * (ended - began) + 1e-6


def test_hour_of_outage_and_ten_minutes_of_throttling_lose_nothing_and_stay_few() -> None:
    """A receiver is down for an hour, answers 429 for ten minutes and then accepts, on a clock of its own."""
    dice = random.Random(7)
    one = Lane(dice.random, Pace(), Limit(2.0, 20.0))
    attempts: dict[str, int] = {f"n{number}": 0 for number in range(200)}
    sent: list[float] = []
    tries: list[float] = []
    now = 0.0
    while attempts and now < 8_000.0:
        for name in list(attempts):
            if one.wait_s(name, now) > 0:
                continue
            one.take(now)
            tries.append(now)
            attempts[name] += 1
            answer: Answer = Accepted()
            if now < 3_600.0:
                answer = LATER
            elif now < 4_200.0:
                answer = RetryLater("http_429", 30.0)
            else:
                sent.append(now)
                del attempts[name]
            one.note(name, attempts.get(name, 1), answer, now)
        now += 0.25
    assert attempts == {}
    assert len(sent) == 200
    assert len(tries) - 200 < 600
    assert sent[0] < 4_200.0 + 61.0
    assert max(sum(began <= at < began + 1.0 for at in sent) for began in sent) <= 22


def test_what_is_borne_a_dozen_times_ends_after_so_many_in_a_row_only() -> None:
    one, astray, down = lane(), RetryLater("address_not_allowed", most=12), RetryLater("network")
    for _ in range(100):
        assert one.at_last("a", down) == down
    for _ in range(11):
        assert one.at_last("a", astray) == astray
    assert one.at_last("a", down) == down
    for _ in range(11):
        assert one.at_last("a", astray) == astray
        assert one.at_last("b", down) == down
    assert one.at_last("a", astray) == Refused("address_not_allowed")
