"""What must hold of the join whatever arrives, in whatever order, whenever it is written or killed."""

from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import astuple, replace

from stream.events import Instant, Outcome, Prediction
from stream.join import Join
from stream.joined import Reason
from stream.pending import MemoryStore, RocksStore
from tests.laws.interleavings import HORIZON_S, histories, run, told_of

IDS = st.sampled_from("abc")
TIMES = st.integers(0, 9).map(lambda number: Instant(50 * number))
PREDICTIONS = st.lists(
    st.builds(
        Prediction,
        prediction_id=IDS,
        model=st.just("m"),
        version=st.just("v"),
        at=TIMES,
        prediction=st.just("x"),
        slices=st.just({"country": "se"}),
    ),
    max_size=8,
)
OUTCOMES = st.lists(
    st.builds(Outcome, prediction_id=IDS, model=st.just("m"), at=TIMES, outcome=st.sampled_from("xyz")),
    max_size=25,
)
MIXED = st.lists(
    st.one_of(
        PREDICTIONS.filter(bool).map(lambda many: many[0]), OUTCOMES.filter(bool).map(lambda many: many[0])
    )
)


@given(PREDICTIONS, OUTCOMES, st.data())
def test_counts_are_those_that_the_two_topics_alone_decide(predictions, outcomes, data):
    """Any interleaving, batches, times of expiry, checkpoints, memory, and crashes."""
    history = data.draw(histories(len(predictions), len(outcomes)))
    told, join = run(predictions, outcomes, history)
    assert told == told_of(predictions, outcomes)
    assert join.pending == pending_of(predictions, told)


@given(PREDICTIONS, OUTCOMES, st.data())
def test_corrections_name_the_same_values_in_any_interleaving(predictions, outcomes, data):
    history = data.draw(histories(len(predictions), len(outcomes)))
    apart = [("predict", len(predictions)), ("know", len(outcomes))]
    one, other = (
        # all but ``has_waited``, which is the interleaving
        run(predictions, outcomes, steps, name=lambda joined: astuple(replace(joined, has_waited=False))[2:])[
            0
        ]
        for steps in (history, apart)
    )
    assert one == other


@given(MIXED, MIXED, st.booleans())
def test_what_is_set_apart_is_written_as_it_was_then(first, then, is_expired):
    """Whatever comes before its bytes are made."""
    at_once, later = (Join(HORIZON_S, 4, MemoryStore(), 2) for _ in range(2))
    for join in (at_once, later):
        told = [told_by(join, one) for one in first]
        told += join.expire()
    wanted, found = at_once.freeze(), later.set_apart()
    told = [told_by(later, one) for one in then]
    told += later.expire() if is_expired else ()
    told += later.dump()
    assert sorted(found.entries, key=str) == sorted(wanted.entries, key=str)
    assert (found.records, {*found.gone}, found.position) == (wanted.records, {*wanted.gone}, wanted.position)


def told_by(join, event):
    return join.predict(event) if isinstance(event, Prediction) else join.know(event)


@given(MIXED, st.integers(1, 4))
def test_entries_never_exceed_the_budget(events, budget):
    join = Join(HORIZON_S, budget, MemoryStore(), 10)
    for event in events:
        join.predict(event) if isinstance(event, Prediction) else join.know(event)
        for _ in join.expire():
            pass
        assert len(join) <= budget
        assert 0 <= join.pending <= len(events)


@given(MIXED, st.integers(1, 4))
def test_what_is_evicted_is_counted_so_that_every_prediction_has_one_end(events, budget):
    join, told = Join(HORIZON_S, budget, MemoryStore(), 10), Counter()
    predictions = 0
    for event in events:
        found = join.predict(event) if isinstance(event, Prediction) else join.know(event)
        told.update(
            one.reason
            for one in (*found, *join.expire())
            if one.served is not None or one.reason != "evicted"
        )
        predictions += isinstance(event, Prediction)
    ends = (Reason.MATCHED, Reason.UNMATCHED_PREDICTION, Reason.EVICTED, Reason.DUPLICATE_PREDICTION)
    assert sum(told[one] for one in ends) + join.pending == predictions


def pending_of(predictions, told):
    counted = Counter()
    for (reason, _), times in told.items():
        counted[reason] += times
    ends = (Reason.MATCHED, Reason.UNMATCHED_PREDICTION, Reason.DUPLICATE_PREDICTION)
    return len(predictions) - sum(counted[one] for one in ends)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(predictions=PREDICTIONS, outcomes=OUTCOMES, data=st.data())
def test_counts_are_the_same_over_rocksdb(tmp_path, predictions, outcomes, data):
    history = data.draw(histories(len(predictions), len(outcomes)))
    with TemporaryDirectory(dir=tmp_path) as folder:
        store = RocksStore(Path(folder) / "0")
        told, _ = run(predictions, outcomes, history, store=store)
        store.close()
    assert told == told_of(predictions, outcomes)
