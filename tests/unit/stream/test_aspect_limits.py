"""What must not mute or mislead what is judged beside the errors."""

import numpy as np
import pytest
from msgspec.structs import replace

from alerts.sample import sample_finding
from stream.aspect import Aspect, Case
from stream.aspect_known import Recorded, known_aspects
from stream.aspects import Aspects, _share
from stream.events import ALL, Instant, Outcome, Prediction
from stream.join import Join
from stream.judge.known import known_of
from stream.monitor import Monitor
from stream.pending import MemoryStore
from stream.version import Judgement

JUDGEMENT = Judgement()


class Life:
    """One model, a label a minute; ``step`` says what its next prediction is like."""

    def __init__(self, judgement=JUDGEMENT):
        self.monitor, self.join = Monitor("m"), Join(1e9, 100_000, MemoryStore(), 100_000)
        self.judgement, self.i, self.pages = judgement, 0, []

    def step(self, said, happened, scores, version="v", **slices):
        self.i += 1
        one = Prediction(
            prediction_id=str(self.i),
            model="m",
            version=version,
            at=Instant(60.0 * self.i),
            prediction=said,
            scores=scores,
            slices=slices,
        )
        self.monitor.predicted(one, self.join.predict(one)[0].served, self.judgement)
        known = Outcome(
            prediction_id=str(self.i), model="m", at=Instant(60.0 * self.i + 30), outcome=happened
        )
        found = self.monitor.take(self.join.know(known)[0], self.judgement, None)[1]
        self.pages += [one for one in found if one.severity == "page" and one.state == "open"]

    @property
    def series(self):
        return self.monitor.versions["v"].series


def wrong_at(rng, rate, sure):
    right = bool(rng.random() >= rate)
    return True, right, {"true": sure, "false": 1.0 - sure}


@pytest.mark.parametrize("apps", [["1.3"], ["1.2", "1.3"]], ids=["ended", "always a little worse"])
def test_a_suspected_slice_mutes_nothing_for_ever(apps):
    rng, life = np.random.default_rng(2), Life()
    for _ in range(8_000):
        life.step(*wrong_at(rng, 0.1, 0.9), app=str(rng.choice(["1.2", "1.3"])))
    guard = life.series["app=1.2"].guard
    for _ in range(4_000):
        guard.harm.small = guard.harm.limit**0.9  # suspected, not proved
        guard.harm.medium = guard.harm.large = 0.0
        assert guard.is_suspected()
        life.step(*wrong_at(rng, 0.1, 0.999), app=str(rng.choice(apps)))
    assert life.pages[0].metric in {"log_loss", "calibration", "brier"}


def test_the_finding_of_a_slice_that_ended_mutes_nothing():
    rng, life = np.random.default_rng(2), Life()
    for i in range(12_000):
        apps = ["1.3", "1.4"] if i > 8_500 else ["1.2", "1.3", "1.4"]
        app = str(rng.choice(apps))
        rate = 0.6 if app == "1.2" and i > 8_000 else 0.1
        life.step(*wrong_at(rng, rate, 0.999 if i > 9_000 else 0.9), app=app)
    first, second = life.pages
    assert (first.metric, first.slice) == ("accuracy", "app=1.2")
    assert life.series["app=1.2"].finding is not None
    assert second.metric in {"log_loss", "calibration", "brier"}


@pytest.mark.parametrize("broken_at", [1_000, 7_000])
def test_one_broken_value_hides_no_bias(broken_at):
    rng, life = np.random.default_rng(4), Life()
    for i in range(12_000):
        happened = float(rng.normal(50.0, 10.0))
        error = 1.5 * abs(rng.normal()) if i >= 8_000 else 1.5 * rng.normal()
        life.step(happened + (1e18 if i == broken_at else error), happened, None)
    (page,) = [one for one in life.pages if one.metric == "bias"]
    assert abs(page.before) < 0.2
    assert 0.8 < page.after < 1.6


