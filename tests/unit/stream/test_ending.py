"""What is open of a version is closed when nothing of it can close it any more: it retired or serves nobody."""

from dataclasses import replace
from math import inf

import msgspec
import numpy as np
import pytest

from stream import state
from stream.aspect import Aspect
from stream.drift import Drift
from stream.ending import (
    IDLE,
    NEVER_MISSED,
    RESTS_S,
    RETIRED,
    SERVES,
    VANISHED,
    end_idle,
    end_of,
    is_told,
)
from stream.events import Instant, Outcome, Prediction, Rollout
from stream.fold import InputFold
from stream.instant import in_words
from stream.pending import MemoryStore
from stream.reference import Feature
from stream.room import VERSIONS
from stream.series import new_series
from stream.version import Version
from stream.wire import encode
from tests.laws.lives import BEGAN_AT, RULES, Logged
from tests.unit.stream.test_wire import FINDING

STEP_S, DELAY_S, HORIZON_S = 60.0, 120.0, 3_600.0
HURT, GONE = 2_000, 2_400
"""When v2 gets worse, and when it serves nobody any more."""


class Life:
    """A model with a prediction a minute, of its versions in turn, as long as they serve; v2 gets worse."""

    def __init__(self, *versions, horizon_s=HORIZON_S):
        self.fold = InputFold(0, replace(RULES, label_horizon_s=horizon_s), self, MemoryStore())
        self.versions, self.rng, self.found = [*versions], np.random.default_rng(4), []
        self.number, self.labels, self.harm = 0, [], 0.6
        self.gate_until = None
        """Before which prediction two of three are of the gate ``b``, which gets worse in place of v2."""

    def folded(self, tally):
        self.found += tally.findings

    def take(self, topic, event):
        self.fold.apply([Logged(topic, 0, round(1_000 * event.at), encode(event))])

    def until(self, number, delay_s=DELAY_S):
        for i in range(self.number, number):
            at, version = BEGAN_AT + STEP_S * i, self.versions[i % len(self.versions)]
            self.known(at)
            gate = {} if self.gate_until is None else {"gate": "b" if i % 3 and i < self.gate_until else "a"}
            is_hurt = version == "v2" if self.gate_until is None else gate["gate"] == "b"
            right = bool(self.rng.random() > (self.harm if is_hurt and i >= HURT else 0.08))
            said = Prediction(
                prediction_id=str(i),
                model="m",
                version=version,
                at=Instant(at),
                prediction=True,
                slices=gate,
            )
            self.take("predictions", said)
            label = Outcome(prediction_id=str(i), model="m", at=Instant(at + delay_s), outcome=right)
            self.labels.append(label)
        self.number = number

    def known(self, at):
        while self.labels and self.labels[0].at <= at:
            self.take("outcomes", self.labels.pop(0))

    def rollout(self, version, stage, at=None):
        at = BEGAN_AT + STEP_S * self.number if at is None else at
        self.take("rollouts", Rollout(model="m", version=version, at=Instant(at), stage=stage))
        return at

    @property
    def told(self):
        return [(one.version, one.state, one.episode) for one in self.found]


def test_what_is_open_of_a_version_is_closed_when_it_is_retired():
    life = Life("v1", "v2")
    life.until(GONE)
    at = life.rollout("v2", "retired")
    opened, closed = life.found
    assert (closed.id, closed.version, closed.state) == (opened.id, "v2", "closed")
    assert (closed.closed_at, closed.proven_at, closed.causes) == (at, at, (RETIRED, *opened.causes))
    life.rollout("v2", "retired", at + 1.0)
    assert len(life.found) == 2


def test_an_end_is_not_before_what_it_ends():
    life = Life("v1", "v2")
    life.until(GONE)
    life.rollout("v2", "retired", life.found[0].detected_at - 300.0)
    opened, closed = life.found
    assert closed.closed_at == opened.detected_at


def test_labels_of_a_retired_version_that_still_come_are_counted_and_open_nothing():
    life = Life("v1", "v2")
    life.until(HURT)
    life.rollout("v2", "retired")
    life.until(GONE)
    assert life.found == []
    assert life.fold.monitors["m"].versions["v2"].series["all"].outcomes == GONE / 2 - 1


def test_a_version_that_is_rolled_out_again_is_judged_again():
    life = Life("v1", "v2")
    life.until(GONE)
    for stage in ("retired", "canary"):
        life.rollout("v2", stage)
    life.until(GONE + 800)
    assert life.told == [("v2", "open", 1), ("v2", "closed", 1), ("v2", "open", 2)]


