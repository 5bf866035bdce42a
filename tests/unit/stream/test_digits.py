"""Figures as people read them."""

import pytest

from stream.digits import in_digits


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (0.012345, "0.0123"),
        (0.9, "0.9"),
        (242.4, "242"),
        (1_690.2, "1,690"),
        (-12_345.6, "-12,346"),
        (0.0, "0"),
        (999.6, "1,000"),
        (7.954e14, "795,400,000,000,000"),
        (1.61866e90, "1.62e+90"),
    ],
)
def test_three_digits_count_and_large_figures_have_no_exponent(value, words):
    assert in_digits(value) == words


@pytest.mark.parametrize(("value", "words"), [(0.123456, "0.1235"), (9_999.4, "9,999"), (12_345.6, "12,346")])
def test_a_page_shows_one_digit_more(value, words):
    assert in_digits(value, 4) == words
