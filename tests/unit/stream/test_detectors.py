"""River's ADWIN, begun late, says what one says that was there from the first loss."""

import random
import subprocess
import sys

import pytest
from river.drift import ADWIN

from stream.detectors import CLOCK, DELTA, Detector, new_adwin


def eager(losses, delta):
    """Yield whether the newest change that an ADWIN saw was a rise."""
    adwin, seen, total, risen = ADWIN(delta=delta), 0, 0.0, False
    for loss in losses:
        adwin.update(loss)
        seen, total = seen + 1, total + loss
        if adwin.drift_detected:
            width, kept = adwin.width, adwin.total
            risen = 0 < width < seen and kept / width > (total - kept) / (seen - width)
            seen, total = 0, 0.0
        yield risen


@pytest.mark.parametrize("seed", range(5))
def test_changes_are_those_of_an_adwin_from_the_first_loss(seed):
    rng = random.Random(seed)
    rates = [rng.random() for _ in range(12)]
    losses = [float(rng.random() < rate) for rate in rates for _ in range(rng.randrange(20, 200))]
    detector = Detector(delta=0.01)
    found = []
    for loss in losses:
        detector.update(loss)
        found.append(detector.risen > 0)
    assert found == [*eager(losses, 0.01)]
    assert {*found} == {True, False}


def test_there_is_no_adwin_before_it_would_look():
    detector = Detector(delta=0.01)
    for turn in range(CLOCK - 1):
        detector.update(float(turn > 20))
    assert detector.adwin is None
    detector.update(1.0)
    assert detector.adwin is not None
    assert (detector.adwin.get_width(), detector.adwin.get_total()) == (detector.seen, detector.total)


def test_restart_forgets_everything():
    detector = Detector(delta=0.01)
    for _ in range(2 * CLOCK):
        detector.update(1.0)
    detector.restart()
    assert detector == Detector(delta=0.01)


def test_an_adwin_is_as_that_of_rivers_wrapper():
    assert new_adwin(DELTA).__getstate__() == ADWIN()._helper.__getstate__()
    assert new_adwin(0.01).__getstate__() == ADWIN(delta=0.01, clock=CLOCK)._helper.__getstate__()


def test_no_command_waits_for_what_the_wrapper_imports():
    program = "import sys, stream.fold; sys.exit('river.drift' in sys.modules or 'scipy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
