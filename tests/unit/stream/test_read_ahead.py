"""A backlog whose outcomes are read before their predictions shows the same harm as one that is read in step."""

from dataclasses import replace
from itertools import groupby

from stream.events import Finding, Instant, Outcome, Prediction
from stream.fold import InputFold
from stream.pending import MemoryStore
from stream.wire import decode_told, encode
from tests.laws.lives import BEGAN_AT, RULES, Life, Logged

HEALTHY, HARMED = 2_000, 1_000
CHUNK_S = 400.0
"""What one fetch brings after an outage."""
QUICK_S, SLOW_S = 5.0, 100.0
HORIZON_S = 1_000.0


def events():
    """Yield predictions, one a second, and their outcomes; from some time on most slow ones go wrong."""
    for number in range(HEALTHY + HARMED):
        at = BEGAN_AT + number
        is_slow = number % 10 < 3
        is_wrong = number % 40 == 0 or (is_slow and number >= HEALTHY)
        name, known_at = str(number), at + (SLOW_S if is_slow else QUICK_S)
        yield at, Prediction(prediction_id=name, model="m", version="v", at=Instant(at), prediction="x")
        label = "y" if is_wrong else "x"
        yield known_at, Outcome(prediction_id=name, model="m", at=Instant(known_at), outcome=label)


def opened(first):
    """Return the slices, metrics and states of the findings when of each chunk this kind is read first."""
    fold = InputFold(0, replace(RULES, label_horizon_s=HORIZON_S), Life({}), MemoryStore())
    told = []
    in_time = sorted(events(), key=lambda one: one[0])
    for _, chunk in groupby(in_time, key=lambda one: one[0] // CHUNK_S):
        for _, event in sorted(chunk, key=lambda one: type(one[1]) is not first):
            fold.apply([Logged("t", 0, int(1_000 * event.at), encode(event))])
            told += [decode_told(out.value) for out in fold.freeze({}).outputs]
            for _ in fold.committed():
                pass
    return [(one.slice, one.metric, one.state) for one in told if isinstance(one, Finding)]


def test_harm_is_found_whichever_topic_is_read_first():
    assert opened(Prediction) == opened(Outcome) == [("all", "accuracy", "open")]
