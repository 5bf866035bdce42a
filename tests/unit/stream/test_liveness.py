"""A process is alive while it folds what waits, and while it may not."""

import pytest

from stream.engine.liveness import STALL_S, Lag, Liveness

LATE = STALL_S + 1.0
WAITS, MOVED, NONE = Lag(5, 100), Lag(5, 101), Lag(0, 105)


@pytest.mark.parametrize(
    ("looks", "is_stalled"),
    [
        ([(0.0, {0: WAITS}), (LATE, {0: WAITS})], True),
        ([(0.0, {0: WAITS}), (STALL_S, {0: WAITS})], False),
        ([(0.0, {0: WAITS}), (LATE, {0: MOVED})], False),
        ([(0.0, {0: WAITS}), (STALL_S, {0: MOVED}), (LATE, {0: MOVED})], False),
        ([(0.0, {0: NONE}), (LATE, {0: NONE})], False),
        ([(0.0, {0: NONE}), (LATE, {0: WAITS})], False),
        ([(0.0, {0: WAITS, 1: WAITS}), (LATE, {0: WAITS, 1: MOVED})], True),
        ([(0.0, {0: WAITS}), (30.0, {}), (LATE, {0: WAITS})], False),
        ([(0.0, {0: WAITS}), (30.0, None), (LATE, {0: WAITS})], False),
        ([(0.0, {0: WAITS}), (LATE, None)], False),
        ([(0.0, {0: WAITS}), (30.0, None), (31.0, {0: WAITS}), (31.0 + LATE, {0: WAITS})], True),
    ],
    ids=[
        "stuck",
        "not long enough",
        "folds",
        "folded in between",
        "nothing waits",
        "first records after a quiet time",
        "one stuck beside a busy one",
        "given away in between",
        "restored in between",
        "restores",
        "stuck after a restore",
    ],
)
def test_stalled_is_who_lets_records_wait_in_vain(looks, is_stalled):
    """``None``: the process restores, or its group rebalances."""
    liveness = Liveness()
    for at, lags in looks:
        found = liveness.look({0: WAITS} if lags is None else lags, at, is_kept=lags is None)
    assert found is is_stalled