def test_the_finding_of_a_class_that_comes_no_more_mutes_nothing():
    rng, life = np.random.default_rng(5), Life()
    for i in range(20_000):
        rate, sure = 0.1, 0.9 if i < 15_000 else 0.999
        happened = i < 10_000 and bool(rng.random() < 0.05)
        if i > 8_000:
            rate = 0.9 if happened else 0.058
        said = happened != bool(rng.random() < rate)
        life.step(said, happened, {"true": sure if said else 1 - sure, "false": 1 - sure if said else sure})
    assert [one.metric for one in life.pages if one.detected_at > 60.0 * 15_000]
    assert [one.label for one in life.pages if one.detected_at < 60.0 * 10_000] == ["true"]


def test_counted_ids_draw_as_evenly_as_any():
    drawn = np.array([_share(f"city{i % 7}-{i}") for i in range(20_000)])
    assert abs(drawn.mean() - 0.5) < 0.01
    blocks = (drawn > 0.9).reshape(-1, 1_000).mean(axis=1)
    assert blocks.min() > 0.065
    assert blocks.max() < 0.135
    for lag in (1, 2, 7, 10, 100):
        assert abs(np.corrcoef(drawn[:-lag], drawn[lag:])[0, 1]) < 0.03


def test_only_aspects_with_a_reference_are_handed_down():
    young = Aspects()
    for i in range(3):
        young.take("classification", "a", "a", {"a": 0.9, "b": 0.1}, Case(float(i), str(i), 1e6, 0.2))
    assert not young.heirs().are_due(0)


def recorded():
    made = Recorded()
    rng = np.random.default_rng(6)
    for i in range(1_000):
        error = 1e18 if i == 500 else rng.normal(0.3, 1.0)
        made.take("regression", 50.0 + error, 50.0, None, Case(float(i), str(i), 1.0, 0.0))
    return made.known("regression", 100)


def test_a_version_takes_from_the_file_what_the_one_before_has_no_reference_of():
    known = {"m": {ALL: replace(known_of("regression", [1.0] * 400), beside=recorded())}}
    life = Life(Judgement(references=known))
    life.step(50.0, 51.0, None)
    life.monitor.versions["v"].aspects = Aspects()
    life.step(50.0, 51.0, None, version="w")
    assert set(life.monitor.versions["w"].aspects.named) == {"above", "below", "typical"}
    assert all(isinstance(one, Aspect) and one.guard.harm for one in life.monitor.versions["w"].aspects.all())


def test_a_broken_value_in_history_is_cut_in_the_reference():
    above, below = recorded()["above"], recorded()["below"]
    assert above.total == -below.total
    assert 0.2 < above.total / above.losses < 0.4
    assert known_aspects({}, "m", "regression", 0.2).named == {}


@pytest.mark.parametrize(
    "metric", ["accuracy", "recall", "mae", "log_loss", "brier", "calibration", "bias", "psi"]
)
def test_a_sample_is_worse_after_than_before(metric):
    one = sample_finding(1e9, metric=metric)
    assert (one.after < one.before) == (metric in {"accuracy", "recall"})
    assert (one.label is not None) == (metric in {"recall", "bias"})


def recall_of(labels, aspect):
    """Have an aspect count so many labels of a recall, of which each fiftieth is missed."""
    case = Case(0.0, "p", 1e6, 0.2)
    for number in range(labels):
        loss = float(number % 50 == 49)
        if aspect.counts(loss, loss):
            aspect.take(loss, loss, case)
    return aspect


def test_an_aspect_that_has_rested_gets_its_reference():
    aspect = recall_of(1_030, Aspects().make("recall"))
    aspect.freeze()
    recall_of(1_030, aspect)  # the newest thirty are small, so they were only counted
    aspect.resume()
    recall_of(2_000, aspect)
    assert aspect.guard.known == 2_000
    assert aspect.before().mean == pytest.approx(0.02)


def test_an_aspect_that_begins_while_harm_is_told_learns_nothing_until_it_is_over():
    aspects = Aspects()
    aspects.rest(True)
    aspect = aspects.recalls["yes"] = aspects.make("recall")
    recall_of(1_000, aspect)
    assert not aspect.before().losses
    aspects.rest(False)
    assert recall_of(1_000, aspect).before().losses == 1_000
