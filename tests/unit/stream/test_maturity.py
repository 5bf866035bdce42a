"""Cohorts of predictions: how much of them is labelled, and what may be said of it yet."""

import asyncio

import numpy as np
import pytest
from prometheus_client import CollectorRegistry

from stream.maturity import Maturity, width
from stream.maturity_figures import MaturityFigures, MaturityRow

HOUR_S = 3_600.0
NAMES = ("labelled_final_ratio", "mature_loss")


def played(*, hours=240, an_hour=60, seed=4):
    """Return a model that is wrong in 10 %, labelled after 4 h or (wrong) 12 h in the mean; one in ten never."""
    rng, made, events, late = np.random.default_rng(seed), Maturity(), [], []
    for at in np.sort(rng.uniform(0.0, hours * HOUR_S, hours * an_hour)).tolist():
        wrong = bool(rng.random() < 0.1)
        delay_s = rng.exponential(12 * HOUR_S if wrong else 4 * HOUR_S)
        events.append((at, 0, at, 0.0, wrong))
        if rng.random() < 0.9 and delay_s < 72 * HOUR_S:
            late.append((at + delay_s, 1, at, delay_s, wrong))
    end = hours * HOUR_S
    for now, is_label, at, delay_s, wrong in sorted([*events, *(one for one in late if one[0] < end)]):
        if is_label:
            made.labelled(at, delay_s, float(wrong), 1.0, now, 0.0)
        else:
            made.predicted(at)
    return made, end


def test_mature_cohorts_show_the_loss_that_early_labels_hide():
    made, end = played()
    young = [one for one in made.shares(end) if end - one.began_at < 8 * HOUR_S]
    labels, loss = made.mature(end)
    assert sum(one.loss_total for one in young) / sum(one.labelled for one in young) < 0.07
    assert loss / labels == pytest.approx(0.1, abs=0.02)
    assert labels > 1_000


def test_the_usual_share_at_an_age_is_what_cohorts_have():
    made, end = played()
    assert made.final() == pytest.approx(0.9, abs=0.02)
    for one in made.shares(end):
        if one.predictions > 30 and end - one.began_at > HOUR_S:
            assert one.labelled / one.predictions == pytest.approx(one.usual, abs=0.25)
    known = [(one.labelled, one.usual * one.predictions) for one in made.shares(end)]
    assert sum(real for real, _ in known) == pytest.approx(sum(usual for _, usual in known), rel=0.05)


def test_events_before_1970_have_cohorts_too():
    made = Maturity()
    made.predicted(-10_000.0)
    made.labelled(-10_000.0, 60.0, 1.0, 1.0, -9_000.0, 0.0)
    (share,) = made.shares(-9_000.0)
    assert (share.predictions, share.labelled, share.loss_total) == (1, 1, 1.0)


def test_a_correction_revises_its_cohort():
    made = Maturity()
    for at in (0.0, 2 * HOUR_S):
        made.predicted(at)
        made.labelled(at, 1.0, 0.0, 1.0, at + 1.0, 0.0)
    for at in (0.0, 2 * HOUR_S):
        made.revised(at, 1.0, 0)
    assert [one.loss_total for one in made.shares(3 * HOUR_S)] == [1.0, 1.0]


def test_without_labels_nothing_is_usual():
    made = Maturity()
    assert np.isnan(made.final())
    assert np.isnan(made.usual(60.0))
    assert made.mature(0.0) == (0, 0.0)


def test_a_long_horizon_has_wider_cohorts():
    assert width(3 * 86_400.0) == HOUR_S
    assert width(30 * 86_400.0) == 10 * HOUR_S


def scraped(figures):
    registry = CollectorRegistry()
    registry.register(figures)
    asyncio.run(figures.refresh())
    return registry


def test_scrape_shows_the_models_with_most_labels_that_are_known_in_the_end():
    busy, end = played()
    small, _ = played(an_hour=6)
    rows = [
        MaturityRow("new", Maturity(), end),
        MaturityRow("small", small, end),
        MaturityRow("busy", busy, end),
    ]
    registry, everyone = (scraped(MaturityFigures(lambda: iter([rows]), budget)) for budget in (1, 10))
    shown = {name: registry.get_sample_value(f"tidewatch_model_{name}", {"model": "busy"}) for name in NAMES}
    labels, loss = busy.mature(end)
    assert shown == {
        "labelled_final_ratio": busy.final(),
        "mature_loss": loss / labels,
    }
    assert registry.get_sample_value("tidewatch_model_mature_loss", {"model": "small"}) is None
    assert everyone.get_sample_value("tidewatch_model_mature_loss", {"model": "small"}) > 0
    assert everyone.get_sample_value("tidewatch_model_mature_loss", {"model": "new"}) is None
