"""Errors of a model by window, alone and as the monitor says them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.error_windows import GRAINS_S, MOST, SPANS_S, ErrorWindows
from stream.events import Errors, Finding, Instant, Outcome, Prediction, Rollout
from stream.fold import InputFold
from stream.monitor import Monitor
from stream.pending import MemoryStore
from stream.wire import decode_told, encode
from tests.laws.lives import BEGAN_AT, RULES, Life, Logged
from tests.unit.stream.test_monitor import play

WIDTHS_S = (60.0, 60.0, 600.0, 600.0, 10_800.0)
"""How much each window may be short."""


@given(
    st.lists(st.tuples(st.floats(0.1, 20_000), st.booleans()), min_size=1, max_size=400),
    st.floats(1.7e9, 1.8e9),
)
def test_a_window_holds_all_of_its_span_but_one_cell_and_nothing_older(steps, at):
    windows, known = ErrorWindows(), []
    for gap_s, wrong in steps:
        at += gap_s
        windows.add(at, float(wrong))
        known.append((at, wrong))
    for window, span_s, width_s in zip(windows.tell(), SPANS_S, WIDTHS_S, strict=True):
        most = [wrong for then, wrong in known if then > at - span_s]
        least = [wrong for then, wrong in known if then > at - span_s + width_s + 60.0]
        assert window.span_s == span_s
        assert len(least) <= window.outcomes <= len(most)
        assert sum(least) <= window.wrong <= sum(most)


@given(st.lists(st.floats(0.1, 4_000), max_size=1_500))
def test_a_model_keeps_few_cells_however_many_minutes_it_has_seen(gaps):
    windows, at = ErrorWindows(), 0.0
    for gap_s in gaps:
        at += gap_s
        windows.add(at, 1.0)
    assert len(windows.cells) <= 3 * MOST


def test_merged_cells_are_no_more_than_the_widths_allow():
    windows = ErrorWindows()
    for minute in range(10_000):
        windows.add(60.0 * minute, 0.0)
    windows._merge()
    ages = (0.0, *(age for age, _ in GRAINS_S))
    assert len(windows.cells) // 3 <= sum(
        (age - before) / width + 1 for before, (age, width) in zip(ages, GRAINS_S, strict=False)
    )


def test_an_outcome_of_the_past_counts_in_the_newest_minute():
    windows = ErrorWindows()
    assert windows.add(1_000_000.0, 0.0)
    assert not windows.add(1_000.0, 1.0)
    assert [(one.outcomes, one.wrong) for one in windows.tell()] == [(2, 1)] * len(SPANS_S)


def test_nothing_is_said_of_nothing():
    assert ErrorWindows().tell() == ()


def test_windows_are_news_only_when_the_share_of_wrong_ones_has_grown_by_a_tenth():
    windows = ErrorWindows()
    for second in range(100):
        windows.add(float(second), float(second < 20))
    assert windows.tell()[0].wrong == 20
    assert windows.news() == ()
    for second in range(100, 102):
        windows.add(float(second), 1.0)
    assert windows.news() == (), "22 of 102 are 1.08 times 20 of 100"
    windows.add(102.0, 1.0)
    assert windows.news()[0].wrong == 23
    assert windows.news() == ()


def errors_of(wrong, **options):
    """Play a stream; return its findings, and what was said of errors while they were open."""
    said = []

    class Spoken(Monitor):
        """Its news are taken at once, as the fold does."""

        def take(self, *joined):
            result = super().take(*joined)
            said.extend([] if self.news is None else [self.news])
            self.news = None
            return result

    findings, _ = play(wrong, monitor=Spoken("m"), **options)
    return findings, said


def harmed(i, tier):
    return 0.6 if 3_000 <= i < 7_000 else 0.05


def test_a_finding_says_how_wrong_the_model_is_and_errors_how_it_goes_on():
    findings, said = errors_of(harmed, events=10_000)
    opened, closed = findings
    hour = [next(one for one in told.windows if one.span_s == 3_600.0) for told in (opened, *said)]
    shares = [one.wrong / one.outcomes for one in hour]
    assert shares == sorted(shares)
    assert shares[0] < 0.2
    assert shares[-1] > 0.45
    assert all(opened.detected_at < told.at <= closed.closed_at for told in said)
    assert len({told.at // 60 for told in said}) == len(said), "at most one a minute"


def test_a_healthy_model_says_nothing_of_its_errors():
    assert errors_of(lambda i, tier: 0.08)[1] == []


def test_a_regression_has_no_windows():
    findings, said = errors_of(lambda i, tier: 12.0 if 3_000 <= i < 4_500 else 4.0, number=True)
    assert findings[0].windows == ()
    assert said == []


@pytest.mark.parametrize(("stage", "is_counted"), [("shadow", False), ("canary", True)])
def test_errors_of_a_shadow_count_for_nobody(stage, is_counted):
    monitor = Monitor("m")
    monitor.rolled_out(Rollout(model="m", version="v1", at=Instant(0), stage=stage))
    play(lambda i, tier: 0.08, monitor=monitor, events=300)
    assert bool(monitor.windows.tell()) is is_counted


def test_errors_go_to_the_findings_topic_behind_the_finding_and_once():
    fold = InputFold(0, RULES, Life({}), MemoryStore())
    for i in range(5_000):
        at = Instant(BEGAN_AT + i)
        said = Prediction(prediction_id=str(i), model="m", version="v1", at=at, prediction=True)
        known = Outcome(prediction_id=str(i), model="m", at=at, outcome=bool(i < 3_000 or i % 2))
        fold.apply([Logged("predictions", i, int(at * 1_000), encode(said))])
        fold.apply([Logged("outcomes", i, int(at * 1_000), encode(known))])
    told = [decode_told(out.value) for out in fold.freeze({}).outputs]
    assert isinstance(told[0], Finding)
    assert len(told) > 3
    assert all(isinstance(one, Errors) and one.model == "m" for one in told[1:])
    assert told[-1].windows[0].wrong / told[-1].windows[0].outcomes == pytest.approx(0.5, abs=0.05)
    assert list(fold.freeze({}).outputs) == []
