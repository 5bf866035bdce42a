"""One round: the load, a storm, and what the service made of it compared with the oracle and a calm run."""

from __future__ import annotations

import random
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

from tests.chaos import figures, load, oracle, service
from tests.chaos.fleet import Fleet
from tests.chaos.load import LEGACY, Sent, Shape
from tests.chaos.nodes import Cluster
from tests.chaos.producer import Sender
from tests.chaos.shown import Shown
from tests.chaos.storms import Field, Storm, Weather
from tests.chaos.topiclog import INPUTS, TopicLog, returning_writers, transactional

SETTLE_S = 120.0
VOID = 2
"""Void tries of a round that are played again."""
Findings = Counter[tuple[str, str]]


@dataclass
class Verdict(Shown):
    """What a round showed; all lists and numbers but ``events`` are to be empty or zero."""

    storm: str
    seed: int
    events: int = 0
    miscounted: list[str] = field(default_factory=list)
    findings: Findings = field(default_factory=Counter)
    lost: int = 0
    lost_findings: list[str] = field(default_factory=list)
    """Their ids and states."""
    extra: int = 0
    duplicated: int = 0
    input_repeated: int = 0
    """Records that the load's own producer wrote twice; not the service's doing."""
    input_lost: int = 0
    """Records that it was told are written and that no log holds: the calm run's events are others then."""
    forwarded_again: int = 0
    """Records that were forwarded once more than their log asks for; miscounted as well."""
    void: int = 0
    """Tries before this one that Kafka made void."""
    zombie_writes: int = 0
    zombies: int = 0
    """Workers that were continued after another had their partitions, and had a broker to write to."""
    fenced: int = 0
    hung: int = 0
    """Transactions that Kafka had not ended everywhere, and that a takeover aborted."""
    tries: int = 1
    misrouted: int = 0
    misrouted_named: float = 0.0
    rows: list[figures.Row] = field(default_factory=list, repr=False)
    """What ``tidewatch figures`` printed."""

    @property
    def is_right(self) -> bool:
        """Whether everything is as it must be; a worker that ended by itself is told, not a fault."""
        wrong = self.miscounted or self.lost or self.extra or self.duplicated or self.zombie_writes
        return not (wrong or self.is_void)

    @property
    def is_void(self) -> bool:
        """Whether Kafka lost input, or committed a transaction in some partitions only (KAFKA-20734)."""
        return bool(self.input_lost or (self.hung and self.forwarded_again))

    @property
    def shows_fencing(self) -> bool:
        """Whether a continued worker was seen to be fenced, if there was one: none may have tried to write."""
        return self.fenced > 0 or not self.zombies

    @property
    def not_shown(self) -> list[str]:
        """What the round was for and did not show."""
        found = []
        if not self.shows_fencing:
            found.append(f"that a zombie is fenced; {self.zombies} went on and none tried to write")
        return found + super().not_shown

    def expect_names(self) -> None:
        """Note it when the producer of misrouted records was not named for each of them; for a calm run only."""
        if self.misrouted_named != self.misrouted:
            self.miscounted.append(f"misrouted named {self.misrouted_named:.0f}: want {self.misrouted}")

    def expect_findings(self, degraded: int) -> None:
        """Note it when not every degraded model, and nothing else, was found and is well again."""
        states = Counter(state for _, state in self.findings)
        if states != {"open": degraded, "closed": degraded}:
            self.miscounted.append(f"findings {dict(states)}: want {degraded} open, {degraded} closed")

    def compare(self, calm: Verdict) -> None:
        """Compare findings and figures with those of the undisturbed run of the same events."""
        self.lost_findings = sorted(" ".join(one) for one in calm.findings.keys() - self.findings.keys())
        self.lost = len(self.lost_findings)
        self.extra = len(self.findings.keys() - calm.findings.keys())
        self.miscounted += figures.unlike(self.rows, calm.rows)


