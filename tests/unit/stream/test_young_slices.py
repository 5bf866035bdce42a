"""Slices that have no reference yet, beside a harm of the whole that is told and over."""

import numpy as np
import pytest

from stream.events import Finding, Instant, Outcome, Prediction
from stream.join import Join
from stream.monitor import Monitor
from stream.pending import MemoryStore
from stream.series import Rested, new_series
from stream.version import Judgement

ILL, WELL, END = 5_500, 6_200, 9_000
"""Which label is the first that is wrong everywhere, the first that is not, and the end."""
YOUNG = 14
JUDGEMENT = Judgement()


def pages(seed):
    """Return the pages of a model that is 18 off from ``ILL`` to ``WELL``, in all of ``YOUNG`` shops."""
    rng = np.random.default_rng(seed)
    monitor, join, found = Monitor("m"), Join(1e9, 100_000, MemoryStore(), 100_000), []
    errors, shops = rng.standard_t(1.7, END), rng.integers(YOUNG, size=END)
    for i in range(END):
        one = Prediction(
            prediction_id=str(i),
            model="m",
            version="v",
            at=Instant(144.0 * i),
            prediction=float(errors[i]) + 18.0 * (ILL <= i < WELL),
            slices={"shop": int(shops[i])},
        )
        monitor.predicted(one, join.predict(one)[0].served, JUDGEMENT)
        known = Outcome(prediction_id=str(i), model="m", at=Instant(144.0 * i + 60), outcome=0.0)
        found += monitor.take(join.know(known)[0], JUDGEMENT, None)[1]
    return [one for one in found if (one.state, one.severity) == ("open", "page")]


@pytest.mark.parametrize("seed", range(3))
def test_what_a_page_of_the_whole_told_is_not_told_again_by_a_young_slice(seed):
    (one,) = pages(seed)
    assert one.slice == "all"


@pytest.mark.parametrize(("since", "risen"), [(1.0, 0), (9.0, 1)])
def test_a_rise_is_kept_where_the_losses_since_the_end_are_as_high(since, risen):
    """It is of a slice that lost 1 before a harm, 10 in it, and ``since`` after the whole was well again."""
    slice_ = new_series("regression", JUDGEMENT.delta)
    for at in range(300):
        slice_.history.add(float(at), 1.0 if at < 100 else 10.0 if at < 200 else since)
    slice_.detector.risen = 1
    told = Finding(
        id="x",
        state="open",
        severity="page",
        model="m",
        version="v",
        slice="all",
        metric="mae",
        direction="worse",
        before=1.0,
        after=10.0,
        before_count=100,
        after_count=100,
        onset_at=100.0,
        detected_at=110.0,
        events_since_onset=10,
        episode=1,
    )
    slice_.heed_end(Rested(told, since=200.0, until=299.0, losses=100, total=100.0))
    assert (slice_.detector.risen, slice_.well_at) == (risen, 200.0)
