"""Shell. ``tidewatch demo``: a company, a Kafka, a worker and a pager, and whether the right team was told."""

from __future__ import annotations

import asyncio
import heapq
import json
import secrets
import sys
import tempfile
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from stream.demo.fleet import Fleet, Plan
    from stream.demo.processes import Child
    from stream.demo.receiver import Receivers

BACKLOG = 80_000
"""Predictions of the ten minutes before the demo, so that every model has a past."""
BACKLOG_S = 600.0
RATE = 2_000
"""Predictions a second while live; outcomes come on top."""
HEALTHY_S = 6.0
STEP_S = 0.25


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document instead of the story.")
@click.option("--seed", type=int, help="Play the same company again; chosen at random otherwise.")
@click.option("--brokers", help="Use this Kafka instead of an embedded one.")
@click.option("--timeout", "timeout_s", default=110.0, show_default=True, help="Seconds until it gives up.")
def demo(as_json: bool, seed: int | None, brokers: str | None, timeout_s: float) -> None:
    """Watch a ride-hailing company's model get worse, and the page."""
    from stream.demo.processes import Failed
    from stream.kafka.errors import EmbeddedKafkaError

    stage = Stage(as_json, secrets.randbelow(1 << 31) if seed is None else seed, brokers, timeout_s)
    try:
        report = asyncio.run(stage.play())
    except KeyboardInterrupt:
        click.echo("stopped; no process is left behind", err=True)
        sys.exit(130)
    except (Failed, EmbeddedKafkaError) as fault:
        click.echo(f"the demo failed: {fault}", err=True)
        sys.exit(1)
    if as_json:
        click.echo(json.dumps(report, indent=2))
    sys.exit(1 if report["differences"] else 0)


@dataclass
class Stage:
    """One run of the demo; ``play`` returns what happened as a JSON-able report."""

    as_json: bool
    seed: int
    brokers: str | None
    timeout_s: float

    def say(self, text: str) -> None:
        """Tell the story: on stdout, or on stderr beside ``--json``."""
        click.echo(text, err=self.as_json)

    async def play(self) -> dict[str, Any]:
        """Run everything; all processes have ended when this returns or raises."""
        from stream.demo.receiver import Receivers
        from stream.kafka.embedded import EmbeddedKafka

        began = time.monotonic()
        async with AsyncExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tidewatch-demo-")))
            if self.brokers is None:
                self.say("starting Apache Kafka (the first time it is fetched: 44 jars, 43 MB)")
                self.brokers = (await stack.enter_async_context(EmbeddedKafka())).brokers
                self.say(f"Kafka is up on {self.brokers} after {time.monotonic() - began:.1f} s")
            receivers = Receivers()
            await stack.enter_async_context(receivers.serve())
            worker, pager = await self._start(stack, folder, receivers)
            report = await self._drama(receivers, worker, pager)
        return {"seed": self.seed, "took_s": round(time.monotonic() - began, 1), **report}

    async def _start(self, stack: AsyncExitStack, folder: Path, receivers: Receivers) -> tuple[Child, Child]:
        from stream.demo.processes import Child, free_port
        from stream.settings import Settings
        from stream.topics import create

        prefix = f"demo-{secrets.token_hex(4)}."
        sections = {"brokers": self.brokers}, {"prefix": prefix, "partitions": 4}
        await create(Settings(kafka=sections[0], topics=sections[1]))
        owners = folder / "owners.toml"
        receivers.write_owners(owners)
        ports = free_port(), free_port()
        environment = {
            "TIDEWATCH_KAFKA_BROKERS": str(self.brokers),
            "TIDEWATCH_TOPICS_PREFIX": prefix,
            "TIDEWATCH_TOPICS_PARTITIONS": "4",
            "TIDEWATCH_WORKER_GROUP": f"{prefix}worker",
            "TIDEWATCH_WORKER_PORT": str(ports[0]),
            "TIDEWATCH_PAGER_GROUP": f"{prefix}pager",
            "TIDEWATCH_PAGER_PORT": str(ports[1]),
            "TIDEWATCH_PAGER_OWNERS": str(owners),
        }
        self._prefix = prefix
        children = (
            Child("worker", environment, folder, ports[0]),
            Child("pager", environment, folder, ports[1]),
        )
        for child in children:
            stack.callback(child.stop)
        await asyncio.gather(*(child.ready() for child in children))
        self.say("worker and pager are up")
        return children

    async def _drama(self, receivers: Receivers, worker: Child, pager: Child) -> dict[str, Any]:
        import numpy as np

        from stream.demo.fleet import Fleet, make_plan
        from stream.demo.verdict import differences

        rng = np.random.default_rng(self.seed)
        fleet = Fleet(rng, None)
        play = Play(self, fleet, worker, pager, receivers)
        async with play.producer():
            now = time.time()
            await play.backlog(now)
            degrades_at = time.time() + HEALTHY_S + float(rng.uniform(0, 4))
            plan = make_plan(rng, degrades_at, float("inf"))
            fleet.plan = plan
            fleet.plan = plan = await play.live(plan, self.timeout_s)
        found = differences(plan, receivers.received)
        self._tell(plan, receivers, found)
        return _report(plan, receivers, found)

    def _tell(self, plan: Plan, receivers: Receivers, found: list[str]) -> None:
        for page in receivers.pages("incident.opened") or ():
            told = page.body["data"]
            self.say(f"\nPAGE to {page.team}: {told['summary']}")
            self.say(f"  model {told['model']}, version {told['version']}, slice {told['slice']}")
            self.say(f"  {told['metric']} {told['before']:.3f} before, {told['after']:.3f} after")
            self.say(f"  proving event to accepted webhook: {page.at - told['proven_at']:.2f} s")
        for resolve in receivers.pages("incident.resolved"):
            self.say(f"RESOLVED to {resolve.team}: {resolve.body['data']['model']}")
        self.say(f"the secret was: {plan.model} {plan.version} in {plan.slice}, owned by {plan.team}")
        for difference in found:
            self.say(f"WRONG: {difference}")
        self.say("exactly the right page and its resolve came" if not found else "the demo failed")


