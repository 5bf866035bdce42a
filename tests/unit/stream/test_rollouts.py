"""What a fold passes on of rollouts, and what a model remembers of them."""

from stream import state
from stream.events import Instant, Rollout
from stream.fold import InputFold
from stream.monitor import Monitor
from stream.pending import MemoryStore
from stream.room import ROLLOUTS
from stream.wire import decode_told, encode
from tests.laws.lives import BEGAN_AT, RULES, Life, Logged


def rollout(version, stage, after_s=0.0, trained_until=None):
    until = None if trained_until is None else Instant(trained_until)
    return Rollout(
        model="m", version=version, at=Instant(BEGAN_AT + after_s), stage=stage, trained_until=until
    )


def passed_on(*rollouts):
    fold = InputFold(0, RULES, Life({}), MemoryStore())
    urgent = [
        fold.apply([Logged("rollouts", n, int(BEGAN_AT * 1_000), encode(one))])
        for n, one in enumerate(rollouts)
    ]
    told = [decode_told(out.value) for out in fold.freeze({}).outputs if out.topic == "findings"]
    assert urgent == [one in told and one not in rollouts[:n] for n, one in enumerate(rollouts)]
    return told


def test_a_version_that_comes_to_another_stage_is_passed_on_to_the_pager():
    first, second, other = rollout("v1", "canary"), rollout("v1", "live", 10.0), rollout("v2", "canary", 20.0)
    assert passed_on(first, second, other) == [first, second, other]


def test_what_is_said_again_or_late_is_not_passed_on():
    live = rollout("v1", "live", 10.0)
    assert passed_on(live, live, rollout("v1", "live", 15.0), rollout("v1", "canary", 5.0)) == [live]


def test_until_when_a_version_was_trained_is_known_until_it_is_said_anew():
    monitor = Monitor("m")
    for one in (
        rollout("v1", "live", trained_until=500.0),
        rollout("v2", "canary", 10.0, 700.0),
        rollout("v2", "live", 20.0),
        rollout("v2", "canary", 5.0, 600.0),  # late: what is newer holds
        rollout("v1", "live", 30.0, 800.0),
    ):
        monitor.rolled_out(one)
    assert monitor.trained == {"v1": 800.0, "v2": 700.0}
    assert state.load(state.dump(monitor)).trained == monitor.trained


def test_it_is_forgotten_with_the_rollout():
    monitor = Monitor("m")
    for number in range(ROLLOUTS + 7):
        monitor.rolled_out(rollout(f"build-{number}", "shadow", float(number), 500.0))
    assert set(monitor.trained) == set(monitor.rollouts)
    assert len(monitor.trained) == ROLLOUTS
