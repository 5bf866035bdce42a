"""What a fold leaves behind is out of the garbage collector's sight, so none of it may be in a cycle."""

import gc
import weakref

from stream.events import Instant, Outcome, Prediction
from stream.fold import InputFold
from stream.garbage import collect_all, out_of_sight
from stream.pending import MemoryStore
from stream.wire import encode
from tests.laws.lives import BEGAN_AT, HORIZON_S, RULES, Life, Logged

EVENTS = 400


class Node:
    """Something that may be in a cycle."""


def cycle():
    node = Node()
    node.me = node
    return weakref.ref(node)


def predicted(number, at, version):
    return Prediction(
        prediction_id=str(number),
        model="m",
        version=version,
        at=Instant(at),
        prediction="x",
        scores={"x": 0.75, "y": 0.25},
        slices={"country": "se"},
        features={"amount": float(number), "word": f"w{number % 7}"},
    )


def records(topic, events):
    return [
        Logged(topic, number, int(1_000 * event.at), encode(event)) for number, event in enumerate(events)
    ]


def broken(number):
    return Logged("predictions", number, int(1_000 * BEGAN_AT), b'{"type":"prediction","at":"yesterday"}')


def test_what_a_fold_folds_refuses_and_writes_has_no_cycles():
    fold = InputFold(0, RULES, Life({}), MemoryStore())
    ats = [BEGAN_AT + number / 4 for number in range(EVENTS)]
    said = [predicted(number, at, f"v{number // 100}") for number, at in enumerate(ats)]
    known = [
        Outcome(
            prediction_id=str(number), model="m", at=Instant(at + 1), outcome="y" if number > 200 else "x"
        )
        for number, at in enumerate(ats)
        if number % 10
    ]
    corrected = [
        Outcome(prediction_id=str(number), model="m", at=Instant(ats[number] + 2), outcome="x")
        for number in range(300, 320)
    ]
    late = predicted(EVENTS, ats[-1] + 2 * HORIZON_S, "v4")
    batches = [
        records("predictions", said),
        records("outcomes", known),
        records("outcomes", corrected),
        [broken(number) for number in range(EVENTS)],
        records("predictions", [late]),
    ]
    fold.apply(batches[0][:10])  # what is made once may be in cycles
    fold.apply([broken(0)])
    gc.collect()
    gc.disable()
    try:
        for batch in batches:
            fold.apply(batch)
            assert [*fold.freeze({}).state]
            for _ in fold.committed():
                pass
        assert gc.collect() == 0
    finally:
        gc.enable()
    assert fold.monitors["m"].counts["matched"] > 0


def test_the_young_are_looked_through_before_and_what_comes_is_not_until_all_is():
    try:
        before = cycle()
        with out_of_sight():
            within = cycle()
        gc.collect()
        assert before() is None
        assert within() is not None
        collect_all()
        assert within() is None
    finally:
        gc.unfreeze()
