"""A series' figure is River's, for any outcomes, and stays so when outcomes are corrected."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from river import metrics

from stream.series import loss_of, new_series

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
