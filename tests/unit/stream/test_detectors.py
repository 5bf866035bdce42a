"""River's ADWIN, begun late, says what one says that was there from the first loss."""

import random

import pytest
from river.drift import ADWIN

from stream.detectors import CLOCK, Detector


def eager(losses, delta):
    """Yield what an ADWIN dropped and kept, as the mean of both and how many it kept."""
    adwin, seen, total = ADWIN(delta=delta), 0, 0.0
    for loss in losses:
        adwin.update(loss)
        seen, total = seen + 1, total + loss
        if not adwin.drift_detected:
            yield None
            continue
        width, kept = adwin.width, adwin.total
        yield ((total - kept) / (seen - width), kept / width, width) if 0 < width < seen else None
        seen, total = 0, 0.0


@pytest.mark.parametrize("seed", range(5))
def test_changes_are_those_of_an_adwin_from_the_first_loss(seed):
    rng = random.Random(seed)
    rates = [rng.random() for _ in range(12)]
    losses = [float(rng.random() < rate) for rate in rates for _ in range(rng.randrange(20, 200))]
    detector = Detector(delta=0.01)
    found = [detector.update(loss) for loss in losses]
    assert found == [*eager(losses, 0.01)]
    assert sum(one is not None for one in found) > 1


def test_there_is_no_adwin_before_it_would_look():
    detector = Detector(delta=0.01)
    assert all(detector.update(float(turn > 20)) is None for turn in range(CLOCK - 1))
    assert detector.adwin is None
    detector.update(1.0)
    assert detector.adwin is not None
    assert (detector.adwin.width, detector.adwin.total) == (detector.seen, detector.total)


def test_restart_forgets_everything():
    detector = Detector(delta=0.01)
    for _ in range(2 * CLOCK):
        detector.update(1.0)
    detector.restart()
    assert detector == Detector(delta=0.01)
