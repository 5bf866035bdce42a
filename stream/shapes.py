"""Edge. What each topic must look like, and what is wrong with the ones that a cluster has."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Literal, NamedTuple, get_args

from stream.copies import risks
from stream.dead_letter import LETTER_BYTES
from stream.join import KEPT_HORIZONS
from stream.settings import KafkaSettings, Settings

COMPACTED_RECORD_BYTES = 8 << 20
"""Largest state record: a busy model's state is far above Kafka's default of 1 MiB."""
FINDINGS_RETENTION_S = 90 * 86_400.0
"""Findings are few, and the history that incidents are explained with."""
RECORD_BYTES = 1_048_588
"""Kafka's own default of ``max.message.bytes``."""
AHEAD, CLOCK = "message.timestamp.after.max.ms", "message.timestamp.type"
COMPACTED = {
    "cleanup.policy": "compact",
    "min.cleanable.dirty.ratio": "0.1",  # a restore reads the whole topic: keep it short
    "segment.bytes": str(64 << 20),  # the active segment is never compacted
}


WHY_KEPT = f"{KEPT_HORIZONS} x worker.label_horizon_s + worker.future_tolerance_s: a lost disk is read again"

WHY_AHEAD = "else one producer whose clock is ahead makes all later outcomes of its partition late"
BROKERS = "LogAppendTime"
WHY_BROKERS = "else a worker whose clock is wrong escalates too early or too late, or can write nothing"
IF_NEW = (
    "   (if it was made so; if it has grown since, models belong elsewhere now: docs/operations.md, Rescale)"
)


Operation = Literal["Read", "Write", "Describe", "DescribeConfigs"]
"""What a program does with a topic, in Kafka's words."""
LOOK: tuple[Operation, ...] = ("Describe", "DescribeConfigs")


class Needs(NamedTuple):
    """The topics that a program reads, and those that it writes."""

    reads: Collection[str] = ()
    writes: Collection[str] = ()

    def operations(self, topic: str) -> tuple[Operation, ...]:
        """Return what is done with a topic, besides looking at its shape."""
        found: tuple[Operation, ...] = ("Read",) if topic in self.reads else ()
        return (*found, "Write") if topic in self.writes else found


class Shape(NamedTuple):
    """The wanted form of one topic."""

    name: str
    partitions: int
    replication: int
    policy: Literal["compact", "delete"]
    configuration: Mapping[str, str]
    keeps_s: float = 0.0
    """Records younger than this must still be there."""
    counts: Literal["as inputs", "one", "any"] = "as inputs"
    """Which partition counts are right: that of the inputs, one, or any."""


class Described(NamedTuple):
    """One topic as the cluster has it."""

    partitions: int
    replication: int
    configuration: Mapping[str, str]
    allowed: frozenset[Operation] = frozenset(get_args(Operation))
    """What Kafka lets this client do with it; without ``Describe`` it does not even say whether there is one."""


class Fault(NamedTuple):
    """Something wrong with one topic, and the act that mends it. A warning does not stop a worker."""

    topic: str
    what: str
    mend: str
    severity: Literal["error", "warning"] = "error"

    def __str__(self) -> str:
        return f"{self.severity}: topic {self.topic}: {self.what}\n    mend: {self.mend}"


def shapes(settings: Settings) -> tuple[Shape, ...]:
    """Return the wanted form of all topics, inputs first."""
    topics = settings.topics
    many, copies = topics.partitions, topics.replication
    durable = {"min.insync.replicas": str(copies - 1)} if copies > 2 else {}
    own = durable | {CLOCK: BROKERS}
    compacted = own | COMPACTED | {"max.message.bytes": str(COMPACTED_RECORD_BYTES)}
    letters = own | _deleted(topics.retention_s) | {"max.message.bytes": str(LETTER_BYTES)}
    findings = own | _deleted(max(FINDINGS_RETENTION_S, topics.retention_s))
    needed_s = rebuilt_s(settings)
    ahead = {AHEAD: str(round(settings.worker.future_tolerance_s * 1000))}
    inputs = durable | _deleted(topics.retention_s) | ahead
    return (
        *(Shape(name, many, copies, "delete", inputs, needed_s) for name in topics.inputs()),
        Shape(topics.checkpoints, many, copies, "compact", compacted),
        Shape(topics.findings, 1, copies, "delete", findings, counts="one"),
        Shape(topics.incidents, 1, copies, "compact", compacted, counts="one"),
        Shape(topics.dead_letters, many, copies, "delete", letters, counts="any"),
    )


