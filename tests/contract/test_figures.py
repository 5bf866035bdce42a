"""The figures are scikit-learn's: on any stream, of the whole and of its parts added up."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics

from stream.aspects import chances_of
from stream.figures.report import of_cells, of_slice, of_version
from stream.figures.sums import BINS, EDGES, SIZES, WIDTHS, Sums
from stream.figures.windows import LEVELS, ROLLOUT
from stream.said import score_of

NAN = float("nan")
WORDS = st.sampled_from(["cat", "dog", "eel"])
PROBABILITY = st.floats(0.0, 1.0) | st.sampled_from([0.0, 1.0, *EDGES])
NUMBER = st.floats(-1e4, 1e4).map(lambda one: round(one, 3))
LONE = st.lists(st.tuples(PROBABILITY, st.booleans()), min_size=1)
WEIGHTS = st.tuples(*[st.floats(0.01, 1.0)] * 3)


class Whole:
    """Stands in for the series of all slices."""

    def __init__(self, sums, task):
        sums.task = task
        self.place = sums.windows.allot(WIDTHS[task])


def summed(task, rows, sums=None):
    """Rows of (said, happened, scores), a minute apart."""
    sums = sums or Sums()
    whole = Whole(sums, task)
    for number, (said, happened, scores) in enumerate(rows):
        sums.take((60.0 * number, (whole,), said, happened, scores, 1.0))
    return sums, whole


def figures(task, rows, window=ROLLOUT):
    sums, whole = summed(task, rows)
    return by_name(of_version(sums, whole.place, window))


def by_name(found):
    return {(one.name, one.label) if one.label else one.name: one for one in found}


def close(value, **tolerance):
    return pytest.approx(value, nan_ok=True, **{"rel": 1e-9, "abs": 1e-9} | tolerance)


def in_bins(scores):
    return np.searchsorted(EDGES, scores, side="right")


@given(st.lists(st.tuples(WORDS, WORDS), min_size=1))
def test_figures_of_classes(pairs):
    said, happened = zip(*pairs, strict=True)
    found = figures("classification", [(*one, None) for one in pairs])
    assert found["accuracy"].value == close(metrics.accuracy_score(happened, said))
    classes = sorted({*said, *happened})
    scored = metrics.precision_recall_fscore_support(
        happened, said, labels=classes, average=None, zero_division=NAN
    )
    for name, values in zip(("precision", "recall", "f1"), scored[:3], strict=True):
        assert [found[name, one].value for one in classes] == close(values.tolist())
        if name != "recall":
            assert found[f"macro_{name}"].value == close(
                float(np.nanmean(values)) if any(not math.isnan(value) for value in values) else NAN
            )
    known = [one for one in classes if one in happened]
    recalls = metrics.recall_score(happened, said, labels=known, average=None, zero_division=NAN)
    assert found["balanced_accuracy"].value == close(float(np.mean(recalls)))


@given(LONE)
def test_figures_of_a_lone_score(rows):
    scores, truths = map(list, zip(*rows, strict=True))
    found = figures("classification", [(score >= 0.5, truth, score) for score, truth in rows])
    assert found["log_loss"].value == close(metrics.log_loss(truths, scores, labels=[False, True]))
    assert found["brier"].value == close(
        metrics.brier_score_loss(truths, scores, labels=[False, True], pos_label=True)
    )
    assert found["log_loss"].rows == len(rows)
    if len({*truths}) == 2:
        binned = in_bins(scores)
        assert found["roc_auc"].value == close(metrics.roc_auc_score(truths, binned))
        assert found["pr_auc"].value == close(metrics.average_precision_score(truths, binned))
        for name, area in (("roc_auc", metrics.roc_auc_score), ("pr_auc", metrics.average_precision_score)):
            assert found[name].lower - 1e-9 <= area(truths, scores) <= found[name].upper + 1e-9
    else:
        assert math.isnan(found["roc_auc"].value)


@given(st.lists(st.tuples(st.integers(0, 9), st.floats(0.01, 0.09), st.booleans()), min_size=1))
def test_the_calibration_error_is_that_of_the_bins(rows):
    """Of scikit-learn's curve over tenths, weighted; scores keep off the borders, where the curve's bins close."""
    scores = [tenth / 10 + rest for tenth, rest, _ in rows]
    truths = [truth for *_, truth in rows]
    true, said = calibration(truths, scores)
    weights = np.histogram(scores, bins=10, range=(0, 1))[0]
    wanted = np.sum(np.abs(true - said) * weights[weights > 0]) / len(rows)
    found = figures(
        "classification", [(True, truth, score) for score, truth in zip(scores, truths, strict=True)]
    )
    assert found["ece"].value == close(float(wanted))


def calibration(truths, scores):
    from sklearn.calibration import calibration_curve

    if len({*truths}) == 2:
        return calibration_curve(truths, scores, n_bins=10)
    # the curve wants both classes: add one of the other where nothing else is, then leave it out
    places = np.minimum((np.array(scores) * 10).astype(int), 9)
    means = [np.mean(np.array(scores)[places == one]) for one in sorted({*places.tolist()})]
    return np.full(len(means), float(truths[0])), np.array(means)


@given(st.lists(st.tuples(WORDS, WEIGHTS), min_size=1))
def test_figures_of_scores_by_class(rows):
    """Of more than two classes the areas are the micro-averaged ones."""
    names = ["cat", "dog", "eel"]
    given_ = [np.array(weights) / sum(weights) for _, weights in rows]
    found = figures(
        "classification",
        [
            (names[int(np.argmax(one))], truth, dict(zip(names, one.tolist(), strict=True)))
            for (truth, _), one in zip(rows, given_, strict=True)
        ],
    )
    truths = [truth for truth, _ in rows]
    assert found["log_loss"].value == close(
        metrics.log_loss(truths, np.array(given_), labels=names), rel=1e-6
    )
    brier = metrics.brier_score_loss(truths, np.array(given_), labels=names)
    assert found["brier"].value == close(brier, rel=1e-6)
    hits = np.array([[truth == name for name in names] for truth in truths]).ravel()
    binned = in_bins(np.array(given_).ravel())
    assert found["roc_auc"].value == close(metrics.roc_auc_score(hits, binned))
    assert found["pr_auc"].value == close(metrics.average_precision_score(hits, binned))


@given(LONE)
def test_the_score_of_one_class_alone_is_a_lone_score(rows):
    """``{"fraud": 0.9}``: the other class has what it leaves."""
    words = {False: "fine", True: "fraud"}
    lone = figures("classification", [(True, truth, score) for score, truth in rows])
    alone = figures("classification", [("fraud", words[truth], {"fraud": score}) for score, truth in rows])
    for name in ("log_loss", "brier", "ece", "roc_auc", "pr_auc"):
        assert alone[name][2:] == pytest.approx(lone[name][2:], nan_ok=True)


@pytest.mark.parametrize("names", [("false", "true"), ("False", "True"), ("0", "1"), ("0.0", "1.0")])
@pytest.mark.parametrize("kind", [bool, int, float])
def test_a_class_that_is_no_text_is_found_by_whatever_name_its_score_has(names, kind):
    """``str`` of a class of scikit-learn is ``True`` or ``1.0``, and JSON has ``true`` and ``1``."""
    scores = dict(zip(names, (0.2, 0.8), strict=True))
    found = figures("classification", [(kind(1), kind(1), scores)])
    assert found["log_loss"].value == close(-math.log(0.8))
    assert chances_of(scores, kind(1), kind(0)) == pytest.approx((0.2, 0.8, 0.64))
    assert score_of(kind(1), scores) == 0.8


@given(st.lists(st.tuples(NUMBER, NUMBER), min_size=2))
def test_figures_of_errors(rows):
    said, happened = zip(*rows, strict=True)
    found = figures("regression", [(*one, None) for one in rows])
    errors = np.array(said) - np.array(happened)
    assert found["mae"].value == close(metrics.mean_absolute_error(happened, said))
    assert found["rmse"].value == close(metrics.root_mean_squared_error(happened, said))
    assert found["bias"].value == close(float(np.mean(errors)))
    known = [(y, p) for p, y in rows if y]
    if known:
        wanted = metrics.mean_absolute_percentage_error(*zip(*known, strict=True))
        assert found["mape"].value == close(wanted, rel=1e-6)
    assert found["mape"].rows == len(known)
    if np.ptp(happened) > 1.0:
        assert found["r2"].value == close(metrics.r2_score(happened, said), rel=1e-6, abs=1e-6)
    elif not np.ptp(happened):
        assert math.isnan(found["r2"].value)


@pytest.mark.parametrize(("first", "level", "spread"), [(5.3, 0.0, 0.0), (0.1, 0.3, 0.0), (1e9, 50.0, 10.0)])
def test_no_share_is_explained_of_a_variance_that_is_rounding(first, level, spread):
    """Outcomes that are all the same in a window, or lie close together and far from the first of all."""
    outcomes = [first, *np.random.default_rng(3).normal(level, spread, 600).tolist()]
    rows = [(one + 0.2, one, None) for one in outcomes]
    for count in range(150, len(rows), 7):
        sums, whole = summed("regression", rows[:count])
        found = by_name(of_version(sums, whole.place, "1h"))
        assert math.isnan(found["r2"].value)
        assert found["rmse"].value == close(0.2, rel=1e-6)


@given(st.lists(st.floats(1.0, 500.0), min_size=1, max_size=300))
def test_a_quantile_of_the_errors_is_right_to_a_bin(errors):
    found = figures("regression", [(one, 0.0, None) for one in errors])
    for name, share in (("median_error", 0.5), ("p90_error", 0.9)):
        ranked = sorted(errors)
        wanted = ranked[max(math.ceil(share * len(errors)) - 1, 0)]
        assert wanted / 2**0.5 <= found[name].value * 1.000001
        assert found[name].value <= wanted * 2**0.5 * 1.000001


@pytest.mark.parametrize("factor", [10.0, 1_000.0])
def test_a_quantile_follows_errors_that_grow(factor):
    """Sizes that were not met in the beginning have bins as well; what is taken out leaves them."""
    rng = np.random.default_rng(8)
    errors = [*rng.normal(0.0, 1.0, 5_000).tolist(), *rng.normal(0.0, factor, 3_000).tolist()]
    sums, whole = summed("regression", [(one, 0.0, None) for one in errors])
    found = by_name(of_version(sums, whole.place, "24h"))
    ranked = np.sort(np.abs(errors[-found["mae"].rows :]))
    assert found["median_error"].value == pytest.approx(np.quantile(ranked, 0.5), rel=0.1)
    assert found["p90_error"].value == pytest.approx(np.quantile(ranked, 0.9), rel=0.1)
    for number, one in enumerate(errors[:5_000]):
        sums.take((60.0 * number, (whole,), one, 0.0, None, -1.0))
    left = by_name(of_version(sums, whole.place, ROLLOUT))
    assert left["median_error"].rows == 3_000
    assert left["median_error"].value == pytest.approx(np.quantile(np.abs(errors[5_000:]), 0.5), rel=0.1)


@given(st.permutations([2.0**n for n in range(-30, 30)]))
def test_of_too_many_sizes_the_smallest_share_a_bin_in_whatever_order_they_come(errors):
    kept = Sums()
    whole = Whole(kept, "regression")
    for number, one in enumerate(errors):
        kept.take((60.0 * number, (whole,), one, 0.0, None, 1.0))
    found = by_name(of_version(kept, whole.place, ROLLOUT))
    assert len(kept.sizes) == SIZES
    assert 2.0**23 < found["p90_error"].value <= 2.0**24 * 1.000001


@given(LONE, st.data())
def test_parts_added_up_are_the_whole(rows, data):
    """Any two halves of a stream: their cells, laid out alike, add up to the figures of all."""
    stream = [(True, truth, score) for score, truth in rows]
    first = data.draw(st.lists(st.booleans(), min_size=len(rows), max_size=len(rows)))
    sums, whole = summed("classification", stream)
    wanted = by_name(of_version(sums, whole.place, ROLLOUT))
    parts = []
    for kept in (True, False):
        part, _ = summed("classification", stream)
        for number, (row, is_first) in enumerate(zip(stream, first, strict=True)):
            if is_first is not kept:
                part.take((60.0 * number, (whole,), *row, -1.0))
        parts.append(part.total(ROLLOUT).cells)
    merged = by_name(of_cells(sums, whole.place, [sum(pair) for pair in zip(*parts, strict=True)]))
    for name, one in wanted.items():
        assert merged[name].value == close(one.value, abs=1e-6)
        assert merged[name].rows == one.rows


def test_the_bounds_hold_the_truth_as_often_as_they_say():
    """95 % of 400 streams of 500 rows, within what chance gives 400 (3.5 standard errors)."""
    rng = np.random.default_rng(5)
    held = {"accuracy": 0, "brier": 0, "log_loss": 0, "mae": 0, "bias": 0}
    for _ in range(400):
        scores = rng.choice([0.1, 0.3, 0.8], 500)
        truths = rng.random(500) < scores
        lone = figures(
            "classification", [(s > 0.5, bool(t), float(s)) for s, t in zip(scores, truths, strict=True)]
        )
        errors = rng.normal(0.5, 2.0, 500)
        number = figures("regression", [(float(e), 0.0, None) for e in errors])
        share = np.array([0.1, 0.3, 0.8])
        spread = share * (1 - share)
        entropy = -(share * np.log(share) + (1 - share) * np.log(1 - share))
        mae = 2.0 * math.sqrt(2 / math.pi) * math.exp(-0.03125) + 0.5 * math.erf(0.25 / math.sqrt(2))
        truth = {"accuracy": (0.9 + 0.7 + 0.8) / 3, "brier": spread.mean(), "log_loss": entropy.mean()}
        for name, value in (truth | {"mae": mae, "bias": 0.5}).items():
            one = (lone | number)[name]
            held[name] += one.lower <= value <= one.upper
    slack = 3.5 * math.sqrt(0.95 * 0.05 / 400)
    assert {name: count / 400 for name, count in held.items()} == dict.fromkeys(
        held, pytest.approx(0.95, abs=slack)
    )


def test_of_nothing_nothing_is_said():
    for task, count in (("classification", 9), ("regression", 7)):
        found = figures(task, [])
        assert len(found) == count
        assert all(math.isnan(one.value) and one.rows == 0 for one in found.values())


def test_classes_beyond_the_budget_share_a_row():
    found = figures("classification", [(f"c{n % 20}", f"c{n % 20}", None) for n in range(200)])
    names = {name[1] for name in found if isinstance(name, tuple)}
    assert len(names) == 10
    assert found["recall", "__other__"].rows == 110
    assert found["accuracy"].value == 1.0


def test_every_bin_is_met():
    lows = [0.0, *EDGES]
    assert len({*in_bins(lows).tolist()}) == BINS == len(lows)


def test_a_slice_has_the_figures_of_its_own_rows():
    sums = Sums()
    whole, tier = Whole(sums, "regression"), Whole(sums, "regression")
    for number in range(100):
        route = (whole, tier) if number % 2 else (whole,)
        sums.take((60.0 * number, route, float(number % 2), 0.0, None, 1.0))
    for window in LEVELS:
        assert by_name(of_slice(sums, tier.place, window))["mae"].value == 1.0
        assert by_name(of_version(sums, whole.place, window))["mae"].value == pytest.approx(0.5, abs=0.1)