def test_harm_of_a_shadow_is_a_ticket_and_a_page_once_it_serves():
    """It harms nobody before; what burns an error budget is not said of it."""
    life = Life("v1", "v2")
    life.rollout("v2", "shadow")
    life.until(GONE)
    assert [(one.severity, one.windows) for one in life.found] == [("ticket", ())]
    at = life.rollout("v2", "canary")
    life.until(GONE + 800)
    ticket, closed, page = life.found
    assert (closed.id, closed.state, closed.closed_at, closed.causes[0]) == (ticket.id, "closed", at, SERVES)
    assert (page.version, page.state, page.severity, page.episode) == ("v2", "open", "page", 2)
    assert page.windows != ()
    assert page.detected_at - at < 400 * STEP_S


@pytest.mark.parametrize("before", ["shadow", "retired"])
def test_harm_that_goes_on_when_a_version_serves_began_for_those_it_serves_with_the_rollout(before):
    """So the rollout is a cause, and the fresh version is the one that a roll-back takes back."""
    life = Life("v1", "v2")
    life.rollout("v2", "shadow")
    life.until(GONE)
    life.rollout("v2", before)
    life.until(GONE + 200)
    at = life.rollout("v2", "canary")
    life.fold.monitors["m"] = state.load(state.dump(life.fold.monitors["m"]))
    life.until(GONE + 1_000)
    page = life.found[-1]
    assert (page.state, page.severity, page.onset_at, page.onset_before) == ("open", "page", at, at)
    assert [(one.version, one.stage, one.at) for one in page.rollouts] == [("v2", "canary", at)]
    assert page.causes[0] == "rollout of v2 to canary, 0 s before the onset"
    assert page.after_count <= (page.detected_at - at) / (2 * STEP_S) + 8
    assert in_words(at) in page.summary


def test_corrected_labels_open_no_ticket_of_a_shadow_that_serves_now():
    """It would stand in the way of the page: what is told of a series is not told again."""
    life = Life("v1", "v2", horizon_s=1e6)
    life.rollout("v2", "shadow")
    life.until(GONE)
    life.harm = 0.08
    life.until(GONE + 600)
    assert [(one.state, one.severity) for one in life.found] == [("open", "ticket"), ("closed", "ticket")]
    at = life.rollout("v2", "canary")
    for number in range(GONE + 1, GONE + 600, 2):
        wrong = Outcome(prediction_id=str(number), model="m", at=Instant(at + number), outcome=False)
        life.take("outcomes", wrong)
    assert [one.state for one in life.found if one.severity == "ticket"] == ["open", "closed"]


def test_what_is_open_of_a_version_that_goes_from_canary_to_live_stays_open():
    life = Life("v1", "v2")
    life.rollout("v2", "canary")
    life.until(GONE)
    life.rollout("v2", "live")
    assert life.told == [("v2", "open", 1)]


def test_without_rollouts_it_is_closed_when_no_label_of_the_version_can_come_any_more():
    life = Life("v1", "v2")
    life.until(GONE)
    life.versions = ["v1"]
    gone_at = BEGAN_AT + STEP_S * GONE
    life.until(GONE + 120)
    assert life.told == [("v2", "open", 1)]
    life.until(GONE + 600)
    opened, closed = life.found
    assert (closed.id, closed.state, closed.causes) == (opened.id, "closed", (IDLE, *opened.causes))
    assert gone_at + 2 * HORIZON_S <= closed.closed_at <= gone_at + 2 * HORIZON_S + 6 * 3_600.0


def test_it_stays_open_while_labels_may_come_and_of_the_version_that_served_last():
    life = Life("v1", "v2")
    life.until(GONE)
    life.versions, life.labels = ["v1"], []
    life.until(GONE + 600, delay_s=1e9)
    assert life.told == [("v2", "open", 1)], "no label tells that its own are over"
    alone = Life("v2")
    alone.until(GONE)
    other = Prediction(prediction_id="x", model="n", version="v1", at=Instant(2 * BEGAN_AT), prediction=True)
    alone.take("predictions", other)
    alone.take("outcomes", Outcome(prediction_id="x", model="n", at=other.at, outcome=True))
    alone.take("predictions", msgspec.structs.replace(other, prediction_id="y", at=Instant(2.1 * BEGAN_AT)))
    assert alone.told == [("v2", "open", 1)]


