"""What a process does about itself: it ends when it is fenced for good, and says when it can't keep up."""

import asyncio
import time
from types import SimpleNamespace

import pytest
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from stream.engine.app import Fenced, _tick
from stream.engine.looks import look
from stream.engine.pace import Verdict
from stream.engine.telemetry import EngineTelemetry


class App:
    """An application whose tasks are run by the test; it stops after three commits, or when it is crashed."""

    def __init__(self):
        self.keeper = SimpleNamespace(urgent=asyncio.Event(), fenced_at=None)
        self.consumer = self
        self.crashed = []
        self.conf = SimpleNamespace(id="group")
        self._left = 3
        self.keeper.urgent.set()  # a tick does not wait

    @property
    def should_stop(self):
        return self._left <= 0

    def task(self, run):
        self.run = run

    async def commit(self):
        self._left -= 1

    async def crash(self, fault):
        self.crashed.append(fault)


def ticked(fenced_ago_s):
    async def tick():
        app = App()
        if fenced_ago_s is not None:
            app.keeper.fenced_at = time.monotonic() - fenced_ago_s
        _tick(app, 15.0)
        await app.run()
        return app

    return asyncio.run(tick())


def test_a_worker_that_is_fenced_and_given_nothing_back_ends_itself_to_take_part_anew():
    app = ticked(fenced_ago_s=15.1)
    assert [type(fault) for fault in app.crashed] == [Fenced]
    assert "another deployment has the group 'group' too" in str(app.crashed[0])
    assert not app.should_stop, "it went on to commit"


@pytest.mark.parametrize("ago_s", [None, 10.0], ids=["not fenced", "a rebalance may still come"])
def test_a_worker_that_may_still_be_given_its_partitions_goes_on(ago_s):
    app = ticked(ago_s)
    assert app.crashed == []
    assert app.should_stop


class Paces:
    """A pace whose verdicts the test has chosen; ``told`` is what it was asked to do, in order."""

    def __init__(self, *verdicts):
        self.verdict, self.rate, self.growth = Verdict.KEEPS_UP, 1_200.4, 35.6
        self.told = []
        self._next = iter(verdicts)

    def restart(self):
        self.told.append("restart")
        self.verdict = Verdict.KEEPS_UP

    def look(self, sight):
        self.told.append((sight.waiting, sight.folded))
        self.verdict = next(self._next)
        return self.verdict


class Watched:
    """An application with so many partitions and so many records waiting."""

    def __init__(self, pace, partitions=2, waiting=90_000):
        self.pace = pace
        self.keeper = SimpleNamespace(
            epoch=1, restoring=False, folded=7, folds=lambda: dict.fromkeys(range(partitions))
        )
        self.registry = CollectorRegistry()
        self.telemetry = EngineTelemetry(self.registry)
        self.look_alive = lambda: (waiting, False)

    def look(self, epoch=1):
        """Look once; return what was logged, and the gauge."""
        with capture_logs() as logs:
            assert look(self, self.telemetry, epoch) == self.keeper.epoch
        return logs, self.registry.get_sample_value("tidewatch_falls_behind")


BEHIND, UP = Verdict.FALLS_BEHIND, Verdict.KEEPS_UP


def test_a_worker_that_falls_behind_says_so_once_with_how_far_and_what_helps():
    app = Watched(Paces(UP, BEHIND, BEHIND))
    assert app.look() == ([], 0.0)
    logs, gauge = app.look()
    assert gauge == 1.0
    (line,) = logs
    assert line.pop("advice").startswith("add workers: this one has 2 partitions")
    assert line == {
        "event": "cannot keep up",
        "log_level": "warning",
        "waiting": 90_000,
        "folded_per_s": 1_200,
        "growth_per_s": 36,
    }
    assert app.look() == ([], 1.0), "it is said once, and the gauge stays"
    assert app.pace.told == [(90_000, 7)] * 3


def test_a_worker_that_keeps_up_again_says_that_too():
    app = Watched(Paces(BEHIND, UP), waiting=3)
    app.look()
    assert app.look() == ([{"event": "keeps up again", "log_level": "info", "waiting": 3}], 0.0)


@pytest.mark.parametrize("how", ["other partitions", "restoring"])
def test_the_pace_is_judged_anew_after_a_rebalance(how):
    app = Watched(Paces(BEHIND, UP))
    app.look()
    app.keeper.restoring = how == "restoring"
    app.keeper.epoch += how == "other partitions"
    assert app.look() == ([], 0.0), "nothing was caught up with: nothing is said"
    assert app.pace.told == [(90_000, 7), "restart", (90_000, 7)]
