"""When a harm that was told is over: not before it has been well about as long, and not by chance."""

import numpy as np
import pytest

from stream.judge.recovery import FEWEST, LENGTH, Extent, recovery
from stream.onset import nats


def wrong(rng, *stretches):
    """Return losses: so many, each 1 with this rate."""
    return np.concatenate([rng.random(count) < rate for count, rate in stretches]).astype(float).tolist()


def exactly(before, after):
    """Return what is known of both without doubt."""
    return Extent(before, after, before, after)


def over_after(found, losses, task="classification", inflation=1.0):
    """Return how many losses there were when it was over; ``None`` when it never was."""
    for number, loss in enumerate(losses, 1):
        found.take(loss)
        if found.is_over(task, inflation):
            return number
    return None


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize(("before", "after", "ill"), [(0.1, 0.15, 700), (0.1, 0.2, 220), (0.05, 0.5, 20)])
def test_harm_that_stays_is_never_over(before, after, ill, seed):
    """It is as old as such a harm is when it is told (``bench.detection``: mean delays at a run length of 1e6)."""
    losses = wrong(np.random.default_rng(seed), (10_000, after))
    assert over_after(recovery("classification", exactly(before, after), 0.2, ill), losses) is None


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("harm", [200, 2_000])
def test_harm_is_over_when_it_has_been_well_about_as_long(harm, seed):
    losses = wrong(np.random.default_rng(seed), (harm, 0.4), (3 * harm, 0.05))
    ended = over_after(recovery("classification", exactly(0.05, 0.4), 0.2, 50), losses)
    assert ended is not None
    assert max(FEWEST, LENGTH * harm) <= ended - harm <= 1.3 * harm


def test_dependent_losses_have_to_prove_it_for_longer():
    losses = wrong(np.random.default_rng(1), (20_000, 0.1))
    alone, together = (
        over_after(recovery("classification", exactly(0.1, 0.2), 0.2, 100), losses, inflation=inflation)
        for inflation in (1.0, 8.0)
    )
    assert alone is not None
    assert together is not None
    assert together > 4 * alone


def test_one_broken_value_does_not_undo_a_recovery():
    losses = np.random.default_rng(2).exponential(1.0, 400).tolist()
    whole = over_after(recovery("regression", exactly(1.0, 4.0), 0.2, 50), losses, "regression")
    broken = over_after(
        recovery("regression", exactly(1.0, 4.0), 0.2, 50), [*losses[:90], 1e9, *losses], "regression"
    )
    assert whole is not None
    assert broken is not None
    assert broken < 3 * whole


def test_harm_of_an_uncertain_size_is_over_within_what_may_have_been_before():
    lucky = recovery("classification", Extent(0.15, 0.5, 0.29, 0.35), 0.2, 40)
    assert lucky.level == 0.29
    picked = recovery("regression", Extent(20.0, 60.0, 21.0, 40.0), 0.2, 40)
    assert picked.level == 25.0, "a quarter of what is certain, not of what was picked for being high"
    unknown = recovery("classification", Extent(0.1, 0.2, 0.4, 0.0), 0.2, 40)
    assert unknown.level == pytest.approx(0.15), "never beyond the middle of the harm"


def test_relapse_sooner_than_the_harm_had_lasted_is_part_of_it():
    found = recovery("classification", exactly(0.1, 0.4), 0.2, 300)
    assert found.lasted(outcomes=1_000, onset=40) == 40, "it is not over, so this is another one"
    found.well, found.ended = 300, 1_000
    assert found.lasted(outcomes=1_500, onset=40) == 600 + 500
    assert found.lasted(outcomes=2_000, onset=40) == 40


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_nats_are_none_at_the_base_and_grow_to_both_sides(task):
    assert nats(task, 0.2, 0.2) == pytest.approx(0.0, abs=1e-12)
    for away in ([0.15, 0.1, 0.05, 0.0], [0.25, 0.3, 0.9]):
        found = [nats(task, mean, 0.2) for mean in away]
        assert found == sorted(found)
        assert found[0] > 0.0