def test_what_is_open_of_a_slice_is_closed_when_no_label_of_it_can_come_any_more():
    life = Life("v1")
    life.gate_until = GONE
    life.until(GONE + 300)
    life.number += round(RESTS_S / STEP_S) - 400
    over = GONE + round(RESTS_S / STEP_S)
    life.until(over - 30)
    assert [(one.slice, one.state) for one in life.found] == [("gate=b", "open")]
    life.until(over + 60)
    opened, closed = life.found
    assert (closed.id, closed.state, closed.causes) == (opened.id, "closed", (VANISHED, *opened.causes))
    life.gate_until = inf
    life.until(over + 300)
    assert [(one.slice, one.state, one.episode) for one in life.found[2:]] == [("gate=b", "open", 2)]


def test_a_slice_that_rests_at_night_stays_open():
    life = Life("v1")
    life.gate_until = GONE
    life.until(GONE + 600)
    life.gate_until = inf
    life.until(GONE + 900)
    assert [(one.slice, one.state) for one in life.found] == [("gate=b", "open")]


@pytest.mark.parametrize(("rests_s", "causes"), [(RESTS_S - 60.0, []), (RESTS_S + 60.0, [NEVER_MISSED])])
def test_what_is_open_of_the_recall_of_a_class_ends_when_none_of_it_is_missed_any_more(rests_s, causes):
    now = FINDING.detected_at + 2 * RESTS_S
    series = new_series("classification", 0.002)
    series.newest_at = now
    series.history.add(now, 0.0)
    version = Version("classification", series={"all": series})
    version.aspects.recalls["fraud"] = Aspect(finding=FINDING, large_at=now - rests_s)
    ended = end_idle({"v1": version}, {}, HORIZON_S, now, 7.0)
    assert [(one.id, one.state, one.closed_at, one.causes[0]) for one in ended] == [
        (FINDING.id, "closed", now, cause) for cause in causes
    ]
    assert is_told(version) == (not causes)
    assert end_idle({"v1": version}, {}, HORIZON_S, now + 1.0, 8.0) == []


def test_a_version_that_was_forgotten_and_is_back_tells_its_harm_under_another_id():
    life = Life("v1", "v2")
    life.until(GONE)
    life.rollout("v2", "retired")
    life.versions = [f"x{number}" for number in range(VERSIONS)]
    life.until(GONE + VERSIONS)
    assert "v2" not in life.fold.monitors["m"].versions
    life.fold.monitors["m"] = state.load(state.dump(life.fold.monitors["m"]))
    life.rollout("v2", "canary")
    life.versions = ["x0", "v2"]
    life.until(GONE + 1_000)
    assert life.told == [("v2", "open", 1), ("v2", "closed", 1), ("v2", "open", 2)]
    assert len({one.id for one in life.found}) == 2


def test_a_night_without_predictions_ends_no_version():
    life = Life("v1", "v2")
    life.until(GONE)
    life.known(inf)
    life.number += 600  # v1 has the first prediction of the morning, and another model the first label
    morning = Instant(BEGAN_AT + STEP_S * life.number)
    life.take("outcomes", Outcome(prediction_id="x", model="n", at=morning, outcome=True))
    life.until(life.number + 100)
    assert life.told == [("v2", "open", 1)]


def test_all_that_is_told_of_a_version_ends_with_it():
    version = Version("classification", series={"all": new_series("classification", 0.002)})
    ids = iter("abcd")
    finding = lambda: msgspec.structs.replace(FINDING, id=next(ids))  # noqa: E731
    version.series["all"].finding, version.aspects.named["brier"] = finding(), Aspect(finding=finding())
    feature = version.reference.features["age"] = Feature()
    feature.drift, repeats = Drift(finding=finding()), version.reference.repeats
    repeats.finding, repeats.look_at = finding(), inf
    assert is_told(version)
    ended = end_of(version, RETIRED, FINDING.detected_at + 1.0, 7.0)
    assert [one.id for one in ended] == ["a", "b", "c", "d"]
    assert {(one.state, one.closed_at, one.proven_at, one.causes) for one in ended} == {
        ("closed", FINDING.detected_at + 1.0, 7.0, (RETIRED,))
    }
    assert not is_told(version)
    assert repeats.look_at < inf, "it is looked at again, should the version come back"
    assert end_of(version, RETIRED, FINDING.detected_at + 2.0, 8.0) == []
