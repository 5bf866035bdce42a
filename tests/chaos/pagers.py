"""Pagers under a storm: findings flow, pagers come and go, and what reached the receivers is counted."""

from __future__ import annotations

import random
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

from stream.wire import encode
from tests.chaos import receivers, service
from tests.chaos.fleet import Fleet
from tests.chaos.load import Sent
from tests.chaos.nodes import Cluster
from tests.chaos.producer import Sender
from tests.chaos.receivers import Receivers
from tests.chaos.shown import Shown
from tests.chaos.storms import Field, Storm, Weather
from tests.unit.alerts.samples import finding

SETTLE_S = 90.0
SESSION_S = 3.0
"""Shorter than a pager's own, so that the next blow finds one at work again."""
OPEN_FOR = 40
"""So many findings of other models come between a model's opening and closing one."""
OWNERS = """
[network]
allow = ["127.0.0.0/8"]
[grouping]
together_s = 0
[[receiver]]
name = "hook"
kind = "webhook"
url = "{url}/hook"
secret = "{secret}"
[[receiver]]
name = "pagerduty"
kind = "pagerduty"
routing_key = "{key}"
base_url = "{url}"
per_minute = 6000
[[owner]]
name = "everybody"
models = ["*"]
receivers = ["hook", "pagerduty"]
[default_owner]
name = "nobody"
"""


@dataclass
class Delivered(Shown):
    """What a round showed. ``faults`` are to be 0 all; ``senders`` pager processes delivered something."""

    storm: str
    incidents: int
    faults: dict[str, int] = field(default_factory=dict)
    messages: int = 0
    repeats: int = 0
    refused: int = 0
    starts: int = 0
    senders: int = 0
    complaints: list[str] = field(default_factory=list)

    @property
    def is_right(self) -> bool:
        """Whether nothing was lost, made up, repeated under another id, or sent in disorder."""
        return not any(self.faults.values()) and not self.complaints

    @property
    def shows_takeover(self) -> bool:
        """Whether more than one process delivered."""
        return self.senders > 1

    @property
    def not_shown(self) -> list[str]:
        """What the round was for and did not show."""
        found = []
        if not self.shows_takeover:
            found.append("that a second process takes over; one delivered everything")
        return found + super().not_shown


def findings(incidents: int) -> list[Sent]:
    """Return a finding that opens and one that closes for each of so many models, interleaved."""
    now = time.time()
    order = [(number, "open") for number in range(incidents)]
    order += [(number + OPEN_FOR, "closed") for number in range(incidents)]
    order.sort(key=lambda one: one[0])
    names = {"open": 0, "closed": -OPEN_FOR}
    return [_finding(place, f"model-{place + names[state]}", state, now) for place, state in order]


def _finding(order: int, model: str, state: str, at: float) -> Sent:
    times = {"onset_at": at - 60.0, "detected_at": at, "proven_at": at}
    closed_at = at if state == "closed" else None
    fact = finding(f"finding-of-{model}", state, model=model, slice="", **times, closed_at=closed_at)
    return Sent(order, "findings", 0, model.encode(), encode(fact), int(at * 1_000), "", "event", 0)


def shown(cluster: Cluster, storm: Storm, seed: int, incidents: int, per_s: float) -> Delivered:
    """Run a round, and once more when it was right and did not show what it is for."""
    one = run(cluster, storm, seed, incidents, per_s)
    return run(cluster, storm, seed + 1, incidents, per_s) if one.is_right and one.not_shown else one


def run(cluster: Cluster, storm: Storm, seed: int, incidents: int, per_s: float) -> Delivered:
    """Run one round on topics of its own and return what it showed."""
    prefix = f"chaos-{uuid4().hex[:8]}."
    shown, began = Delivered(storm.name, incidents), time.monotonic()
    with tempfile.TemporaryDirectory(prefix="tidewatch-chaos-") as folder, receivers.listening(seed) as got:
        owners = Path(folder, "owners.toml")
        owners.write_text(
            OWNERS.format(url=got.url, secret=receivers.SECRET, key=receivers.ROUTING_KEY), encoding="utf-8"
        )
        variables = service.environment(cluster.brokers, prefix, 1, len(cluster.nodes)) | {
            "TIDEWATCH_PAGER_OWNERS": str(owners),
            "TIDEWATCH_PAGER_GROUP": f"{prefix}pager",
            "TIDEWATCH_KAFKA_SESSION_TIMEOUT_S": str(SESSION_S),
        }
        service.create_topics(variables)
        fleet = Fleet(variables, Path(folder), "pager")
        try:
            sender = Sender(cluster.brokers, prefix, findings(incidents), per_s)
            ground = Field(fleet, cluster, random.Random(seed))
            _weather(sender, ground, storm, got, incidents)
            shown.complaints += sender.faults
        finally:
            fleet.end()
        shown.faults = got.faults(incidents)
        shown.messages, shown.repeats, shown.refused = len(got.told), got.repeats, got.refused
        shown.starts = sum(worker.starts for worker in fleet.workers)
        shown.senders = sum(_senders(worker.log) for worker in fleet.workers)
        shown.exits = [f"{worker.name} {code}" for worker in fleet.workers for code in worker.exits]
        shown.faults_asked, shown.faults_fired = fleet.faults()
        if not ground.brokers_ended:  # without one the last checkpoint is given up, with 1
            shown.complaints += fleet.unclean()
        if not shown.is_right or shown.exits or shown.not_shown:
            fleet.keep_logs(prefix)
    shown.seconds = round(time.monotonic() - began, 1)
    return shown


def _weather(sender: Sender, ground: Field, storm: Storm, got: Receivers, incidents: int) -> None:
    """Send everything while the storm blows; return when all has arrived, or nothing more does."""
    weather = Weather(storm, ground)
    ground.fleet.await_owners(1)
    sender.start()
    seen, deadline = -1, time.monotonic() + SETTLE_S
    while sender.is_alive() or not weather.is_over or got.faults(incidents)["notifications_lost"] > 0:
        weather.blow(sender.progress)
        if len(got.told) != seen:
            seen, deadline = len(got.told), time.monotonic() + SETTLE_S
        if time.monotonic() > deadline:
            sender.stop()
            return
        time.sleep(0.05)


def _senders(log: Path) -> int:
    """Return how many of the processes that wrote this log delivered something."""
    lives = log.read_text(encoding="utf-8", errors="replace").split("--- start ")
    return sum("page sent" in life for life in lives)


def summary(rounds: Sequence[Delivered]) -> dict[str, int]:
    """Return the pagers' part of the last line."""
    added = {name: sum(one.faults[name] for one in rounds) for name in (rounds[0].faults if rounds else ())}
    return {
        "pager_rounds": len(rounds),
        "notifications": sum(one.messages for one in rounds),
        "notifications_repeated": sum(one.repeats for one in rounds),
        "pager_rounds_without_takeover": sum(not one.shows_takeover for one in rounds),
        "pager_fault_rounds_not_shown": sum(not one.shows_fault for one in rounds),
    } | added
