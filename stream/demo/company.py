"""Shell. The company's story: a secret degradation, the page, the roll-back, the resolve."""

from __future__ import annotations

import asyncio
import heapq
import time
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from stream.demo.fleet import COUNTRIES, DEFAULT_TEAM, KINDS, TEAMS, Fleet, Plan, make_plan
from stream.demo.receiver import Receivers
from stream.demo.recording import Teams
from stream.demo.sender import Sender
from stream.demo.stage import Stage
from stream.demo.story import Story
from stream.demo.verdict import differences
from stream.events import Event

BACKLOG = 160_000
"""Predictions of the ten minutes before the demo: enough for every slice of every model to have a past."""
BACKLOG_S = 600.0
CHUNKS = 10
ROLLED_OUT_S = 7 * 86_400.0
"""The versions came into service so long before that: no page takes it for a cause."""
SETTLED_S = 20.0
"""The backlog ends this long before now, when its labels have come."""
RATE = 4_500
"""Predictions a second while live; outcomes come on top."""
HEALTHY_S = 4.0
SECRET_S = 4.0
STEP_S = 0.25
AFTERMATH_S = 2.0
"""How long it goes on after the resolve, to catch what should not come."""

CAST = Teams({team: [f"{kind}.*" for kind in kinds] for team, kinds in TEAMS.items()}, DEFAULT_TEAM)
SETTINGS: Mapping[str, str] = {"TIDEWATCH_MONITOR_WARMUP": "100"}
"""The rarest slice has some two hundred predictions in the backlog: half to know its level, half to trust it."""


class Company:
    """Plays the company once; the seed decides who degrades, and every event of the backlog."""

    def __init__(self, stage: Stage, seed: int) -> None:
        secret, traffic = np.random.default_rng(seed).spawn(2)
        self._stage = stage
        self._plan = make_plan(secret, float("inf"), float("inf"))
        self._healthy_s = HEALTHY_S + float(secret.uniform(0, SECRET_S))
        self._fleet = Fleet(traffic, None)
        self._queue: list[tuple[float, int, Event]] = []
        self._number = 0

    async def play(self) -> dict[str, Any]:
        """Return what was planned, what came, and what differed."""
        stage = self._stage
        async with Sender(stage.brokers, stage.prefix, stage.partitions) as sender:
            story = Story(stage, sender)
            await self._backlog(sender)
            timely = await self._live(sender, story)
        found = differences(self._plan, stage.receivers.received)
        if not timely:
            found.insert(0, "time was up before the page and its resolve had come")
        plan = self._plan
        stage.say(f"the secret was: {plan.model} {plan.version} in {plan.slice}, owned by {plan.team}")
        return _report(plan, stage.receivers, found)

    async def _backlog(self, sender: Sender) -> None:
        """Send the last ten minutes as fast as Kafka takes them, and wait until the worker has folded them."""
        began, start = time.monotonic(), time.time() - BACKLOG_S
        self._stage.say(
            f"{len(KINDS)} kinds of model in {len(COUNTRIES)} countries; first the ten minutes before now"
        )
        await sender.send_all(timed.event for timed in self._fleet.rollouts(start - ROLLED_OUT_S))
        chunk_s = (BACKLOG_S - SETTLED_S) / CHUNKS
        for number in range(CHUNKS):  # the worker folds one while the next is made
            self._make(start + number * chunk_s, chunk_s, BACKLOG // CHUNKS)
            await sender.send_all(self._due(start + (number + 1) * chunk_s))
            self._stage.look()
            self._stage.say(f"  {number + 1} of {CHUNKS} parts sent")
        await sender.send_all(self._due(start + BACKLOG_S))
        await self._stage.folded(sender.sent)
        self._stage.say(f"{sender.sent:,} past events sent and folded in {time.monotonic() - began:.1f} s")

    def _make(self, start: float, seconds: float, count: int) -> None:
        for timed in self._fleet.traffic(start, seconds, count):
            self._number += 1
            heapq.heappush(self._queue, (timed.sent_at, self._number, timed.event))

    def _due(self, until: float) -> Iterator[Event]:
        while self._queue and self._queue[0][0] <= until:
            yield heapq.heappop(self._queue)[2]

    async def _live(self, sender: Sender, story: Story) -> bool:
        """Play live traffic until the resolve came; return false when time is up before."""
        degrades_at, ends_at = time.time() + self._healthy_s, float("inf")
        self._plan = self._fleet.plan = self._plan._replace(degrades_at=degrades_at)
        while not self._stage.time_is_up:
            now = time.time()
            self._make(now, STEP_S, int(RATE * STEP_S))
            for event in self._due(now):
                await sender.send(event)
            await story.go_on()
            if self._stage.receivers.pages("incident.opened") and self._plan.recovers_at == float("inf"):
                self._plan = self._fleet.plan = self._plan._replace(recovers_at=time.time())
                self._stage.say("the page was accepted; the team rolls the model back")
            if self._stage.receivers.pages("incident.resolved"):
                ends_at = min(ends_at, now + AFTERMATH_S)
            if now > ends_at:
                return True
            await asyncio.sleep(max(0.0, now + STEP_S - time.time()))
        return False


def _report(plan: Plan, receivers: Receivers, found: list[str]) -> dict[str, Any]:
    secret = {name: value for name, value in plan._asdict().items() if value != float("inf")}
    return {"plan": secret, **receivers.report(), "differences": found}
