"""Harm that errors don't show: seeded streams of labels whose probabilities, classes or bias get worse."""

import numpy as np
import pytest

from stream import state, wire
from stream.events import Instant, Outcome, Prediction
from stream.join import Join
from stream.monitor import Monitor
from stream.pending import MemoryStore
from stream.references import read_references, write_references
from stream.replay.build import History
from stream.replay.source import Line
from stream.version import Judgement

HURT = 4_000
CLASSES = ("common", "rare")
JUDGEMENT = Judgement()


def play(draw, *, events=7_000, seed=1, hurt=HURT, until=10**9, versions=("v",), judgement=JUDGEMENT):
    """Fold the labels of one model, one a minute; ``draw(rng, is_hurt)`` says, happened and scores."""
    rng = np.random.default_rng(seed)
    monitor, join = Monitor("m"), Join(1e9, 100_000, MemoryStore(), 100_000)
    found = []
    for i in range(events):
        said, happened, scores = draw(rng, hurt <= i < until)
        version = versions[i * len(versions) // events]
        one = Prediction(
            prediction_id=str(i),
            model="m",
            version=version,
            at=Instant(60.0 * i),
            prediction=said,
            scores=scores,
        )
        monitor.predicted(one, join.predict(one)[0].served, judgement)
        known = Outcome(prediction_id=str(i), model="m", at=Instant(60.0 * i + 30), outcome=happened)
        found += monitor.take(join.know(known)[0], judgement, None)[1]
        if i == events // 2:
            monitor = state.load(state.dump(monitor))
    return [one for one in found if one.severity == "page"]


def overconfident(rng, is_hurt):
    """Wrong in 10 % all the time; what it says of itself goes from .9 to .99."""
    said = bool(rng.random() < 0.5)
    happened = said if rng.random() < 0.9 else not said
    sure = 0.99 if is_hurt else 0.9
    return said, happened, sure if said else 1.0 - sure


def unsure(rng, is_hurt):
    """As often wrong as ever; the probabilities say less than they did."""
    said = str(rng.choice(CLASSES))
    happened = said if rng.random() < 0.95 else CLASSES[said == "common"]
    sure = 0.6 if is_hurt else 0.95
    return said, happened, {said: sure, CLASSES[said == "common"]: 1.0 - sure}


def blind_to_the_rare(rng, is_hurt):
    """Of a tenth of the labels recall falls from .9 to .5, that of the others rises by as many."""
    happened = "rare" if rng.random() < 0.1 else "common"
    rate = (0.5 if happened == "rare" else 0.0556) if is_hurt else 0.1
    return (CLASSES[happened == "common"] if rng.random() < rate else happened), happened, None


def whole_stars(rng, is_hurt):
    """Ratings of 1 to 5 that are off by nothing, one or two; of those that were right most are off by one."""
    happened = float(rng.integers(1, 6))
    shares = (0.05, 0.85, 0.1) if is_hurt else (0.4, 0.5, 0.1)
    return happened + float(rng.choice(3, p=shares)) * float(rng.choice((-1, 1))), happened, None


def biased(side):
    def draw(rng, is_hurt):
        happened = float(rng.normal(50.0, 10.0))
        error = side * 1.5 * abs(rng.normal()) if is_hurt else 1.5 * rng.normal()
        return happened + error, happened, None

    return draw


def wider(rng, is_hurt):
    """An eighth is far off all the time, so that the worst tenth stays as it was; the others err more."""
    happened = float(rng.normal(50.0, 10.0))
    error = rng.choice((-1, 1)) * rng.uniform(6.0, 20.0) if rng.random() < 0.12 else rng.normal()
    return happened + error * (2.5 if is_hurt and abs(error) < 6.0 else 1.0), happened, None


def opened(found):
    return [(one.metric, one.label) for one in found if one.state == "open"]


@pytest.mark.parametrize(
    ("draw", "wanted"),
    [
        (overconfident, {("log_loss", None), ("calibration", None), ("brier", None)}),
        (unsure, {("log_loss", None), ("brier", None)}),
        (blind_to_the_rare, {("recall", "rare")}),
        (biased(1.0), {("bias", "above")}),
        (biased(-1.0), {("bias", "below")}),
    ],
    ids=["overconfident", "unsure", "rare class", "above", "below"],
)
def test_one_page_tells_the_harm_that_errors_do_not_show(draw, wanted):
    for seed in range(3):
        (first,) = opened(play(draw, seed=seed))
        assert first in wanted


@pytest.mark.parametrize("seed", range(3))
def test_errors_that_grow_below_the_worst_tenth_are_one_page_of_errors(seed):
    (page,) = (one for one in play(wider, seed=seed, events=HURT + 1_500) if one.state == "open")
    assert (page.metric, page.label, page.slice) == ("mae", None, "all")
    assert page.events_since_onset < 400
    assert page.after > 1.2 * page.before


@pytest.mark.parametrize(
    "draw", [unsure, overconfident, biased(1.0)], ids=["unsure", "overconfident", "bias"]
)
def test_a_harm_that_was_mended_is_closed_once(draw):
    opening, closing = play(draw, events=12_000, until=HURT + 1_500)
    assert (opening.state, closing.state) == ("open", "closed")
    assert opening.id == closing.id
    assert closing.closed_at > 60.0 * (HURT + 1_500)


def worse_at_all(rng, is_hurt):
    """Wrong more often, and as sure as ever: every loss shows it."""
    said = bool(rng.random() < 0.5)
    happened = said if rng.random() < (0.8 if is_hurt else 0.9) else not said
    return said, happened, 0.9 if said else 0.1


def shifted(before, after):
    def draw(rng, is_hurt):
        happened = float(rng.normal(50.0, 10.0))
        return happened + rng.normal(after if is_hurt else before, 1.5), happened, None

    return draw


@pytest.mark.parametrize("seed", range(4))
def test_harm_that_many_losses_show_is_one_page(seed):
    assert len(opened(play(worse_at_all, seed=seed))) == 1


def test_a_bias_as_large_to_the_other_side_is_no_harm():
    assert not any(opened(play(shifted(-0.5, 0.5), seed=seed)) for seed in range(3))
    assert opened(play(shifted(-0.1, 1.5)))[0][0] in {"bias", "mae"}


@pytest.mark.parametrize("draw", [unsure, overconfident, blind_to_the_rare, biased(1.0), worse_at_all])
def test_a_version_inherits_what_it_is_held_against(draw):
    found = play(draw, versions=("v", "v", "v", "v", "w", "w", "w"), hurt=HURT + 1)
    (first,) = [one for one in found if one.state == "open"]
    assert (first.version, first.metric == "accuracy") == (
        "w",
        draw is worse_at_all and first.metric == "accuracy",
    )


@pytest.mark.parametrize("draw", [unsure, overconfident, blind_to_the_rare, biased(1.0)])
def test_a_reference_from_history_watches_from_the_first_label(draw, tmp_path):
    rng, history = np.random.default_rng(7), History(1e9)
    events = []
    for i in range(2_000):
        said, happened, scores = draw(rng, is_hurt=False)
        events += [
            Prediction(
                prediction_id=str(i), model="m", version="u", at=Instant(i), prediction=said, scores=scores
            ),
            Outcome(prediction_id=str(i), model="m", at=Instant(i + 0.5), outcome=happened),
        ]
    history.read(Line("", i, wire.encode(one)) for i, one in enumerate(events))
    path = tmp_path / "reference.json"
    path.write_bytes(write_references(history.references(100)))
    judgement = Judgement(references=read_references(path))
    late, known = (
        opened(play(draw, hurt=120, events=1_500, judgement=one)) for one in (Judgement(), judgement)
    )
    assert (late, len(known)) == ([], 1)


@pytest.mark.parametrize("draw", [unsure, overconfident, blind_to_the_rare, biased(1.0), worse_at_all])
def test_nothing_is_told_while_all_is_well(draw):
    assert play(draw, events=20_000, hurt=10**9) == []


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_whole_numbered_errors_that_grow_by_one_page_though_none_is_larger_than_ever(seed):
    assert play(whole_stars, hurt=10**9, seed=seed) == []
    found = play(whole_stars, seed=seed)
    assert [(one.state, one.metric) for one in found][:1] == [("open", "mae")]
    assert found[0].before < 0.8 < found[0].after
