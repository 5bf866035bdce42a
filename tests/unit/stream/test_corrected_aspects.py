"""Labels were wrong and are corrected: what they opened beside the errors is closed."""

import numpy as np
import pytest

from stream import state
from stream.aspect import UNTOLD, Case
from stream.aspect_correction import parts
from stream.aspects import Aspects
from stream.events import Instant, Outcome, Prediction
from stream.history import Span
from stream.join import Join
from stream.joined import Served
from stream.monitor import Monitor
from stream.pending import MemoryStore
from stream.version import Judgement
from stream.withdrawal import CORRECTED, is_withdrawn

HURT, EVENTS = 4_000, 6_000


def of_the_rare(rng, is_hurt):
    """A rare class is seen in .9; some common ones are then labelled rare, and as many common errors right."""
    truth = "rare" if rng.random() < 0.1 else "common"
    said = truth if rng.random() < 0.9 else {"rare": "common", "common": "rare"}[truth]
    label = truth
    if is_hurt and truth == "common":
        if said == "rare":
            label = "rare" if rng.random() < 0.5 else truth
        elif rng.random() < 0.055:
            label = "rare"
    return said, truth, label, None


def of_the_sure(rng, is_hurt):
    """Half of the predictions are sure, and wrong in 1 %, half are wrong in 40 %; then errors change sides."""
    said, is_sure = bool(rng.random() < 0.5), bool(rng.random() < 0.5)
    sure, rate, labelled = (0.99, 0.01, 0.16) if is_sure else (0.6, 0.4, 0.25)
    drawn = rng.random()
    truth = said if drawn >= rate else not said
    label = said if drawn >= (labelled if is_hurt else rate) else not said
    return said, truth, label, sure if said else 1.0 - sure


def to_one_side(side):
    def draw(rng, is_hurt):
        said, error = float(rng.normal(50.0, 10.0)), 1.5 * rng.normal()
        return said, said - error, said - side * abs(error) if is_hurt else said - error, None

    return draw


DRAWS = [of_the_rare, of_the_sure, to_one_side(1.0), to_one_side(-1.0)]
IDS = ["recall", "scores", "above", "below"]


class Life:
    """One model, a label a minute; from ``HURT`` on labels are wrong."""

    def __init__(self, draw):
        self.rng, self.draw, self.judgement = np.random.default_rng(3), draw, Judgement()
        self.monitor, self.join = Monitor("m"), Join(1e9, 100_000, MemoryStore(), 100_000)
        self.found, self.wrong = [], []
        for i in range(EVENTS):
            self.step(i, i >= HURT)
        self.monitor = state.load(state.dump(self.monitor))

    def step(self, i, is_hurt):
        said, truth, label, scores = self.draw(self.rng, is_hurt)
        name, at = str(i), Instant(60.0 * i)
        one = Prediction(prediction_id=name, model="m", version="v", at=at, prediction=said, scores=scores)
        self.monitor.predicted(one, self.join.predict(one)[0].served, self.judgement)
        self.know(name, 60.0 * i + 30, label)
        if label != truth:
            self.wrong.append((name, truth))

    def know(self, name, at, outcome):
        known = Outcome(prediction_id=name, model="m", at=Instant(at), outcome=outcome)
        self.found += self.monitor.take(self.join.know(known)[0], self.judgement, None)[1]

    def correct(self, share=1.0):
        for name, truth in self.wrong[: int(share * len(self.wrong))]:
            self.know(name, 60.0 * EVENTS, truth)

    @property
    def pages(self):
        return [one for one in self.found if one.severity == "page"]

    @property
    def aspects(self):
        return [*self.monitor.versions["v"].aspects.all()]


