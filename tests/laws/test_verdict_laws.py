"""A verdict depends on the events alone: not on their order, nor on who was asked meanwhile, nor on restarts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import json

from stream import state
from stream.events import Instant, Outcome, Prediction
from stream.verdict.strata import shared
from stream.verdict.verdict import Decision, Reason, verdict
from stream.wire import encode
from tests.laws.lives import Life, Logged
from tests.laws.versions import BEGAN_AT, Label, refer, summed

AGO = st.integers(0, 900) | st.integers(0, 90_000) | st.integers(0, 2_000_000)
LABELS = st.lists(
    st.builds(
        Label,
        st.sampled_from(["v7", "v8"]),
        AGO.map(lambda ago: BEGAN_AT - float(ago)),
        st.booleans(),
        st.sampled_from([(), (("country", "nl"),), (("country", "de"),), (("tier", 1), ("country", "nl"))]),
    ),
    min_size=1,
    max_size=60,
).map(lambda some: [Label("v7", BEGAN_AT - 3e6, False), Label("v8", BEGAN_AT - 3e6, False), *some])
MANY = 40
"""Times that each label counts, so that there is something to be said."""


def said(monitor, increase=0.2):
    return json.encode(verdict(refer(monitor), "v8", None, increase))


@given(LABELS, st.randoms(use_true_random=False))
def test_the_order_of_labels_does_not_matter(labels, chance):
    shuffled = [*labels[2:]]
    chance.shuffle(shuffled)
    assert said(summed(labels * MANY)) == said(
        summed([*labels[:2], *(shuffled * MANY)] + labels[:2] * (MANY - 1))
    )


@given(LABELS, st.integers(0, 60))
def test_neither_a_restart_nor_a_question_in_between_changes_it(labels, before):
    stopped = summed(labels[: before + 2] * MANY)
    said(stopped)
    restored = summed(labels[before + 2 :] * MANY, state.load(state.dump(stopped)))
    whole = summed([*(labels[: before + 2] * MANY), *(labels[before + 2 :] * MANY)])
    assert said(restored) == said(whole)


@given(LABELS)
def test_only_labels_of_both_in_the_same_time_are_compared_each_once(labels):
    monitor = summed(labels)
    ours, others = monitor.versions["v8"], monitor.versions["v7"]
    found = shared(ours, others)
    ends = [one.since_at for one in found.stretches]
    assert ends == sorted(ends, reverse=True)
    for one, row in zip(found.stretches, found.rows("all"), strict=True):
        for version, lost in (("v8", row.ours), ("v7", row.others)):
            there = [it for it in labels if it.version == version and one.since_at <= it.at < one.until_at]
            assert (lost.labels, lost.total) == (len(there), sum(it.loss for it in there))


@given(LABELS, st.sampled_from([0.0, 0.2, 1.0]))
def test_what_is_worse_one_way_is_better_the_other(labels, increase):
    one, other = (
        verdict(refer(summed(labels * MANY)), name, against, increase)
        for name, against in (("v8", "v7"), ("v7", "v8"))
    )
    for first, second in ((one, other), (other, one)):
        turned = first.difference
        assert [-turned.value, -turned.upper, -turned.lower] == pytest.approx(
            [second.difference.value, second.difference.lower, second.difference.upper], nan_ok=True
        )
        if first.reason is Reason.WORSE:
            assert second.difference.lower > 0.0
            assert second.decision is not Decision.ROLL_BACK or second.reason is Reason.WORSE_SLICE


SERVED = st.lists(
    st.tuples(st.sampled_from([1.0, 60.0, 1_000.0, 40_000.0]), st.sampled_from(["v7", "v8"]), st.booleans()),
    min_size=1,
    max_size=30,
)


def logs(served):
    """Return both topics: a prediction so long after the one before, of a version; 10 s later if it was wrong."""
    topics, at = {"predictions": [], "outcomes": []}, BEGAN_AT
    for number, (step, version, is_wrong) in enumerate([(0.0, "v7", False), (0.0, "v8", False), *served]):
        at += step
        named = {"prediction_id": f"p{number}", "model": "m"}
        events = (
            ("predictions", Prediction(**named, version=version, at=Instant(at), prediction="x")),
            ("outcomes", Outcome(**named, at=Instant(at + 10.0), outcome="y" if is_wrong else "x")),
        )
        for topic, event in events:
            topics[topic].append(Logged(topic, number, round(1_000 * event.at), encode(event)))
    return topics


@given(SERVED, st.data())
def test_neither_interleaving_nor_checkpoints_nor_lost_disks_change_it(served, data):
    log = logs(served)
    in_step = [topic for _ in log["predictions"] for topic in log]
    stops = data.draw(st.lists(st.sampled_from(["checkpoint", "loss", "kill"]), max_size=4))
    history = data.draw(st.permutations([*in_step, *stops]))
    told = []
    for steps in (in_step, history):
        life = Life(log)
        life.run(steps)
        told.append(json.encode(verdict(life.fold.monitors["m"], "v8", None, 0.2)))
    assert told[0] == told[1]
