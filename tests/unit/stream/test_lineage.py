"""Versions that follow each other sooner than their labels come are judged as one."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pytest
from numpy.typing import NDArray

from stream import state
from stream.ending import OTHER_TASK
from stream.events import Finding, Instant, Outcome, Prediction, Rollout, SliceValue, Stage
from stream.join import Join
from stream.lineage import TOGETHER, told_of
from stream.monitor import Monitor
from stream.pending import MemoryStore
from stream.traffic import DAY_S
from stream.version import Judgement

DELAY_S, SLOW = 3_000.0, 2_000.0
"""Mean of exponential label delays; those beyond ``SLOW`` are slow, in ``test_slow_labels...``."""
PACE_S = 60.0
HOURS = 3_600.0
WELL, ILL = 0.1, 0.7
KNOWN = 6_000
"""Predictions of the first version: its labels are fair, and a reference is known, long before they end."""


@dataclass
class Play:
    """One model: predictions at an even pace, each with its label after a delay."""

    seed: int = 1
    judgement: Judgement = field(default_factory=Judgement)
    monitor: Monitor = field(default_factory=lambda: Monitor("m"))
    join: Join = field(default_factory=lambda: Join(1e9, 1_000_000, MemoryStore(), 1_000_000))
    found: list[Finding] = field(default_factory=list)
    again: Callable[[Monitor], Monitor] = lambda monitor: monitor
    rolls: dict[int, tuple[str, Stage]] = field(default_factory=dict)
    """Before which prediction which version comes to which stage."""
    numbers: str = ""
    """The version that predicts numbers; the others predict classes."""
    burns: int = 0
    late: Callable[[NDArray[np.float64]], NDArray[np.float64]] = lambda delays: delays

    def run(
        self,
        until: int,
        version: Callable[[int], str],
        wrong: Callable[[int, float], float],
        corrected: Callable[[int], bool] = lambda i: False,
        corrected_at: float = 0.0,
    ) -> None:
        """Play; ``wrong(i, delay)`` is the chance that prediction ``i``, labelled after this delay, is wrong."""
        rng = np.random.default_rng(self.seed)
        delays = self.late(rng.exponential(DELAY_S, until)).tolist()
        steps = [(PACE_S * i, 0, i) for i in range(until)]
        steps += [(PACE_S * i + delays[i], 1, i) for i in range(until)]
        steps += [(corrected_at + i / until, 2, i) for i in range(until) if corrected(i)]
        luck = rng.random(until).tolist()
        for at, kind, i in sorted(steps):
            if not i % 1_000:
                self.monitor = self.again(self.monitor)
            if kind == 0:
                self._predict(i, at, version(i))
            else:
                self._label(i, at, kind == 1 and luck[i] < wrong(i, delays[i]))

    def _predict(self, i: int, at: float, version: str) -> None:
        if i in self.rolls:
            self.roll(*self.rolls[i], at)
        said = 1.0 if version == self.numbers else "x"
        slices: dict[str, SliceValue] = {"half": "ab"[i % 2]}
        made = Prediction(
            prediction_id=str(i), model="m", version=version, at=Instant(at), prediction=said, slices=slices
        )
        served = self.join.predict(made)[0].served
        assert served is not None
        self.found += self.monitor.predicted(made, served, self.judgement)

    def _label(self, i: int, at: float, is_wrong: bool) -> None:
        known = Outcome(prediction_id=str(i), model="m", at=Instant(at), outcome="xy"[int(is_wrong)])
        for one in self.join.know(known):
            self.found += self.monitor.take(one, self.judgement, None)[1]
            self.burns += self.monitor.news is not None
            self.monitor.news = None

    def roll(self, version: str, stage: Stage, at: float) -> None:
        """Tell of a rollout."""
        rollout = Rollout(model="m", version=version, at=Instant(at), stage=stage)
        self.found += self.monitor.rolled_out(rollout)[1]

    @property
    def told(self) -> list[tuple[str, str, str]]:
        """Return states, versions and slices of what was found."""
        return [(one.state, one.version, one.slice) for one in self.found]


def taken_back(i: int) -> str:
    """Return the version: one that lives for two hours, then the first again."""
    return "v2" if KNOWN <= i < KNOWN + 120 else "v1"


def hourly(i: int) -> str:
    """Return the version: from ``KNOWN`` on a new one each two hours."""
    return f"r{max(i - KNOWN, 0) // 120}"


def test_a_bad_release_is_paged_while_its_own_labels_are_not_fair_yet():
    play = Play()
    play.run(KNOWN + 1_500, taken_back, lambda i, _: ILL if taken_back(i) == "v2" else WELL)
    assert play.told == [("open", "v2", "all"), ("closed", "v2", "all")]
    found = play.found[0]
    assert KNOWN * PACE_S - 2 * HOURS < found.onset_at < found.detected_at < (KNOWN + 120) * PACE_S
    assert found.causes[0] == TOGETHER
    assert not play.monitor.versions["v2"].is_mature
    assert play.monitor.lineage is None


@pytest.mark.parametrize("where", ["all", "half=b"])
def test_what_goes_on_over_many_short_versions_is_one_page(where):
    bad_from, bad_until = KNOWN + 2_400, KNOWN + 3_600
    is_bad = lambda i: bad_from <= i < bad_until and (where == "all" or i % 2)  # noqa: E731
    play = Play()
    play.run(KNOWN + 6_000, hourly, lambda i, _: 0.4 if is_bad(i) else WELL)
    assert [(one.state, one.slice) for one in play.found] == [("open", where), ("closed", where)]
    opened, closed = play.found
    assert opened.id == closed.id
    assert opened.onset_at == pytest.approx(bad_from * PACE_S, abs=12 * HOURS)
    assert all(not one.is_mature for name, one in play.monitor.versions.items() if name != "r0")


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_slow_labels_that_are_worse_are_no_harm_of_versions_that_begin(seed):
    play = Play(seed)
    play.run(KNOWN + 8_000, hourly, lambda _, delay: 0.3 if delay > SLOW else 0.02)
    assert play.found == []
    assert play.monitor.lineage is not None


def test_a_canary_beside_a_version_that_gets_worse_makes_no_second_page():
    version = lambda i: "v2" if i > KNOWN and not i % 20 else "v1"  # noqa: E731
    play = Play()
    play.run(KNOWN + 3_000, version, lambda i, _: 0.5 if i > KNOWN + 100 else WELL)
    assert [one.version for one in play.found if TOGETHER not in one.causes][:1] == ["v1"]
    assert not any(TOGETHER in one.causes for one in play.found)


def test_a_version_that_is_judged_alone_goes_on_with_what_its_lineage_told():
    play = Play()
    play.run(KNOWN + 3_000, lambda i: "v2" if i >= KNOWN else "v1", lambda i, _: 0.5 if i >= KNOWN else WELL)
    assert play.told == [("open", "v2", "all")]
    assert play.monitor.versions["v2"].is_mature
    assert told_of(play.monitor.lineage, "v2") == {"all"}
    assert told_of(play.monitor.lineage, "v1") == set()


def test_the_lineage_ends_when_the_newest_version_is_judged_alone():
    play = Play()
    play.run(KNOWN + 600, lambda i: "v2" if i >= KNOWN else "v1", lambda *_: WELL)
    assert play.monitor.versions["v2"].is_mature
    assert (play.monitor.lineage, play.found) == (None, [])


def test_a_shadow_is_no_part_of_it():
    play = Play()
    play.roll("v2", "shadow", 0.0)
    version = lambda i: "v2" if i > KNOWN and i % 2 else "v1"  # noqa: E731
    play.run(KNOWN + 300, version, lambda i, _: ILL if version(i) == "v2" else WELL)
    assert (play.monitor.lineage, play.found) == (None, [])


def test_labels_that_were_wrong_close_it_when_they_are_corrected():
    play, bad_from, bad_until = Play(), KNOWN + 2_400, KNOWN + 2_600
    is_bad = lambda i: bad_from <= i < bad_until  # noqa: E731
    wrong = lambda i, _: 0.9 if is_bad(i) else WELL  # noqa: E731
    at = (bad_until + 100) * PACE_S
    play.run(bad_until + 150, hourly, wrong, is_bad, at)
    assert [one.state for one in play.found] == ["open", "closed"]
    assert at <= play.found[1].closed_at < at + 1.0


@pytest.mark.parametrize("shadow", [False, True])
def test_a_model_that_is_taken_off_has_nothing_open(shadow):
    play, off = Play(), KNOWN + 3_000
    play.roll("s", "shadow", 0.0)
    version = lambda i: "s" if shadow and (i % 2 or i > off) else hourly(i)  # noqa: E731
    play.run(
        off + 1_000 * shadow, version, lambda i, _: 0.5 if version(i) != "s" and i > KNOWN + 2_000 else WELL
    )
    assert [one.state for one in play.found] == ["open"]
    for name in play.monitor.versions:
        play.roll(name, "shadow" if name == "s" else "retired", PACE_S * off)
    assert play.monitor.end_idle(PACE_S * off + 2 * DAY_S - HOURS, None) == []
    (closed,) = play.monitor.end_idle(PACE_S * off + 2 * DAY_S + HOURS, None)
    assert (closed.state, closed.id) == ("closed", play.found[0].id)
    assert play.monitor.lineage is None


@pytest.mark.parametrize("late", [0, 5])
def test_a_pipeline_that_retires_each_version_is_paged_as_well(late):
    play = Play(rolls={KNOWN + 120 * k + late: (f"r{k - 1}", "retired") for k in range(1, 60)})
    play.run(KNOWN + 6_000, hourly, lambda i, _: 0.4 if 2_400 <= i - KNOWN < 3_600 else WELL)
    assert [(one.state, one.slice) for one in play.found] == [("open", "all"), ("closed", "all")]
    assert play.found[0].onset_at == pytest.approx((KNOWN + 2_400) * PACE_S, abs=HOURS)


def test_a_bad_version_that_was_told_and_is_retired_makes_no_page_of_the_good_one():
    play = Play(rolls={KNOWN + 420: ("v1", "retired")})
    version = lambda i: "v2" if i >= KNOWN + 400 else "v1"  # noqa: E731
    play.run(KNOWN + 1_500, version, lambda i, _: 0.5 if KNOWN <= i < KNOWN + 400 else WELL)
    assert play.told == [("open", "v1", "all"), ("closed", "v1", "all")]


def test_what_a_version_told_that_nobody_retired_hides_no_harm_of_later_ones():
    play = Play()
    wrong = lambda i, _: 0.5 if KNOWN <= i < KNOWN + 300 or i >= KNOWN + 4_000 else WELL  # noqa: E731
    play.run(KNOWN + 4_500, lambda i: "v1" if i < KNOWN + 300 else hourly(i), wrong)
    assert play.told[0] == ("open", "v1", "all")
    later = [one for one in play.found if one.state == "open"][1:]
    assert [one.onset_at > (KNOWN + 3_900) * PACE_S for one in later] == [True]


def test_no_version_learns_what_its_lineage_tells():
    bad = lambda i: KNOWN <= i < KNOWN + 3_000 or i >= KNOWN + 9_000  # noqa: E731
    play = Play()
    play.run(KNOWN + 9_500, lambda i: "v2" if i >= KNOWN else "v1", lambda i, _: 0.5 if bad(i) else WELL)
    assert [one.state for one in play.found] == ["open", "closed", "open"]
    again = play.found[2]
    assert again.onset_at == pytest.approx((KNOWN + 9_000) * PACE_S, abs=6 * HOURS)
    assert again.detected_at < (KNOWN + 9_300) * PACE_S
    assert play.monitor.versions["v2"].series["all"].guard.reference().mean < 0.15


def test_a_bad_shadow_that_serves_before_it_is_judged_alone_is_paged_soon():
    play = Play(rolls={KNOWN - 60: ("v2", "shadow"), KNOWN: ("v2", "live")})
    version = lambda i: "v2" if i >= KNOWN or (i >= KNOWN - 60 and i % 2) else "v1"  # noqa: E731
    play.run(KNOWN + 300, version, lambda i, _: ILL if version(i) == "v2" else WELL)
    assert play.told == [("open", "v2", "all")]
    found = play.found[0]
    assert (found.severity, found.causes[0]) == ("page", TOGETHER)
    assert KNOWN * PACE_S <= found.onset_at < found.detected_at < (KNOWN + 120) * PACE_S


def test_what_a_version_said_as_a_shadow_is_no_part_of_it():
    """Slow labels of its time as a shadow come beside those of the version that served then."""
    play, until = Play(rolls={KNOWN - 200: ("v2", "shadow"), KNOWN: ("v2", "live")}), KNOWN + 60
    version = lambda i: "v2" if i >= KNOWN or (i >= KNOWN - 200 and i % 2) else "v1"  # noqa: E731
    play.run(until, version, lambda *_: WELL)
    known = PACE_S * np.arange(until) + np.random.default_rng(play.seed).exponential(DELAY_S, until)
    is_served = [i >= KNOWN or version(i) == "v1" for i in range(until)]
    lineage = play.monitor.lineage
    assert lineage is not None
    assert lineage.series["all"].outcomes == np.count_nonzero(is_served & (known > KNOWN * PACE_S))


def test_a_shadow_with_few_predictions_that_serves_begins_one_lineage_only():
    """It stays too young to be judged alone for long; the newest version is not."""
    play = Play(rolls={KNOWN - 200: ("s", "shadow"), KNOWN + 1_500: ("s", "canary")})
    version = lambda i: "s" if i >= KNOWN - 200 and not i % 100 else "v1" if i < KNOWN else "v2"  # noqa: E731
    begun = set()

    def wrong(i: int, _: float) -> float:
        if play.monitor.lineage is not None:
            begun.add(play.monitor.lineage.began_at)
        return WELL

    play.run(KNOWN + 3_000, version, wrong)
    assert not play.monitor.versions["s"].is_mature
    assert len(begun) == 2, "with v2, and with the rollout of the shadow"
    assert (max(begun), play.found) == ((KNOWN + 1_500) * PACE_S, [])
    assert play.monitor.lineage is not None


QUICK_S, SURE_S = 300.0, 40_000.0
BACK = KNOWN + 300


def told_late(delays: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return delays of clicks, which are told at once, and of what nobody clicked, known half a day later."""
    return np.where(delays < QUICK_S, delays, SURE_S)


