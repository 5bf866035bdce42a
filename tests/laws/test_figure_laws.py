"""A series' figure is River's, for any outcomes, and stays so when outcomes are corrected."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from river import metrics

from stream import state
from stream.events import Instant, Prediction
from stream.figures.rows import windows_of
from stream.joined import Joined, Reason, Served
from stream.monitor import Monitor
from stream.series import loss_of, new_series
from stream.version import Judgement

LABELS = st.sampled_from(["a", "b", "c"])
NUMBERS = st.floats(-1e6, 1e6)


def learned(task, pairs):
    series = new_series(task, 0.002)
    for at, (said, happened) in enumerate(pairs):
        series.learn(float(at), loss_of(task, said, happened), str(at), 10, 1e6, 0.2, True)
    return series


@given(st.lists(st.tuples(LABELS, LABELS), min_size=1))
def test_accuracy_is_rivers(pairs):
    river = metrics.Accuracy()
    for said, happened in pairs:
        river.update(happened, said)
    assert learned("classification", pairs).rollout() == pytest.approx(river.get())


@given(st.lists(st.tuples(NUMBERS, NUMBERS), min_size=1))
def test_mae_is_rivers(pairs):
    river = metrics.MAE()
    for said, happened in pairs:
        river.update(happened, said)
    assert learned("regression", pairs).rollout() == pytest.approx(river.get(), rel=1e-6, abs=1e-6)


@given(st.lists(st.tuples(LABELS, LABELS, LABELS), min_size=1))
def test_a_corrected_figure_is_that_of_the_corrections(triples):
    series = learned("classification", [(said, first) for said, first, _ in triples])
    for said, first, then in triples:
        series.revise(0.0, loss_of("classification", said, first), loss_of("classification", said, then))
    assert (
        series.rollout() == learned("classification", [(said, then) for said, _, then in triples]).rollout()
    )


DAYS = st.integers(0, 20 * 86_400)
SCORES = st.none() | st.floats(0.0, 1.0)
BOOLS = st.booleans()
KINDS = {"classification": (BOOLS, SCORES), "regression": (st.integers(-50, 50).map(float), st.none())}


@st.composite
def histories(draw):
    """What was said and when, what was known of it first, and at last: ``None`` of a label of another kind."""
    labels, scores = KINDS[draw(st.sampled_from(sorted(KINDS)))]
    one = st.tuples(DAYS, labels, labels, labels | st.none(), scores, st.sampled_from(["x", "y"]))
    return draw(st.lists(one, min_size=1, max_size=40))


def seen(monitor, number, row, outcome, previous=None):
    at, said, _, _, scores, name = row
    served = Served(
        str(number), "m", "v", float(at), said, scores is not None, ("all", f"s={name}"), scores=scores
    )
    if previous is None:
        made = Instant(at)
        one = Prediction(prediction_id=str(number), model="m", version="v", at=made, prediction=said)
        monitor.predicted(one, served, Judgement())
    reason = Reason.MATCHED if previous is None else Reason.CORRECTED
    monitor.take(Joined(reason, "m", served, outcome, float(at), previous), Judgement(), None)


def windows(monitor):
    version = monitor.versions.get("v")
    series = version.series if version else {}
    return {name: windows_of(version.sums, one.place, name) for name, one in sorted(series.items())}


@given(histories(), st.data())
def test_corrected_windows_are_those_of_the_last_labels_whatever_was_restarted(rows, data):
    corrected, wanted = Monitor("m"), Monitor("m")
    for number, row in enumerate(rows):
        seen(corrected, number, row, row[2])
        seen(wanted, number, row, row[2])  # so that both know the same classes and sizes
    for number in data.draw(st.permutations(range(len(rows)))):
        row = rows[number]
        last = "of another kind" if row[3] is None else row[3]
        if data.draw(st.integers(0, 9)) == 0:
            corrected = state.load(state.dump(corrected))
        seen(corrected, number, row, last, row[2])
    version = wanted.versions["v"]
    taken_out = [(row, -1.0, row[2]) for row in rows]
    put_in = [(row, 1.0, row[3]) for row in rows if row[3] is not None]
    for (at, said, _, _, scores, name), sign, happened in (*taken_out, *put_in):
        route = (version.series["all"], version.series[f"s={name}"])
        version.sums.take((float(at), route, said, happened, scores, sign))
    found, right = windows(corrected), windows(wanted)
    for name, by_window in right.items():
        for window, figures in by_window.items():
            counts = {figure: one["count"] for figure, one in figures.items()}
            assert {figure: one["count"] for figure, one in found[name][window].items()} == counts
            for figure in ("accuracy", "balanced_accuracy", "mae"):
                if figure in figures:
                    assert found[name][window][figure]["value"] == pytest.approx(
                        figures[figure]["value"], abs=1e-9
                    )
