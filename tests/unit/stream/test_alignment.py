"""Inputs of a partition are read in step, and nobody waits for records that do not come."""

from stream.engine.alignment import PATIENCE_S, Place, ahead

SIBLINGS = {"predictions": ["predictions", "outcomes"], "outcomes": ["predictions", "outcomes"]}


def test_input_that_is_ahead_waits_for_its_sibling():
    places = {"predictions": Place(5.0, 0.0, True), "outcomes": Place(9.0, 0.0, True)}
    assert ahead(places, SIBLINGS, 0.1) == {"outcomes"}


def test_nobody_waits_for_a_sibling_that_has_no_more():
    places = {"predictions": Place(5.0, 0.0, False), "outcomes": Place(9.0, 0.0, True)}
    assert ahead(places, SIBLINGS, 0.1) == set()


def test_nobody_waits_long_for_a_sibling_that_brings_nothing():
    places = {"predictions": Place(5.0, 0.0, True), "outcomes": Place(9.0, 0.0, True)}
    assert ahead(places, SIBLINGS, PATIENCE_S) == set()


def test_inputs_at_the_same_time_are_both_read():
    places = {"predictions": Place(5.0, 0.0, True), "outcomes": Place(5.0, 0.0, True)}
    assert ahead(places, SIBLINGS, 0.1) == set()


def test_an_input_that_was_never_read_is_read_first():
    places = {"predictions": Place(float("-inf"), 0.0, True), "outcomes": Place(9.0, 0.0, True)}
    assert ahead(places, SIBLINGS, 0.1) == {"outcomes"}


def test_a_sibling_whose_turn_takes_seconds_is_waited_for():
    places = {"predictions": Place(1.0, 0.0, has_more=True), "outcomes": Place(2.0, 4.9, has_more=True)}
    assert ahead(places, SIBLINGS, 5.0) == {"outcomes"}