def shown(
    cluster: Cluster,
    records: Sequence[Sent],
    shape: Shape,
    storm: Storm,
    seed: int,
    per_s: float,
    calm: Verdict,
) -> Verdict:
    """Run a round; again when Kafka made it void, and once more when it did not show its point."""
    verdict = run(cluster, records, shape, storm, seed, per_s, calm)
    while verdict.is_void and verdict.void < VOID:
        void = verdict.void + 1
        verdict = run(cluster, records, shape, storm, seed + 10 * void, per_s, calm)
        verdict.void = void
    if verdict.is_right and verdict.not_shown:
        void, verdict = verdict.void, run(cluster, records, shape, storm, seed + 1, per_s, calm)
        verdict.void, verdict.tries = void, 2
    return verdict


def run(
    cluster: Cluster,
    records: Sequence[Sent],
    shape: Shape,
    storm: Storm,
    seed: int,
    per_s: float,
    calm: Verdict | None = None,
) -> Verdict:
    """Run one round on topics of its own and return what it showed, compared with ``calm`` if there is one."""
    prefix = f"chaos-{uuid4().hex[:8]}."
    replication = len(cluster.nodes)
    variables = service.environment(cluster.brokers, prefix, shape.partitions, replication)
    service.create_topics(variables)
    verdict = Verdict(storm.name, seed, len(records))
    verdict.misrouted = sum(one.source == LEGACY and one.kind == "event" for one in records)
    began = time.monotonic()
    with (
        tempfile.TemporaryDirectory(prefix="tidewatch-chaos-") as folder,
        TopicLog(cluster.brokers, prefix, shape.partitions) as log,
    ):
        fleet = Fleet(variables, Path(folder))
        ground = Field(fleet, cluster, random.Random(seed))
        try:
            sender = Sender(cluster.brokers, prefix, records, per_s)
            _weather(sender, ground, storm, log, verdict)
            _judge(verdict, cluster, prefix, records, shape, log, variables)
            if calm is not None:
                verdict.compare(calm)
        finally:
            fleet.end()
        verdict.exits = [f"{worker.name} {code}" for worker in fleet.workers for code in worker.exits]
        verdict.zombies = 0 if ground.brokers_ended else len(ground.zombies)
        verdict.fenced = sum(worker.said("fenced") - said for worker, said in ground.zombies)
        verdict.hung = sum(worker.said("hanging transaction") for worker in fleet.workers)
        verdict.faults_asked, verdict.faults_fired = fleet.faults()
        if not ground.brokers_ended:  # without one the last checkpoint is given up, with 1
            verdict.miscounted += fleet.unclean()
        if not verdict.is_right or verdict.exits or verdict.not_shown:
            fleet.keep_logs(prefix)
    verdict.seconds = round(time.monotonic() - began, 1)
    return verdict


def _weather(sender: Sender, ground: Field, storm: Storm, log: TopicLog, verdict: Verdict) -> None:
    """Send everything while the storm blows; return when the workers have folded all of it."""
    weather = Weather(storm, ground)
    ground.fleet.await_owners(storm.workers)
    sender.start()
    quiet = 0
    deadline = time.monotonic() + SETTLE_S
    while quiet < 2 or sender.is_alive() or not weather.is_over:
        weather.blow(sender.progress)
        before = sum(map(len, log.records.values()))
        log.drain(0.3)
        moved = sum(map(len, log.records.values())) > before
        is_quiet = not moved and (sender.resting.is_set() or not sender.is_alive()) and not log.waiting()
        quiet = quiet + 1 if is_quiet else 0
        if quiet >= 2 and sender.resting.is_set():
            sender.wake()
            quiet = 0
        if moved:
            deadline = time.monotonic() + SETTLE_S
        if time.monotonic() > deadline:
            sender.stop()
            verdict.miscounted.append(f"not folded within {SETTLE_S:.0f} s: {log.waiting()}")
            return
    verdict.miscounted += [f"producer: {fault}" for fault in sender.faults]
    verdict.misrouted_named = sum(service.misrouted(worker.port, LEGACY) for worker in ground.fleet.workers)


