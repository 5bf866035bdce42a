"""The stage waits for what its processes say; a process that says nothing has settled nothing."""

import asyncio
import math
import time

import pytest

from stream.demo import stage
from stream.demo.processes import Failed, total
from stream.demo.stage import Stage


class Saying:
    """Stands for a process: answers with one page after another, the last again and again; None is no answer."""

    def __init__(self, *pages):
        self.pages = [*pages]
        self.asked = 0

    async def figure(self, name):
        self.asked += 1
        return total(self.pages.pop(0) if len(self.pages) > 1 else self.pages[0], name)

    def check(self):
        pass


def staged(worker, pager, within_s=5.0):
    ends_at = time.monotonic() + within_s
    return Stage("", "", 1, ends_at, None, worker, pager, print)


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(stage, "LOOK_S", 0.001)


FINDINGS = 'tidewatch_findings_total{state="open"} 1.0\ntidewatch_findings_total{state="closed"} 1.0\n'
NONE_KNOWN = "tidewatch_findings_received_total 0.0\ntidewatch_notifications_pending 0.0\n"
ALL_KNOWN = "tidewatch_findings_received_total 2.0\ntidewatch_notifications_pending 0.0\n"


def test_a_figure_is_the_sum_of_its_samples_and_nan_without_an_answer():
    assert total(FINDINGS, "tidewatch_findings_total") == 2
    assert total(FINDINGS, "tidewatch_findings") == 0
    assert math.isnan(total(None, "tidewatch_findings_total"))


def test_nothing_is_told_while_the_worker_does_not_answer():
    worker, pager = Saying(None, FINDINGS), Saying(*[NONE_KNOWN] * 4, ALL_KNOWN)
    asyncio.run(staged(worker, pager).told())
    assert pager.pages == [ALL_KNOWN]


def test_nothing_is_told_while_the_pager_does_not_answer():
    worker, pager = Saying(""), Saying(None, None, None, ALL_KNOWN)
    asyncio.run(staged(worker, pager).told())
    assert pager.pages == [ALL_KNOWN]


def test_nothing_is_folded_while_the_worker_does_not_answer():
    worker = Saying(None, None, 'tidewatch_events_total{type="outcome"} 7.0')
    asyncio.run(staged(worker, Saying("")).folded(7))
    assert worker.asked == 3


def test_time_is_up_when_nobody_ever_answers():
    for waiting in ("told", "folded"):
        built = staged(Saying(None), Saying(None), within_s=0.0)
        with pytest.raises(Failed, match="time is up"):
            asyncio.run(built.told() if waiting == "told" else built.folded(1))