def _report(plan: Plan, receivers: Receivers, found: list[str]) -> dict[str, Any]:
    pages = receivers.pages("incident.opened")
    return {
        "plan": plan._asdict(),
        "pages": [{"team": one.team, "accepted_at": one.at, **one.body["data"]} for one in pages],
        "resolves": [
            {"team": one.team, "accepted_at": one.at, **one.body["data"]}
            for one in receivers.pages("incident.resolved")
        ],
        "latency_s": [round(one.at - one.body["data"]["proven_at"], 3) for one in pages],
        "differences": found,
    }


class Play:
    """Sends the company's events and watches what comes of them."""

    def __init__(self, stage: Stage, fleet: Fleet, worker: Child, pager: Child, receivers: Receivers) -> None:
        self._stage = stage
        self._fleet = fleet
        self._children = worker, pager
        self._receivers = receivers
        self._queue: list[Any] = []
        self._number = 0
        self._sent = 0

    def producer(self) -> Any:
        """Return the Kafka producer, to be entered."""
        from aiokafka import AIOKafkaProducer

        self._producer = AIOKafkaProducer(
            bootstrap_servers=self._stage.brokers, linger_ms=20, max_batch_size=1 << 18
        )
        return self._producer

    async def backlog(self, now: float) -> None:
        """Send the last ten minutes as fast as Kafka takes them, and wait until the worker has folded them."""
        began = time.monotonic()
        for timed in self._fleet.rollouts(now - BACKLOG_S):
            await self._send(timed.event)
        for timed in sorted(
            self._fleet.traffic(now - BACKLOG_S, BACKLOG_S - 20, BACKLOG), key=lambda t: t[0]
        ):
            await self._send(timed.event)
        await self._producer.flush()
        while (lag := await self._gauge("tidewatch_consumer_lag_records")) is None or lag > 0:
            await asyncio.sleep(0.5)
            for child in self._children:
                child.check()
        self._stage.say(f"{self._sent} past events sent and folded in {time.monotonic() - began:.1f} s")

    async def live(self, plan: Plan, timeout_s: float) -> Plan:
        """Play live traffic until the resolve came or time is up; return the plan with its recovery time."""
        ends, told = time.time() + timeout_s, 0.0
        while time.time() < ends:
            now = time.time()
            for timed in self._fleet.traffic(now, STEP_S, int(RATE * STEP_S)):
                self._number += 1
                heapq.heappush(self._queue, (timed.sent_at, self._number, timed.event))
            await self._send_due(now)
            if now - told > 3:
                told = now
                await self._progress()
            if self._receivers.pages("incident.opened") and plan.recovers_at == float("inf"):
                plan = self._fleet.plan = plan._replace(recovers_at=time.time())
                self._stage.say("the page was accepted; the team rolls the model back")
            if self._receivers.pages("incident.resolved"):
                await asyncio.sleep(1)
                break
            await asyncio.sleep(max(0.0, now + STEP_S - time.time()))
        return plan

    async def _send_due(self, now: float) -> None:
        while self._queue and self._queue[0][0] <= now:
            await self._send(heapq.heappop(self._queue)[2])

    async def _send(self, event: Any) -> None:
        from stream.wire import encode

        topic = f"{self._stage._prefix}{type(event).__name__.lower()}s"
        await self._producer.send(topic, encode(event), key=event.model.encode())
        self._sent += 1

    async def _progress(self) -> None:
        for child in self._children:
            child.check()
        lag = await self._gauge("tidewatch_consumer_lag_records")
        models = await self._gauge("tidewatch_models")
        findings = await self._gauge("tidewatch_findings_total")
        self._stage.say(f"  events {self._sent}  models {models:.0f}  lag {lag:.0f}  findings {findings:.0f}")

    async def _gauge(self, name: str) -> float | None:
        text = await asyncio.to_thread(self._children[0].get, "/metrics")
        if text is None:
            return None
        return sum(float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line.startswith(name + "{"))
