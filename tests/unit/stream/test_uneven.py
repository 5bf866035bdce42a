"""Models whose wrong labels come sooner, or later, than the right ones."""

from heapq import merge

import numpy as np
import pytest

from bench.detection.pauses import Kind, pages
from stream import state
from stream.clock import Clock
from stream.events import ALL, Instant, Prediction
from stream.joined import Joined, Reason, Served
from stream.judge.objective import Objective
from stream.monitor import Monitor
from stream.traffic import DAY_S
from stream.version import Judgement

A_DAY = 2_000
RATE = 0.1


class Life:
    """Clicks (wrong at once, right after a day) or complaints (wrong after a day, right at once)."""

    def __init__(self, kind, judgement=None, *, scores=None, rate=RATE):
        self.rate = rate
        self.kind, self.judgement, self.scores = kind, judgement or Judgement(), scores
        self.monitor, self.clock, self.pages, self.rng = Monitor("m"), Clock(), [], np.random.default_rng(5)
        self.waiting = []

    def live(self, since, until, times=1.0, version=lambda at: "v1"):
        """Predict from one day to another, ``times`` as many wrong; take the labels that come until then."""
        at = np.sort(self.rng.uniform(since, until, int(A_DAY * (until - since))))
        wrong = self.rng.random(len(at)) < self.rate * times
        is_slow = wrong if self.kind == "complaints" else ~wrong
        delays = np.where(is_slow, 1.0, 1 / 1_440) * self.rng.uniform(0.9, 1.1, len(at))
        made = [(one, 0, one, bad) for one, bad in zip(at.tolist(), wrong.tolist(), strict=True)]
        labels = [
            (one + late, 1, one, bad)
            for one, late, bad in zip(at.tolist(), delays.tolist(), wrong.tolist(), strict=True)
        ]
        self.waiting = sorted([*self.waiting, *labels])
        for event in merge(made, [one for one in self.waiting if one[0] < until]):
            self._take(*event, version)
        self.waiting = [one for one in self.waiting if one[0] >= until]
        return self

    def _take(self, now, is_label, at, is_wrong, version):
        scores = self.scores
        served = Served(
            str(at), "m", version(at), at * DAY_S, True, scores is not None, (ALL,), scores=scores
        )
        self.clock.move(now * DAY_S)
        if is_label:
            joined = Joined(Reason.MATCHED, "m", served, not is_wrong, now * DAY_S)
            found = self.monitor.take(joined, self.judgement, None, self.clock)[1]
            self.pages += [one for one in found if (one.state, one.severity) == ("open", "page")]
            return
        self.monitor.health.predicted(at * DAY_S, self.clock, 0.0)
        one = Prediction(
            prediction_id=str(at), model="m", version=version(at), at=Instant(at * DAY_S), prediction=True
        )
        self.monitor.predicted(one, served, self.judgement, clock=self.clock)

    @property
    def told(self):
        """Days of the pages."""
        return [one.detected_at / DAY_S for one in self.pages]

    def reference(self, version="v1"):
        return self.monitor.versions[version].series[ALL].guard.reference()


def a_day_each(at):
    return f"v{int(at)}"


@pytest.mark.parametrize("kind", ["clicks", "complaints"])
@pytest.mark.parametrize("version", [lambda at: "v1", a_day_each])
def test_a_first_day_of_quick_labels_is_no_reference(kind, version):
    """What comes then is told once, and nothing before."""
    life = Life(kind).live(0, 8, version=version)
    assert life.told == []
    life.live(8, 10.5, times=3.0, version=version)
    assert len(life.told) == 1
    assert 8.0 < life.told[0] < 9.5
    assert life.pages[0].before == pytest.approx(1.0 - RATE, abs=0.03)


def test_what_was_learned_of_quick_labels_is_forgotten():
    life = Life("complaints").live(0, 0.9)
    assert life.reference().mean == 0.0
    assert life.live(0.9, 1.1).reference().losses == 0
    assert life.live(1.1, 5).reference().mean == pytest.approx(RATE, abs=0.02)


@pytest.mark.parametrize("scores", [None, 0.9])
def test_the_clicks_after_a_pause_are_usual(scores):
    life = Life("clicks", scores=scores).live(0, 7)
    life.live(9.5, 12)
    assert life.told == []
    life.live(12, 14, times=3.0)
    assert len(life.told) == 1


def test_harm_that_begins_with_a_pause_is_told_when_right_labels_come():
    life = Life("clicks").live(0, 7)
    life.live(9.5, 11.5, times=3.0)
    assert len(life.told) == 1
    assert 10.4 < life.told[0] < 11.0


def test_what_is_promised_stays_and_allows_for_what_comes_first():
    judgement = Judgement(objectives=(Objective("*", ALL, RATE, 0.2),))
    life = Life("clicks", judgement).live(0, 4)
    assert len(life.told) == 1
    assert life.told[0] < 0.5, "nothing says yet that right labels come later"
    assert life.monitor.versions["v1"].series[ALL].finding is None
    assert life.monitor.versions["v1"].series[ALL].guard.is_promised
    life.live(6.5, 9)
    assert len(life.told) == 1
    life.live(9, 10, times=3.0)
    assert len(life.told) == 2


def test_a_clock_that_is_behind_takes_no_reference_away():
    life = Life("clicks").live(0, 5)
    known = life.reference()
    at = life.waiting[0][2]
    served = Served(str(at), "m", "v1", at * DAY_S, True, False, (ALL,))
    life.monitor.take(
        Joined(Reason.MATCHED, "m", served, True, 0.01 * DAY_S), life.judgement, None, life.clock
    )
    assert life.reference()[:2] == known[:2]
    life.waiting = life.waiting[1:]
    life.live(5, 6.5, times=3.0)
    assert len(life.told) == 1


def test_a_clock_that_is_ahead_keeps_no_look_away():
    life = Life("clicks").live(0, 5)
    at = life.waiting[0][2]
    served = Served(str(at), "m", "v1", at * DAY_S, True, False, (ALL,))
    life.monitor.take(Joined(Reason.MATCHED, "m", served, True, 90 * DAY_S), life.judgement, None, life.clock)
    version = life.monitor.versions["v1"]
    assert version.looked_at < 8 * DAY_S


def test_of_versions_that_end_before_few_slow_labels_none_keeps_what_its_quick_ones_said():
    """One in fifty complains: too few of any version to tell by themselves that complaints are late."""
    life = Life("complaints", rate=0.02)
    life.live(0, 8, version=lambda at: f"v{int(at / 0.8)}")
    assert life.told == []


def test_a_life_goes_on_from_its_state_as_it_was():
    one, other = Life("clicks").live(0, 4), Life("clicks").live(0, 4)
    other.monitor = state.load(state.dump(other.monitor))
    for life in (one, other):
        life.live(4, 6, times=2.0)
    assert one.pages == other.pages
    assert len(one.pages) == 1
    assert state.dump(one.monitor) == state.dump(other.monitor)


def test_half_more_wrong_clicks_are_told_where_weekends_have_no_predictions():
    """On a Monday all that comes is wrong; on the other days it is a fair sample, and judged."""
    (told,) = pages(Kind(2_000, "right", rest="weekend", times=1.5), 0)
    assert 0.0 < told < 7.0