def _judge(
    verdict: Verdict,
    cluster: Cluster,
    prefix: str,
    records: Sequence[Sent],
    shape: Shape,
    log: TopicLog,
    variables: dict[str, str],
) -> None:
    _intake(verdict, cluster, records, shape, log)
    wanted = oracle.nothing()
    poison = _poison(records)
    for partition in range(shape.partitions):
        lines = [
            [
                one.value
                for one in log.records[word]
                if one.partition == partition
                and one.value not in poison
                and load.home_of((one.key or b"").decode(), shape.partitions) == partition
            ]
            for word in ("predictions", "outcomes")
        ]
        wanted.add(oracle.expected(*lines, load.HORIZON_S))  # type: ignore[arg-type]
    verdict.rows = service.figures(variables)
    verdict.miscounted += service.differences(verdict.rows, wanted)
    verdict.miscounted += figures.differences(verdict.rows, wanted.joined)
    verdict.miscounted += _rollouts(shape, log)
    verdict.findings = log.findings()
    verdict.duplicated = sum(count - 1 for count in verdict.findings.values())
    checkpoints = service.topic(prefix, "checkpoints")
    returned = (
        sum(returning_writers(node.data, checkpoints, partition) for partition in range(shape.partitions))
        for node in cluster.nodes
        if node.answers()
    )
    verdict.zombie_writes = log.backward_markers() + max(returned)  # a node that was away may lag behind


def _rollouts(shape: Shape, log: TopicLog) -> list[str]:
    """Return what is wrong with the rollouts that were passed on: each stage that a version came to, once."""
    wanted: Counter[tuple[str, str, str]] = Counter()
    for partition in range(shape.partitions):
        at_home = (one for one in log.records["rollouts"] if one.partition == partition)
        wanted += oracle.passed_on(
            one.value or b""
            for one in at_home
            if load.home_of((one.key or b"").decode(), shape.partitions) == partition
        )
    told = log.rollouts()
    many, few = (told - wanted).total(), (wanted - told).total()
    return [f"rollouts passed on: {many} too many, {few} missing"] if many or few else []


def _intake(verdict: Verdict, cluster: Cluster, records: Sequence[Sent], shape: Shape, log: TopicLog) -> None:
    """Compare the log with what was sent: all of it is there, the misrouted forwarded once, poison told once.

    What the producer wrote and what workers forwarded are told apart by how it was written.
    The producer may repeat itself when a broker is killed; that is input like any other, and told beside. What it
    was told is written and is not makes the round void: see docs/testing-by-chaos.md.
    """
    for word in INPUTS:
        sent = [one for one in records if one.topic == word]
        homes = {
            one.value: load.home_of(one.key.decode(), shape.partitions) for one in sent if one.kind == "event"
        }
        by_worker = {
            partition: set().union(
                *(transactional(node.data, log.name(word), partition) for node in cluster.nodes)
            )
            for partition in range(shape.partitions)
        }
        have: dict[bool, Counter[tuple[int, bytes | None]]] = {True: Counter(), False: Counter()}
        for one in log.records[word]:
            have[one.offset in by_worker[one.partition]][one.partition, one.value] += 1
        forwarded: Counter[tuple[int, bytes | None]] = Counter()
        for (partition, value), many in have[False].items():  # what was written twice is forwarded twice
            if homes.get(value, partition) != partition:
                forwarded[homes[value], value] += many
        mine = Counter((one.partition, one.value) for one in sent)
        verdict.input_repeated += (have[False] - mine).total()
        verdict.input_lost += (mine - have[False]).total()
        verdict.forwarded_again += (have[True] - forwarded).total()
        for name, different in (
            ("not forwarded", forwarded - have[True]),
            ("forwarded for nothing", have[True] - forwarded),
        ):
            if different:
                example = next(iter(different))
                verdict.miscounted.append(f"{word}: {different.total()} records {name}, as {example}")
    poison = _poison(records)
    letters = Counter(one.value for one in log.records["dead-letters"])
    wanted = Counter(one.value for one in log.records["outcomes"] if one.value in poison)
    if wanted != letters:
        many, few = (letters - wanted).total(), (wanted - letters).total()
        verdict.miscounted.append(f"dead letters: {many} too many, {few} missing")


def _poison(records: Sequence[Sent]) -> set[bytes | None]:
    return {one.value for one in records if one.kind == "poison"}
