import pytest

from stream.events import Outcome, Prediction
from stream.rehearsal import DELAY_S, WELL, WORSE, Rehearsal


@pytest.mark.parametrize("wrong", [0.0, WELL, WORSE, 1.0])
def test_the_share_of_wrong_predictions_is_the_one_asked_for(wrong):
    made = list(Rehearsal("m", "1").events(range(500), wrong))
    predictions, outcomes = made[::2], made[1::2]
    assert all(isinstance(one, Prediction) for one in predictions)
    assert all(isinstance(one, Outcome) for one in outcomes)
    misses = sum(one.prediction != other.outcome for one, other in zip(predictions, outcomes, strict=True))
    assert misses / 500 == pytest.approx(wrong, abs=0.01)


def test_each_prediction_has_its_outcome_a_moment_later_and_no_id_comes_twice():
    rehearsal = Rehearsal("m", "1")
    made = [*rehearsal.events([1.0, 2.0], WELL), *rehearsal.events([3.0], WORSE)]
    assert [one.at for one in made] == [1.0, 1.0 + DELAY_S, 2.0, 2.0 + DELAY_S, 3.0, 3.0 + DELAY_S]
    ids = [one.prediction_id for one in made]
    assert ids[::2] == ids[1::2]
    assert len(set(ids)) == rehearsal.made == 3