@pytest.mark.parametrize("draw", DRAWS, ids=IDS)
def test_corrections_close_what_wrong_labels_opened(draw):
    life = Life(draw)
    (opened,) = life.pages
    assert opened.metric in {"recall", "log_loss", "brier", "calibration", "bias"}
    life.correct()
    _, closed = life.pages
    assert (closed.id, closed.state, closed.closed_at) == (opened.id, "closed", 60.0 * EVENTS)
    assert closed.causes == (CORRECTED, *opened.causes)
    assert not any(one.finding for one in life.aspects)


@pytest.mark.parametrize("draw", DRAWS, ids=IDS)
def test_a_few_corrections_close_nothing(draw):
    life = Life(draw)
    life.correct(share=0.3)
    assert [one.state for one in life.pages] == ["open"]


@pytest.mark.parametrize("draw", DRAWS, ids=IDS)
def test_a_correction_moves_what_came_since_the_onset(draw):
    life = Life(draw)
    (aspect,) = [one for one in life.aspects if one.finding is not None]
    since, usual = aspect.told(), abs(aspect.before().mean)
    back = aspect.back
    aspect.correct(aspect.finding.onset_at, -1, 1.0)
    assert aspect.told()[:2] == (since.losses - 1, pytest.approx(since.total - 1.0))
    aspect.correct(aspect.finding.onset_at, 1, 0.0)
    assert aspect.told()[:2] == (since.losses, pytest.approx(since.total - 1.0))
    assert aspect.back - back == pytest.approx(1.0)
    assert since.mean > usual
    aspect.correct(aspect.finding.onset_at - 1.0, -1, 1.0)
    assert aspect.told().losses == since.losses


@pytest.mark.parametrize(("draw", "wanted"), list(zip(DRAWS, (2, 5, 3, 3), strict=True)), ids=IDS)
def test_corrections_take_out_what_labels_put_in(draw, wanted):
    rng, aspects = np.random.default_rng(4), Aspects()
    task = "regression" if draw not in DRAWS[:2] else "classification"
    sums = {}
    for i in range(600):
        said, _, label, scores = draw(rng, i > 300)
        if i == 400 and task == "regression":
            label = 1e18
        served = Served(str(i), "m", "v", float(i), said, scores is not None, ("all",), scores=scores)
        if i < 50:  # all kinds are there
            aspects.take(task, said, label, scores, Case(float(i), str(i), 1e6, 0.2))
            sums = {id(one): [one.count, one.total] for one in aspects.all()}
            continue
        for _, one, value in parts(aspects, task, served, label):
            sums[id(one)][0] += 1
            sums[id(one)][1] += value
        aspects.take(task, said, label, scores, Case(float(i), str(i), 1e6, 0.2))
    assert len(sums) == wanted
    for one in aspects.all():
        assert sums[id(one)] == [one.count, pytest.approx(one.total)]


def test_harm_after_a_withdrawn_finding_is_told_anew():
    life = Life(of_the_rare)
    life.correct()
    for i in range(EVENTS, EVENTS + 3_000):
        life.step(i, is_hurt=True)
    first, _, again = life.pages
    assert (again.state, again.metric, again.label) == ("open", "recall", "rare")
    assert (again.episode, again.id != first.id) == (2, True)


def test_a_finding_of_an_older_state_is_left_to_the_losses():
    life = Life(of_the_rare)
    (aspect,) = [one for one in life.aspects if one.finding is not None]
    aspect.told_count = UNTOLD
    life.correct()
    assert [one.state for one in life.pages] == ["open"]


@pytest.mark.parametrize(
    ("losses", "total", "back", "wanted"),
    [
        (100, 12.0, 0.0, False),  # nothing was corrected
        (100, 12.0, 1.0, True),  # at what is worth a page
        (100, 12.1, 1.0, False),
        (100, 13.0, 9.0, True),  # a quarter of the harm stays
        (100, 13.1, 9.0, False),
        (0, 0.0, 9.0, True),
    ],
)
def test_withdrawn_is_what_is_not_worth_a_page_or_a_quarter_of_the_harm(losses, total, back, wanted):
    assert is_withdrawn(Span(losses, total, 0.0), 0.1, 0.12, back) is wanted
