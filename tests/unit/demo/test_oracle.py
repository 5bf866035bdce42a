"""The oracle on recorded streams: a page stands only if the same predictions back it."""

import math

import pytest

from stream.demo.oracle import BLOCK_S, Harm, Spell, backing, faults, harm, missing
from stream.demo.recording import Loss, correlation_length

HOUR = 3_600.0


def stream(*stretches: tuple[int, float], slices: tuple[str, ...] = ("all",)) -> list[Loss]:
    """Return hourly answers: so many, so large a share of them wrong, evenly spread; known an hour later."""
    losses: list[Loss] = []
    for count, share in stretches:
        for number in range(count):
            wrong = float(math.floor((number + 1) * share) > math.floor(number * share))
            at = len(losses) * HOUR
            losses.append(Loss(at, at + HOUR, frozenset(slices), wrong))
    return losses


def spell(onset: int, detected: int, resolved: int | None = None, where: str = "all") -> Spell:
    told = {"model": "m", "slice": where, "onset_at": onset * HOUR, "detected_at": detected * HOUR}
    return Spell(told, None if resolved is None else resolved * HOUR)


SICK_FOR_300 = stream((1000, 0.1), (300, 0.5), (700, 0.1))


def test_a_page_on_a_real_rise_and_its_resolve_are_backed():
    one = spell(1000, 1100, 1400)
    found = backing(SICK_FOR_300, one, [])
    assert found == pytest.approx((0.1, 0.5, 0.1), abs=0.02)
    assert [*faults(found, one)] == []


def test_a_page_out_of_the_blue_is_not_backed():
    one = spell(500, 600, 800)
    (told,) = faults(backing(SICK_FOR_300, one, []), one)
    assert "not backed" in told


def test_a_page_before_anything_was_known_is_not_backed():
    one = spell(0, 100)
    assert any("not backed" in told for told in faults(backing(SICK_FOR_300, one, []), one))


def test_a_page_about_a_slice_that_is_well_is_not_backed():
    well = stream((2000, 0.1), slices=("all", "day=weekend"))
    sick = [
        loss._replace(slices=frozenset({"all", "day=weekday"}), wrong=float(1000 <= number < 1300))
        for number, loss in enumerate(well)
    ]
    both = sorted(well + sick, key=lambda loss: loss.at)
    one = spell(1000, 1100, 1600, "day=weekend")
    assert any("not backed" in told for told in faults(backing(both, one, []), one))
    other = spell(1000, 1100, 1600, "day=weekday")
    assert [*faults(backing(both, other, []), other)] == []


def test_a_resolve_while_it_is_still_bad_is_told():
    one = spell(1000, 1100, 1250)
    (told,) = faults(backing(SICK_FOR_300, one, []), one)
    assert "was resolved at an error rate of 0.500, want at most 0.300" in told


def test_a_page_that_is_never_resolved_stands_only_if_it_is_still_bad():
    one = spell(1000, 1100)
    (told,) = faults(backing(SICK_FOR_300, one, []), one)
    assert "never resolved" in told
    assert [*faults(backing(stream((1000, 0.1), (300, 0.5)), one, []), one)] == []


def test_the_time_of_earlier_incidents_is_not_healthy_time():
    twice = stream((1000, 0.1), (1000, 0.5), (200, 0.1), (300, 0.3))
    second = spell(2200, 2400)
    assert backing(twice, second, [spell(1000, 1100, 2000)]).healthy == pytest.approx(0.1, abs=0.01)
    assert backing(twice, second, []).healthy == pytest.approx(0.28, abs=0.02)


def test_an_outcome_that_was_not_known_yet_proves_nothing():
    late = [loss._replace(known_at=loss.at + 200 * HOUR) for loss in SICK_FOR_300]
    assert math.isnan(backing(late, spell(1000, 1100), []).sick)


DAYS_30 = int(BLOCK_S / HOUR)


def test_the_worst_month_is_found_with_when_it_ended():
    found = harm(stream((DAYS_30, 0.1), (DAYS_30, 0.4), (DAYS_30, 0.2)))
    assert (found.first, found.worst) == pytest.approx((0.1, 0.4), abs=0.01)
    assert found.until == 2 * BLOCK_S
    assert found.is_harm


def test_a_stream_that_gets_no_worse_wants_no_page():
    found = harm(stream((3 * DAYS_30, 0.2)))
    assert not found.is_harm
    assert [*missing(found, [])] == []
    (told,) = missing(found, [spell(10, 20)])
    assert told.startswith("1 pages came")


def test_a_stream_that_gets_worse_wants_a_page_in_time():
    found = Harm(0.1, 0.4, 100 * HOUR)
    assert [*missing(found, [spell(10, 99)])] == []
    (silent,) = missing(found, [])
    assert silent.startswith("no page came, though")
    (late,) = missing(found, [spell(10, 101)])
    assert "only after the worst time" in late


def test_a_short_rest_at_the_end_is_no_month():
    assert not harm(stream((DAYS_30, 0.1), (DAYS_30, 0.1), (10, 1.0))).is_harm


def test_errors_in_runs_count_for_less_and_independent_ones_for_themselves():
    alternating = [0.0, 1.0] * 500
    runs = ([0.0] * 10 + [1.0] * 10) * 50
    assert correlation_length(alternating) == 1.0
    assert correlation_length(runs) > 5


@pytest.mark.parametrize("losses", [[], [1.0], [0.0] * 50])
def test_the_correlation_length_of_what_has_none_is_one(losses):
    assert correlation_length(losses) == 1.0
