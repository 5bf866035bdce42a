"""Features within the budget are watched; a surplus value is counted and costs next to nothing."""

import time

import msgspec
import pytest

from stream.events import Instant, Prediction
from stream.reference import (
    FEATURES,
    FIRST,
    LETTERS,
    NO_CELLS,
    NO_NUMBERS,
    NO_WORDS,
    REFERENCE,
    UNKNOWN,
    UNSEEN,
    WINDOW,
    WORDS,
    Feature,
    Reference,
)
from stream.rows import ABSENT, row_of
from stream.said import PREDICTION, SCORE


def prediction(features, said="yes"):
    values = {f"f{number}": float(number) for number in range(features)}
    return Prediction(
        prediction_id="x", model="m", version="v", at=Instant(1_000), prediction=said, features=values
    )


def test_values_past_the_budget_are_counted_and_not_watched():
    reference = Reference()
    for _ in range(3):
        reference.observe(prediction(FEATURES + 5))
    assert len(reference.features) == FEATURES
    assert reference.unwatched == 3 * (5 + 1)  # what it said, too


def test_long_and_many_words_are_compared_by_what_is_kept_of_them():
    feature, words = Feature(), [f"{'w' * 100}{number}" for number in range(REFERENCE)]
    for word in (*words[:5] * 20, *words[: REFERENCE - 100]):
        feature.add(word)
    assert sum(feature.reference) == REFERENCE
    assert len(feature.words) <= WORDS
    assert all(len(word) <= LETTERS for word in feature.words)
    feature.add(words[0])
    feature.add("never seen")
    assert sum(feature.counts[FIRST:]) == feature.counts[UNKNOWN] == 1


def test_what_a_regression_says_is_watched_like_a_feature():
    reference = Reference()
    reference.observe(prediction(1, said=2.5))
    assert list(reference.features) == ["f0", PREDICTION]
    reference.observe(prediction(FEATURES - 1, said=2.5))
    assert (len(reference.features), reference.unwatched) == (FEATURES, 0)


def test_a_whole_number_that_a_regression_says_is_a_number():
    """As JavaScript writes 5.0, and Python an int: else most of a count's values are unknown words."""
    reference = Reference()
    for number in range(REFERENCE):
        reference.observe(prediction(0, said=number if number % 2 else number + 0.5))
    feature = reference.features[PREDICTION]
    assert (dict(feature.words), feature.numbers[-1]) == ({}, pytest.approx(REFERENCE - 1))
    assert row_of(reference, prediction(0, said=5)) == row_of(reference, prediction(0, said=5.0))


def test_whole_numbers_that_an_older_release_took_for_words_stay_such():
    reference = Reference({PREDICTION: Feature()})
    for number in range(REFERENCE):
        reference.features[PREDICTION].add(str(number % 3))
    reference.observe(prediction(0, said=2))
    feature = reference.features[PREDICTION]
    assert feature.counts[feature.words["2"]] == 1
    assert row_of(reference, prediction(0, said=2)) == bytes([feature.words["2"]])


def test_scores_by_class_are_watched_beside_the_answer():
    reference = Reference()
    for scores in ({"yes": 0.9, "no": 0.1}, {"no": 0.25}):
        one = msgspec.structs.replace(prediction(1), scores=scores)
        reference.observe(one)
    assert list(reference.features) == ["f0", PREDICTION, SCORE]
    assert list(reference.features[SCORE].numbers) == [0.9, 0.75]
    assert dict(reference.features[PREDICTION].words) == {"yes": 2}


def test_an_input_that_a_state_did_not_have_begins_and_its_rows_come_last():
    reference = Reference()
    for number in range(REFERENCE):
        reference.observe(prediction(1, said=f"word {number % 3}"))
    scored = msgspec.structs.replace(prediction(1, said="word 1"), scores={"word 1": 0.5})
    reference.observe(scored)
    assert row_of(reference, scored)[2] == ABSENT
    for _ in range(REFERENCE):
        reference.observe(scored)
    assert len(row_of(reference, scored)) == 3
    assert ABSENT not in row_of(reference, scored)
    assert row_of(reference, prediction(1, said="word 1"))[2] == ABSENT


def test_what_a_regression_says_is_counted_when_the_budget_is_spent():
    reference = Reference()
    reference.observe(prediction(FEATURES, said=2.5))
    assert reference.unwatched == 1


def test_a_model_with_many_features_is_not_much_dearer_than_one_within_the_budget():
    def cost_s(event):
        reference, times = Reference(), []
        for _ in range(30):
            began = time.perf_counter()
            reference.observe(event)
            times.append(time.perf_counter() - began)
        return min(times)

    assert cost_s(prediction(10 * FEATURES)) < 25 * cost_s(prediction(FEATURES))


def test_what_features_share_until_they_need_their_own_is_never_written_into():
    before = repr((NO_CELLS, NO_NUMBERS, NO_WORDS, UNSEEN))
    reference = Reference()
    for number in range(REFERENCE + 2 * WINDOW):
        reference.observe(prediction(2, said=f"word {number % 3}"))
    features = [*reference.features.values(), *reference.heir().features.values(), Feature()]
    for feature in features:
        feature.begin()
        feature.add("never seen")
        feature.add(1.0)
    assert repr((NO_CELLS, NO_NUMBERS, NO_WORDS, UNSEEN)) == before
    assert all(feature.drift is not UNSEEN for feature in reference.features.values())