def rebuilt_s(settings: Settings) -> float:
    """Return how long inputs must be kept: a worker that lost its disk reads so much of them again at least."""
    return KEPT_HORIZONS * settings.worker.label_horizon_s + settings.worker.future_tolerance_s


def settings_faults(settings: Settings) -> list[Fault]:
    """Return what is wrong before any cluster is asked: inputs kept shorter than a lost disk needs."""
    kept_s, needed_s = settings.topics.retention_s, rebuilt_s(settings)
    if kept_s >= needed_s:
        return []
    return [
        Fault(
            ", ".join(settings.topics.inputs()),
            f"topics.retention_s {kept_s:.12g}: want at least {needed_s:.12g}, {WHY_KEPT}",
            f"set TIDEWATCH_TOPICS_RETENTION_S={needed_s:.12g}, or a shorter TIDEWATCH_WORKER_LABEL_HORIZON_S",
        )
    ]


def faults(settings: Settings, cluster: Mapping[str, Described], needs: Needs | None = None) -> list[Fault]:
    """Compare the cluster's topics with their shapes, for those of ``needs`` or all; empty = all is right."""
    wanted = [shape for shape in shapes(settings) if needs is None or needs.operations(shape.name)]
    mender = _Mender(",".join(settings.kafka.brokers))
    found = []
    for shape in wanted:
        described = cluster.get(shape.name)
        if described is None:
            found.append(Fault(shape.name, "does not exist", "run: tidewatch topics create"))
            continue
        found += _rights_faults(shape, described, (needs or Needs()).operations(shape.name), settings.kafka)
        if not described.allowed.issuperset(LOOK):
            continue
        found += _count_faults(shape, described, _count_to_mend_to(settings, cluster), mender)
        found += _policy_faults(shape, described, mender)
        found += _retention_faults(shape, described, mender)
        found += _clock_faults(shape, described, mender)
        found += _size_faults(shape, described, mender)
        for risk in risks(described.configuration, described.replication):
            mend = mender.configure(shape.name, risk.change)
            found.append(Fault(shape.name, risk.what, mend, risk.severity))
    return found


def principal(kafka: KafkaSettings) -> str:
    """Return whom Kafka takes this client for; with a certificate only Kafka knows."""
    return f"User:{kafka.sasl_username or '...'}"


def allowing(kafka: KafkaSettings, topic: str, operations: Collection[str]) -> str:
    """Return the command that allows them."""
    named = " ".join(f"--operation {one}" for one in operations)
    return (
        f"kafka-acls.sh --bootstrap-server {','.join(kafka.brokers)} --add"
        f" --allow-principal {principal(kafka)} {named} --topic {topic}"
    )


def stopping(found: Collection[Fault]) -> list[Fault]:
    """Return the faults that a worker must not start with."""
    return [fault for fault in found if fault.severity == "error"]


class _Mender(NamedTuple):
    """Writes the commands of Kafka's own tools."""

    brokers: str

    def configure(self, topic: str, change: str) -> str:
        return (
            f"kafka-configs.sh --bootstrap-server {self.brokers} --alter"
            f" --entity-type topics --entity-name {topic} --add-config {change}"
        )

    def grow(self, topic: str, partitions: int) -> str:
        return (
            f"kafka-topics.sh --bootstrap-server {self.brokers} --alter --topic {topic}"
            f" --partitions {partitions}   (before producers write: keys move to other partitions)"
        )


def _deleted(retention_s: float) -> dict[str, str]:
    return {"cleanup.policy": "delete", "retention.ms": str(round(retention_s * 1000))}


def _count_to_mend_to(settings: Settings, cluster: Mapping[str, Described]) -> int:
    """Return the partition count to mend towards: partitions can be added, never taken away."""
    inputs = [cluster[name].partitions for name in settings.topics.inputs() if name in cluster]
    return max([settings.topics.partitions, *inputs])


def _rights_faults(
    shape: Shape, described: Described, needed: Collection[Operation], kafka: KafkaSettings
) -> list[Fault]:
    """Name what is needed and not allowed; whoever may read or write may also ``Describe``."""
    lacking = [one for one in (*(needed or LOOK[:1]), LOOK[1]) if one not in described.allowed]
    if not lacking:
        return []
    what = f"{principal(kafka)} may not {', '.join(lacking)}"
    return [Fault(shape.name, what, allowing(kafka, shape.name, lacking))]


