"""What is known after corrections is what the last outcomes alone would have told, in every figure."""

from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream import state
from stream.correction import is_sound
from stream.events import Instant, Outcome, Prediction
from stream.figures.rows import windows_of
from stream.join import Join
from stream.joined import Reason
from stream.monitor import Monitor
from stream.pending import MemoryStore
from stream.series import task_of
from stream.version import Judgement

MINUTE_S = 60.0
LONG_S = 1e9
KINDS = {
    "class": (st.sampled_from(["a", "b"]), st.none(), st.sampled_from(["a", "b", "c", 1.0])),
    "scores": (st.booleans(), st.sampled_from([0.1, 0.7, 1.0]), st.sampled_from([True, False, "text"])),
    "number": (st.integers(-9, 9).map(float), st.none(), st.sampled_from([-2.0, 0.5, 40.0, "text", True])),
}
"""What is said, its scores and what may happen; a label of another kind can't be held against what was said."""


@st.composite
def streams(draw):
    """Return the events of one model in the order in which they are read: predictions, and outcomes of each.

    Some outcomes are read first, some have times before their prediction's, some of them are no corrections.
    """
    said, scores, happened = KINDS[draw(st.sampled_from(sorted(KINDS)))]
    events = []
    for number in range(draw(st.integers(1, 25))):
        at = draw(st.integers(0, 4 * 24 * 60)) * MINUTE_S
        one = Prediction(
            prediction_id=str(number),
            model="m",
            version=draw(st.sampled_from("vw")),
            at=Instant(at),
            prediction=draw(said),
            scores=draw(scores),
            slices={"s": draw(st.sampled_from("xy"))},
        )
        read_at = draw(st.floats(0.0, 1.0))
        events.append((read_at, one))
        for _ in range(draw(st.integers(1, 4))):
            known_at = Instant(max(at + draw(st.integers(-100, 300)) * MINUTE_S, 0.0))
            label = draw(happened)
            outcome = Outcome(prediction_id=str(number), model="m", at=known_at, outcome=label)
            events.append((read_at + draw(st.floats(-0.1, 0.5)), outcome))
    ordered = [event for _, event in sorted(events, key=lambda one: one[0])]
    return [*ordered, *(event for kind in "vw" for event in the_last(kind, draw(said), draw(scores)))]


def the_last(version, said, scores):
    """Return a prediction with its outcome, with which all windows of a version end."""
    names = {"prediction_id": f"last {version}", "model": "m"}
    one = Prediction(
        **names, version=version, at=Instant(9e5), prediction=said, scores=scores, slices={"s": "x"}
    )
    return one, Outcome(**names, at=Instant(9e5), outcome=said)


def last_outcomes(events):
    """Return the events without the outcomes that were corrected, or are no corrections, or compare nothing."""
    holds, said = {}, {one.prediction_id: one for one in events if isinstance(one, Prediction)}
    for one in events:
        known = holds.get(one.prediction_id)
        if isinstance(one, Outcome) and (
            known is None or (one.at >= known.at and one.outcome != known.outcome)
        ):
            holds[one.prediction_id] = one
    return [
        one
        for one in events
        if isinstance(one, Prediction)
        or (one is holds[one.prediction_id] and compares(said[one.prediction_id], one))
    ]


def compares(prediction, outcome):
    served = SimpleNamespace(prediction=prediction.prediction, has_scores=prediction.scores is not None)
    return is_sound(task_of(served), served, outcome.outcome)


def folded(events, restarts=()):
    """Return the monitor that took these events; its state goes through bytes at ``restarts``."""
    monitor, join, judgement = Monitor("m"), Join(LONG_S, 10_000, MemoryStore(), 10_000), Judgement()
    for number, one in enumerate(events):
        if number in restarts:
            monitor = state.load(state.dump(monitor))
        if isinstance(one, Prediction):
            found = join.predict(one)
            monitor.predicted(one, found[0].served, judgement)
            monitor.health.maturity.predicted(found[0].served.at)
        else:
            found = join.know(one)
        for joined in found:
            if joined.reason is not Reason.WAITING:
                monitor.take(joined, judgement, None)
    return monitor


def known(monitor):
    """Return all figures that are promised to follow corrections, by where they are."""
    found = {}
    for name, version in monitor.versions.items():
        for where, series in version.series.items():
            span = series.history.newest(10_000)
            rollout, recent = ((each,) for each in (series.rollout(), series.recent()))
            sums = (series.outcomes, series.loss_total, span.losses, span.total)
            found |= {(name, where, what): each for what, each in (("sums", sums), ("rollout", rollout))}
            found[name, where, "recent"] = recent
            for window, figures in windows_of(version.sums, series.place, where).items():
                for figure, one in figures.items():
                    if one["count"]:
                        found[name, where, window, figure] = (*one.values(),)
        cohorts = version.confidence.cohorts.items()
        found |= {(name, "confidence", mark): (*cells,) for mark, cells in cohorts}
    for share in monitor.health.maturity.shares(LONG_S):
        found["maturity", share.began_at] = (share.predictions, share.labelled, share.loss_total)
    return found


@settings(max_examples=40)
@given(streams(), st.sets(st.integers(0, 100), max_size=3))
def test_figures_after_corrections_are_those_of_the_last_outcomes(events, restarts):
    found, wanted = known(folded(events, restarts)), known(folded(last_outcomes(events)))
    assert found.keys() == wanted.keys()
    for where, figures in wanted.items():
        assert found[where] == pytest.approx(figures, abs=1e-9, nan_ok=True), where
