"""What must hold of the join whatever arrives, in whatever order."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from stream.events import Instant, Outcome, Prediction
from stream.join import Join, Reason

IDS = st.sampled_from("abcd")
PREDICTIONS = st.builds(
    Prediction,
    prediction_id=IDS,
    model=st.just("m"),
    version=st.just("v"),
    at=st.integers(0, 500).map(Instant),
    prediction=st.just("x"),
)
OUTCOMES = st.builds(
    Outcome,
    prediction_id=IDS,
    model=st.just("m"),
    at=st.integers(0, 500).map(Instant),
    outcome=st.sampled_from("xy"),
)
UNBOUNDED = {"horizon_s": 100, "budget": 1000}


def fold(events, **shape):
    """Return what became of each event, what was given up, and the join."""
    join = Join(**(UNBOUNDED | shape))
    results, gone = [], []
    for event in events:
        results.append(join.predict(event) if isinstance(event, Prediction) else join.know(event))
        gone += join.expire()
    return results, gone, join


@given(st.lists(PREDICTIONS, unique_by=lambda p: p.prediction_id), st.lists(OUTCOMES), st.randoms())
def test_who_meets_does_not_depend_on_how_the_topics_interleave(predictions, outcomes, random):
    """Within a topic order is fixed; between topics it is not."""
    waiting = [*predictions], [*outcomes]
    mixed = []
    while any(waiting):
        mixed.append(random.choice([queue for queue in waiting if queue]).pop(0))

    def met(events):
        join = Join(**UNBOUNDED)
        found = [join.predict(e) if isinstance(e, Prediction) else join.know(e) for e in events]
        return Counter(
            one.served.prediction_id for one in found if one.reason in (Reason.MATCHED, Reason.LATE)
        )

    assert met(mixed) == met([*predictions, *outcomes])


@given(st.lists(PREDICTIONS | OUTCOMES))
def test_pending_is_never_negative_and_counts_what_waits(events):
    _, _, join = fold(events)
    assert 0 <= join.pending <= len(join)


@given(st.lists(PREDICTIONS | OUTCOMES), st.integers(1, 4))
def test_entries_never_exceed_the_budget(events, budget):
    _, _, join = fold(events, budget=budget)
    assert len(join) <= budget


@given(st.lists(PREDICTIONS | OUTCOMES))
def test_every_prediction_is_matched_late_given_up_or_still_pending_exactly_once(events):
    results, gone, join = fold(events)
    first = sum(
        isinstance(event, Prediction) and one.reason is not Reason.DUPLICATE_PREDICTION
        for event, one in zip(events, results, strict=True)
    )
    reasons = Counter(one.reason for one in results + gone)
    late_after_expiry = reasons[Reason.LATE]
    settled = reasons[Reason.MATCHED] + reasons[Reason.UNMATCHED_PREDICTION] + join.pending
    assert settled <= first <= settled + late_after_expiry
