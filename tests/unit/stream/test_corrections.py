"""Corrected labels: what they take out, what they close, and what they keep from being told."""

from dataclasses import replace

import numpy as np
import pytest

from stream.aspect_correction import parts
from stream.events import ALL, Instant, Outcome, Prediction, Rollout
from stream.fold import InputFold
from stream.join import Join
from stream.monitor import Monitor
from stream.pending import MemoryStore
from stream.rows import Row, Rows
from stream.version import Judgement
from stream.wire import encode
from stream.withdrawal import CORRECTED
from tests.laws.lives import RULES, Life, Logged
from tests.unit.stream.test_corrected_aspects import DRAWS, EVENTS, HURT, IDS

LONG_S = 1e9
ANOTHER_KIND = "not known"
AGAIN = "labels by which this was closed have been corrected"


class Play:
    """One model, a prediction a second that says ``True`` and is labelled a second later."""

    def __init__(self, judgement=None):
        self.judgement = judgement or Judgement()
        self.monitor, self.join = Monitor("m"), Join(LONG_S, 100_000, MemoryStore(), 100_000)
        self.found, self.sent = [], 0

    def predict(self, at=None, said=True, version="v", **fields):
        at, self.sent = Instant(self.sent if at is None else at), self.sent + 1
        one = Prediction(
            prediction_id=str(self.sent), model="m", version=version, at=at, prediction=said, **fields
        )
        served = self.join.predict(one)[0].served
        self.monitor.health.maturity.predicted(served.at)
        self.found += self.monitor.predicted(one, served, self.judgement)
        return one

    def know(self, prediction, outcome, at=None):
        known = Outcome(
            prediction_id=prediction.prediction_id,
            model="m",
            at=Instant(prediction.at + 1.0 if at is None else at),
            outcome=outcome,
        )
        for joined in self.join.know(known):
            counted, findings = self.monitor.take(joined, self.judgement, None)
            self.found += findings
        return counted

    def live(self, labels):
        """Return the predictions that got these labels."""
        made = []
        for label in labels:
            made.append(self.predict())
            self.know(made[-1], label)
        return made

    def series(self, where=ALL, version="v"):
        return self.monitor.versions[version].series[where]

    @property
    def states(self):
        return [one.state for one in self.found]


def usual(count):
    """Return labels of which one in twelve says that ``True`` was wrong."""
    return [number % 12 > 0 for number in range(count)]


def test_what_another_kind_of_label_corrects_leaves_the_newest_losses():
    play = Play()
    play.live([True] * 50)
    for one in play.live([False] * 10):
        assert play.know(one, ANOTHER_KIND, at=100) == "mismatched"
    series = play.series()
    assert (series.outcomes, series.rollout(), series.recent()) == (50, 1.0, 1.0)
    assert series.history.since(0.0)[:2] == (50, 0.0)


def test_what_is_taken_back_and_labelled_again_counts_once():
    play = Play()
    for one in play.live([False] * 20):
        play.know(one, ANOTHER_KIND, at=100)
        play.know(one, False, at=101)
        play.know(one, True, at=102)
    series = play.series()
    assert (series.outcomes, series.loss_total) == (20, 0.0)
    assert series.history.since(0.0)[:2] == (20, 0.0)


def test_a_finding_whose_labels_are_taken_back_is_closed():
    play = Play()
    play.live(usual(2_000))
    wrong = play.live([False] * 600)
    assert play.states == ["open"]
    for one in wrong:
        play.know(one, ANOTHER_KIND, at=5_000)
    assert play.states == ["open", "closed"]
    assert play.found[1].causes == (CORRECTED,)
    assert play.series().recent() == pytest.approx(11 / 12, abs=0.01)


def test_a_finding_is_opened_again_when_what_closed_it_is_taken_back():
    play = Play()
    play.live([*usual(2_000), *[number % 2 > 0 for number in range(600)]])
    well = play.live(usual(1_400))
    assert play.states == ["open", "closed"]
    rested = play.series().rested
    for one in well:
        if rested.since <= one.at <= rested.until and one.at % 12 not in (8, 9):
            play.know(one, ANOTHER_KIND, at=5_000)
    assert play.states == ["open", "closed", "open"]
    assert play.found[2].causes[0] == AGAIN


def test_a_finding_is_not_closed_by_labels_that_were_corrected_before():
    play = Play()
    play.live(usual(2_000))
    play.live([number % 2 > 0 for number in range(600)])
    for number in range(2_000):
        (one,) = play.live([number % 12 > 0])
        play.know(one, number % 2 > 0, at=one.at + 2.0)
    assert play.states == ["open"]


def test_a_finding_is_closed_though_some_of_the_labels_since_were_taken_back():
    play = Play()
    play.live(usual(2_000))
    play.live([number % 2 > 0 for number in range(600)])
    for number in range(2_000):
        (one,) = play.live([number % 12 > 0])
        if number % 5 == 0:
            play.know(one, ANOTHER_KIND, at=one.at + 2.0)
    assert play.states == ["open", "closed"]