def _count_faults(shape: Shape, described: Described, enough: int, mender: _Mender) -> list[Fault]:
    found = []
    have, want = described.partitions, shape.partitions
    if shape.counts == "one" and have != 1:
        mend = (
            "give settings topics.findings or topics.incidents another name and run: tidewatch topics create"
        )
        found.append(Fault(shape.name, f"{have} partitions: want 1, for one order of all records", mend))
    elif shape.counts == "as inputs" and have < enough:
        what = f"{have} partitions: want {enough}; inputs and checkpoints must have the same number"
        found.append(Fault(shape.name, what, mender.grow(shape.name, enough)))
    elif have > enough and shape.policy == "compact" and shape.counts == "as inputs":
        what = f"{have} partitions: want {enough}, as the inputs; those beyond stay empty"
        found.append(Fault(shape.name, what, "none is needed: Kafka takes no partition away", "warning"))
    elif shape.counts == "as inputs" and have != want:
        what = f"{have} partitions: want {want} (topics.partitions)"
        found.append(Fault(shape.name, what, f"set TIDEWATCH_TOPICS_PARTITIONS={have}{IF_NEW}"))
    if described.replication < shape.replication:
        what = f"replication {described.replication}: want {shape.replication}"
        found.append(Fault(shape.name, what, "move it with kafka-reassign-partitions.sh", "warning"))
    return found


def _policy_faults(shape: Shape, described: Described, mender: _Mender) -> list[Fault]:
    policy = described.configuration.get("cleanup.policy", "delete")
    if policy == shape.policy:
        return []
    harm = (
        "records that are needed would be deleted"
        if shape.policy == "compact"
        else "only the newest record of a model would be kept"
    )
    what = f"cleanup.policy {policy}: want {shape.policy}, else {harm}"
    return [Fault(shape.name, what, mender.configure(shape.name, f"cleanup.policy={shape.policy}"))]


def _retention_faults(shape: Shape, described: Described, mender: _Mender) -> list[Fault]:
    if shape.policy == "compact" or not shape.keeps_s:
        return []
    found = []
    kept_ms = int(described.configuration.get("retention.ms", "-1"))
    needed_ms = round(shape.keeps_s * 1000)
    if 0 <= kept_ms < needed_ms:
        what = f"retention.ms {kept_ms}: want at least {needed_ms}, {WHY_KEPT}"
        found.append(Fault(shape.name, what, mender.configure(shape.name, f"retention.ms={needed_ms}")))
    size = int(described.configuration.get("retention.bytes", "-1"))
    if size >= 0:
        what = f"retention.bytes {size}: may delete inputs that must be kept for {needed_ms} ms"
        mend = mender.configure(shape.name, "retention.bytes=-1")
        found.append(Fault(shape.name, what, mend, "warning"))
    return found


def _clock_faults(shape: Shape, described: Described, mender: _Mender) -> list[Fault]:
    """Warn of a topic that takes any time from a producer; with ``LogAppendTime`` it takes the broker's own."""
    wanted, found = shape.configuration.get(AHEAD), described.configuration.get(AHEAD)
    clock = described.configuration.get(CLOCK, "CreateTime")
    if clock == BROKERS:
        return []
    if CLOCK in shape.configuration:
        what = f"{CLOCK} {clock}: want {BROKERS}, {WHY_BROKERS}"
        return [Fault(shape.name, what, mender.configure(shape.name, f"{CLOCK}={BROKERS}"), "warning")]
    if wanted is None:
        return []
    if found is None:
        what = f"{AHEAD}: not known to this Kafka (it is since 3.6); want {wanted}, {WHY_AHEAD}"
        mend = f"update Kafka, or {mender.configure(shape.name, f'{CLOCK}={BROKERS}')}"
    elif int(found) > int(wanted):
        what = f"{AHEAD} {found}: want at most {wanted} (worker.future_tolerance_s), {WHY_AHEAD}"
        mend = mender.configure(shape.name, f"{AHEAD}={wanted}")
    else:
        return []
    return [Fault(shape.name, what, mend, "warning")]


def _size_faults(shape: Shape, described: Described, mender: _Mender) -> list[Fault]:
    wanted = int(shape.configuration.get("max.message.bytes", "0"))
    largest = int(described.configuration.get("max.message.bytes", str(RECORD_BYTES)))
    if largest >= wanted:
        return []
    what = f"max.message.bytes {largest}: want {wanted}"
    return [Fault(shape.name, what, mender.configure(shape.name, f"max.message.bytes={wanted}"))]