def rolled_back(i: int) -> str:
    """Return the version: another one for five hours, then the first again."""
    return "v2" if KNOWN <= i < BACK else "v1"


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("rolls", [{}, {KNOWN: ("v1", "retired"), BACK: ("v1", "live")}])
def test_quick_labels_of_a_version_that_comes_back_are_no_harm(seed, rolls):
    play = Play(seed, late=told_late, rolls=rolls)
    play.run(KNOWN + 6_000, rolled_back, lambda _, delay: float(delay < QUICK_S))
    assert play.found == []
    assert play.monitor.lineage is None


def test_harm_of_a_version_that_comes_back_is_paged_while_its_own_labels_are_not_fair():
    play = Play(late=told_late)
    wrong = lambda i, delay: 1.0 if delay < QUICK_S else 0.5 * (i >= BACK)  # noqa: E731
    play.run(KNOWN + 1_500, rolled_back, wrong)
    assert play.told == [("open", "v1", "all")]
    assert play.found[0].causes[0] == TOGETHER
    assert play.found[0].detected_at < BACK * PACE_S + SURE_S + 2 * HOURS


def test_versions_that_take_turns_are_judged_alone():
    """Two versions that predict in batches: each is away while the other one serves, as ever."""
    play = Play()
    play.run(KNOWN + 3_000, lambda i: "v1" if i // 200 % 2 else "v2", lambda *_: WELL)
    assert all(one.is_mature for one in play.monitor.versions.values())
    assert (play.monitor.lineage, play.found) == (None, [])


def test_versions_that_take_turns_come_back_once_only():
    """What came back itself is none that began to serve in the place of the other one."""
    play = Play()
    turns = lambda i: "v2" if i >= KNOWN and not (i - KNOWN) // 600 % 2 else "v1"  # noqa: E731
    play.run(KNOWN + 6 * 600 + 100, turns, lambda *_: WELL)
    assert all(one.is_mature for one in play.monitor.versions.values())
    assert (play.monitor.lineage, play.found) == (None, [])


def test_harm_that_began_before_a_version_was_away_began_then():
    play, bad_from = Play(), KNOWN - 60
    play.run(KNOWN + 2_000, rolled_back, lambda i, _: 0.16 if i >= bad_from else 0.08)
    opened = play.found[0]
    assert opened.onset_after <= bad_from * PACE_S <= opened.onset_before


def test_a_bad_shadow_hides_nothing():
    play = Play()
    play.roll("s", "shadow", 0.0)
    version = lambda i: "s" if i % 2 else hourly(i)  # noqa: E731
    is_bad = lambda i: i > KNOWN // 2 if i % 2 else i > KNOWN + 2_000  # noqa: E731
    play.run(KNOWN + 3_000, version, lambda i, _: 0.5 if is_bad(i) else WELL)
    assert [(one.severity, one.version == "s") for one in play.found] == [("ticket", True), ("page", False)]


def test_a_shadow_of_another_task_leaves_it_alone():
    play = Play(numbers="s")
    play.roll("s", "shadow", 0.0)
    version = lambda i: "s" if i > KNOWN + 2_500 and i % 2 else hourly(i)  # noqa: E731
    play.run(KNOWN + 3_500, version, lambda i, _: 0.5 if i > KNOWN + 2_000 else WELL)
    assert [one.state for one in play.found] == ["open"]


def test_a_version_of_another_task_ends_it():
    play = Play(numbers="v2")
    version = lambda i: "v2" if i > KNOWN + 2_500 else hourly(i)  # noqa: E731
    play.run(KNOWN + 3_500, version, lambda i, _: 0.5 if i > KNOWN + 2_000 else WELL)
    assert [one.state for one in play.found] == ["open", "closed"]
    assert play.found[1].causes[0] == OTHER_TASK


def test_it_tells_how_fast_a_budget_burns():
    told = []
    for version in ("v2", "v1"):
        play = Play()
        name = lambda i, version=version: version if i >= KNOWN else "v1"  # noqa: E731
        play.run(
            KNOWN + 400, name, lambda i, _: 0.5 if KNOWN <= i < KNOWN + 200 else 0.9 if i >= KNOWN else WELL
        )
        told.append(play.burns)
    assert told[0] == pytest.approx(told[1], abs=3)
    assert told[0] > 10


def test_a_correction_of_what_it_never_had_is_passed_over():
    play = Play()
    play.run(KNOWN + 240, hourly, lambda *_: 1.0, lambda i: i < KNOWN - 1_000, (KNOWN + 230) * PACE_S)
    assert play.monitor.lineage is not None
    series = play.monitor.lineage.series["all"]
    assert series.loss_total == series.outcomes > 0


def test_its_findings_have_ids_of_their_own():
    """A version told by its lineage, and later by itself, begins its episodes with 1 each time."""
    play = Play()
    wrong = lambda i, _: 0.5 if KNOWN <= i < KNOWN + 200 or i > KNOWN + 3_000 else WELL  # noqa: E731
    play.run(KNOWN + 6_000, lambda i: "v2" if i >= KNOWN else "v1", wrong)
    assert [one.state for one in play.found] == ["open", "closed", "open"]
    assert [one.episode for one in play.found] == [1, 1, 1]
    assert len({one.id for one in play.found}) == 2


def test_it_goes_on_from_its_state():
    runs = []
    for again in (lambda monitor: monitor, lambda monitor: state.load(state.dump(monitor))):
        play = Play(again=again)
        play.run(KNOWN + 6_000, hourly, lambda i, _: 0.4 if 2_400 <= i - KNOWN < 3_600 else WELL)
        runs.append(play.found)
        assert state.dump(state.load(state.dump(play.monitor))) == state.dump(play.monitor)
    assert runs[0] == runs[1]
    assert len(runs[0]) == 2