@pytest.mark.parametrize("draw", DRAWS, ids=IDS)
def test_nothing_beside_the_errors_is_told_that_corrected_labels_do_not_show(draw):
    play, rng = Play(), np.random.default_rng(3)
    for number in range(EVENTS):
        said, truth, label, scores = draw(rng, number >= HURT)
        one = play.predict(at=60.0 * number, said=said, scores=scores)
        play.know(one, label, at=one.at + 30.0)
        if label != truth:
            play.know(one, truth, at=one.at + 31.0)
    assert [one for one in play.found if one.severity == "page"] == []


@pytest.mark.parametrize("said", [True, 10.0], ids=["class", "number"])
@pytest.mark.parametrize("seed", range(2))
def test_no_error_is_told_that_corrected_labels_do_not_show(said, seed):
    """From the 1,000th label on half of the first labels are wrong, and corrected before the next one comes."""
    play, rng = Play(), np.random.default_rng(seed)
    for number in range(2_000):
        truth = bool(rng.random() < 0.92) if said is True else said + rng.exponential()
        one, is_hurt = play.predict(said=said), number >= 1_000 and rng.random() < 0.5
        play.know(one, (not said if said is True else said + 5.0 * (truth - said)) if is_hurt else truth)
        if is_hurt:
            play.know(one, truth, at=one.at + 1.5)
    assert play.found == []


def test_harm_is_told_though_some_of_its_labels_were_corrected():
    play, rng = Play(), np.random.default_rng(1)
    for number in range(2_300):
        (one,) = play.live([bool(rng.random() < (0.92 if number < 2_000 else 0.5))])
        if number % 10 == 0:
            play.know(one, True, at=one.at + 1.5)
    assert play.states == ["open"]
    assert play.found[0].detected_at < 2_100


@pytest.mark.parametrize("draw", DRAWS, ids=IDS)
def test_what_is_told_beside_the_errors_are_the_labels_as_they_were_known_then(draw):
    """A fifth of the wrong labels is corrected: the page's means are those of what is left."""
    play, rng, since = Play(), np.random.default_rng(3), []
    for number in range(EVENTS):
        said, truth, label, scores = draw(rng, number >= HURT)
        one = play.predict(at=60.0 * number, said=said, scores=scores)
        play.know(one, label, at=one.at + 30.0)
        if label != truth and number % 5 == 0:
            label = truth
            play.know(one, label, at=one.at + 31.0)
        since.append((one, label))
        if play.found:
            break
    (opened,) = play.found
    version = play.monitor.versions["v"]
    (aspect,) = [one for one in version.aspects.all() if one.finding is not None]
    served = [play.join._codec.serve(one) for one, _ in since]
    values = [
        value
        for one, (_, label) in zip(served, since, strict=True)
        if one.at >= opened.onset_at
        for _, theirs, value in parts(version.aspects, version.task, one, label)
        if theirs is aspect
    ]
    mean = sum(values) / len(values)
    shown = {"recall": 1.0 - mean, "bias": -mean if opened.label == "below" else mean}.get(
        opened.metric, mean
    )
    assert (opened.after_count, opened.after) == (len(values), pytest.approx(shown))


def logs(*events):
    topics = {"predictions": [], "outcomes": []}
    for one in events:
        topic = topics["predictions" if isinstance(one, Prediction) else "outcomes"]
        topic.append(Logged("", len(topic), round(1_000 * one.at), encode(one)))
    return topics


def test_a_label_from_before_its_prediction_that_is_taken_back_ends_no_worker():
    fold = InputFold(0, replace(RULES, label_horizon_s=72 * 3_600.0), Life({}), MemoryStore())
    names, hour = {"prediction_id": "1", "model": "m"}, 3_600.0
    ahead = Prediction(**names, version="v", at=Instant(9 * hour), prediction=True)
    usual = Prediction(prediction_id="2", model="m", version="v", at=Instant(10 * hour), prediction=True)
    labels = [Outcome(**names, at=Instant(hour), outcome=True)]
    labels.append(Outcome(**names, at=Instant(2 * hour), outcome=ANOTHER_KIND))
    log = logs(ahead, usual, *labels)
    for topic in ("predictions", "outcomes"):
        fold.apply(log[topic])
    monitor = fold.monitors["m"]
    assert (monitor.counts, monitor.versions["v"].series[ALL].outcomes) == (
        {"matched": 1, "mismatched": 1},
        0,
    )
    assert [(one.predictions, one.labelled) for one in monitor.health.maturity.shares(1e6)] == [
        (1, 0),
        (1, 0),
    ]


def test_a_correction_of_a_label_from_before_its_prediction_stays_in_its_window():
    play = Play()
    early = play.predict(at=0.0)
    play.know(early, True)
    ahead = play.predict(at=1_000.0)
    play.know(ahead, False, at=10.0)
    play.know(ahead, True, at=20.0)
    version = play.monitor.versions["v"]
    place = version.series[ALL].place
    assert version.sums.windows.part("5m", place, 2) == [0.0, 0.0]
    version.sums.settle()
    assert version.sums.windows.part("5m", place, 2) == [2.0, 0.0]


