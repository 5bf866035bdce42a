"""The recorded market: the real data, whole, and a model that has seen only its beginning."""

import itertools
from datetime import UTC, datetime

import pytest

from stream.demo import elec2
from stream.demo.replay import PAST_TOLERANCE_S, settings
from stream.events import Outcome, Prediction, Rollout
from stream.refusal import DecodeError
from stream.settings import MonitorSettings
from stream.wire import Tolerance, decode_event, encode


@pytest.fixture(scope="module")
def recording():
    return elec2.record()


def test_the_data_is_whole_and_half_hourly():
    rows = [*elec2.rows()]
    assert len(rows) == 944 * 48 == 45_312
    assert {later.at - earlier.at for earlier, later in itertools.pairwise(rows)} == {elec2.HALF_HOUR}
    assert rows[0].at.isoformat() == "1996-05-07T00:00:00+10:00"
    clock = [(row.at.hour * 60 + row.at.minute) / 30 / 47 for row in rows]
    assert all(abs(row.features["time_of_day"] - at) < 1e-4 for row, at in zip(rows, clock, strict=True)), (
        "the data's own clock agrees"
    )


def test_the_model_serves_only_what_it_was_not_trained_on(recording):
    (rollout,) = recording.rollouts
    assert rollout.trained_until == recording.served[0][0].at
    assert len(recording.trained) + len(recording.served) == 45_312


def test_the_recording_is_the_same_each_time(recording):
    assert recording == elec2.record()


def test_each_outcome_happens_half_an_hour_after_its_prediction_and_all_is_in_order(recording):
    events = [*recording.events()]
    assert isinstance(events[0], Rollout)
    assert [event.at for event in events] == sorted(event.at for event in events)
    served = {event.prediction_id: event for event in events if isinstance(event, Prediction)}
    outcomes = [event for event in events if isinstance(event, Outcome)]
    assert len(outcomes) == len(served)
    assert {outcome.at - served[outcome.prediction_id].at for outcome in outcomes} == {1800.0}


def test_the_losses_are_those_of_the_events(recording):
    for loss, (one, outcome) in zip(recording.losses(), recording.served, strict=True):
        assert loss.wrong == (one.prediction is not outcome.outcome)
        assert loss.at == one.at
        assert "all" in loss.slices
        assert len(loss.slices) == 3


def test_its_dates_are_refused_by_default_and_taken_with_the_demos_settings(recording):
    now = datetime(2030, 1, 1, tzinfo=UTC).timestamp()
    value = encode(recording.served[0][0])
    with pytest.raises(DecodeError, match="at 847288800"):
        decode_event(value, now, Tolerance(400 * 86_400.0, 3_600.0))
    assert decode_event(value, now, Tolerance(PAST_TOLERANCE_S, 3_600.0)) == recording.served[0][0]


def test_the_workers_delta_allows_for_the_runs_of_errors_in_the_training_time(recording):
    told = float(settings(recording)["TIDEWATCH_MONITOR_DELTA"])
    assert 0.0 < told < MonitorSettings().delta
    assert recording.delta(1e-4) == pytest.approx(told)
