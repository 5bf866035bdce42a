"""What a fold passes on of rollouts."""

from stream.events import Instant, Rollout
from stream.fold import InputFold
from stream.pending import MemoryStore
from stream.wire import decode_told, encode
from tests.laws.lives import BEGAN_AT, RULES, Life, Logged


def rollout(version, stage, after_s=0.0):
    return Rollout(model="m", version=version, at=Instant(BEGAN_AT + after_s), stage=stage)


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