@pytest.mark.parametrize("error", [30.0, 1e4, 1e12])
def test_a_broken_value_among_the_first_that_is_corrected_leaves_the_history(error):
    play, rng = Play(), np.random.default_rng(5)
    broken, errors = None, rng.exponential(size=400)
    for number, one in enumerate(errors):
        made = play.predict(said=10.0)
        play.know(made, 10.0 + (error if number == 50 else one))
        broken = made if number == 50 else broken
    play.know(broken, 10.0 + errors[50], at=1_000)
    series = play.series()
    assert series.rollout() == pytest.approx(errors.mean(), rel=1e-3)
    assert series.recent() == pytest.approx(errors[-256:].mean(), rel=0.05)
    assert series.history.since(0.0).mean == pytest.approx(errors.mean(), rel=0.1)


def test_a_version_that_was_forgotten_and_is_back_knows_nothing_of_former_labels():
    play = Play(Judgement(slice_budget=400))
    old = play.predict(version="v")
    play.know(old, False)
    play.monitor.rolled_out(Rollout(model="m", version="v", at=Instant(2), stage="retired"))
    for version in ("w", "x"):
        play.predict(version=version, at=10.0)
        for number in range(450):
            play.predict(version=version, at=10.0, slices={"s": str(number)})
    assert "v" not in play.monitor.versions
    play.know(play.predict(version="v", at=20.0), True)
    assert play.know(old, True, at=30.0) == "forgotten"
    series = play.series()
    assert (series.outcomes, series.loss_total, series.corrected) == (1, 0.0, 0)
    assert play.monitor.counts["forgotten"] == 1


def test_ids_whose_labels_were_corrected_are_no_examples():
    play = Play()
    wrong = play.live([False] * 8)
    for one in wrong[:3]:
        play.know(one, True, at=20.0)
    play.know(wrong[3], ANOTHER_KIND, at=20.0)
    assert play.series().examples == tuple(one.prediction_id for one in wrong[4:])


def test_delays_of_labels_that_are_taken_back_are_taken_back_too():
    play = Play()
    made = play.live([True] * 100)
    for one in made[:90]:
        play.know(one, ANOTHER_KIND, at=200)
    version = play.monitor.versions["v"]
    assert version.delay_total_s / play.series().outcomes == pytest.approx(1.0)
    assert version.delay_squares / play.series().outcomes == pytest.approx(1.0)


def test_a_row_is_found_by_all_that_it_says_and_revised():
    rows = Rows()
    for number in range(300):
        rows.add(float(number % 150), number % 3 / 3, ("all", f"@outcome={number % 3}"), b"ab")
    was, now = Row(100.0, 1 / 3, ("all", "@outcome=1"), b"ab"), Row(99.0, 0.0, ("all", "@outcome=0"), b"ab")
    before = sorted(rows.since(0.0))
    alike = Row(was.at, float(np.float32(was.loss)), was.slices, was.bins)
    count = before.count(alike)
    rows.revise(replace_of(was, bins=b"ax"), now)
    rows.revise(replace_of(was, slices=("all", "@outcome=2")), now)
    assert sorted(rows.since(0.0)) == before
    rows.revise(was, now)
    after = rows.since(0.0)
    assert (after.count(alike), after.count(now)) == (count - 1, before.count(now) + 1)
    rows.revise(now, None)
    assert len(rows.since(0.0)) == len(before) - 1
    assert len(Rows(rows.fields()).since(0.0)) == len(before) - 1


def replace_of(row, **fields):
    return row._replace(**fields)


@pytest.mark.parametrize("is_first", [False, True], ids=["prediction first", "outcome first"])
@pytest.mark.parametrize("label", [True, ANOTHER_KIND])
def test_what_names_causes_is_what_was_known_last(is_first, label):
    fold = InputFold(0, replace(RULES, label_horizon_s=1e6), Life({}), MemoryStore())
    names = {"model": "m", "version": "v", "prediction": True}
    young = [
        Prediction(
            **names, prediction_id=f"u{number}", at=Instant(120.0 * number), features={"a": number % 9}
        )
        for number in range(300)
    ]
    at = Instant(120.0 * 300)
    one = Prediction(**names, prediction_id="one", at=at, features={"a": 3})
    first = Outcome(prediction_id="one", model="m", at=at, outcome=False)
    last = Outcome(prediction_id="one", model="m", at=Instant(at + 1), outcome=label)
    events = [*young, *([first, one] if is_first else [one, first]), last]
    for event in events:
        rows = fold.monitors["m"].versions["v"].rows.since(0.0) if "m" in fold.monitors else []
        fold.apply(next(log for log in logs(event).values() if log))
    assert [row.loss for row in rows] == [1.0]
    rows = fold.monitors["m"].versions["v"].rows.since(0.0)
    wanted = [] if label == ANOTHER_KIND else [(float(at), 0.0, ("all", "@outcome=true"))]
    assert [row[:3] for row in rows] == wanted
