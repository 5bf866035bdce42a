"""What a process does about itself: it ends when it is fenced for good, and says when it can't keep up."""

import asyncio
import time
from types import SimpleNamespace

import pytest

from stream.engine.app import Fenced, _tick


class App:
    """An application whose tasks are run by the test; it stops after so many commits, or when it is crashed."""

    def __init__(self, commits):
        self.keeper = SimpleNamespace(urgent=asyncio.Event(), fenced_at=None)
        self.consumer = self
        self.crashed = []
        self._left = commits
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


def ticked(fenced_ago_s, commits=3):
    async def tick():
        app = App(commits)
        if fenced_ago_s is not None:
            app.keeper.fenced_at = time.monotonic() - fenced_ago_s
        _tick(app, 15.0)
        await app.run()
        return app

    return asyncio.run(tick())


def test_a_worker_that_is_fenced_and_given_nothing_back_ends_itself_to_take_part_anew():
    app = ticked(fenced_ago_s=15.1)
    assert [type(fault) for fault in app.crashed] == [Fenced]
    assert not app.should_stop, "it went on to commit"


@pytest.mark.parametrize("ago_s", [None, 10.0], ids=["not fenced", "a rebalance may still come"])
def test_a_worker_that_may_still_be_given_its_partitions_goes_on(ago_s):
    app = ticked(ago_s)
    assert app.crashed == []
    assert app.should_stop
