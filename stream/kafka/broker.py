"""Core. How the embedded broker is configured: one node, loopback only, small files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

CLUSTER_ID = "TidewatchEmbeddedKafka"
"""Kafka wants 22 characters; the cluster is thrown away, so all of them may have the same id."""


def properties(folder: Path, port: int, controller_port: int) -> str:
    """Return ``server.properties`` for a broker that keeps its files in ``folder``."""
    settings = {
        "process.roles": "broker,controller",
        "node.id": 1,
        "controller.quorum.voters": f"1@127.0.0.1:{controller_port}",
        "listeners": f"BROKER://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}",
        "advertised.listeners": f"BROKER://127.0.0.1:{port}",
        "listener.security.protocol.map": "BROKER:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "inter.broker.listener.name": "BROKER",
        "controller.listener.names": "CONTROLLER",
        "log.dirs": folder,
        "log.segment.bytes": 16 << 20,
        "log.index.size.max.bytes": 1 << 20,
        "log.cleaner.dedupe.buffer.size": 8 << 20,
        "auto.create.topics.enable": "false",  # as in production: topics are made on purpose
        "num.partitions": 1,
        "offsets.topic.num.partitions": 1,
        "offsets.topic.replication.factor": 1,
        "transaction.state.log.num.partitions": 1,
        "transaction.state.log.replication.factor": 1,
        "transaction.state.log.min.isr": 1,
        "share.coordinator.state.topic.num.partitions": 1,
        "share.coordinator.state.topic.replication.factor": 1,
        "share.coordinator.state.topic.min.isr": 1,
        "group.initial.rebalance.delay.ms": 0,
        "group.min.session.timeout.ms": 1000,  # tests wait for dead workers
        "num.network.threads": 2,
        "num.io.threads": 4,
        "num.recovery.threads.per.data.dir": 1,
    }
    return "".join(f"{key}={value}\n" for key, value in settings.items())


def commands(
    java: Path, jars: Sequence[Path], configuration: Path, logging: Path, heap: str
) -> list[list[str]]:
    """Return the two commands that make a broker: format the disk, then serve."""
    virtual_machine = [
        str(java),
        f"-Xmx{heap}",
        "--enable-native-access=ALL-UNNAMED",  # compression libraries: newer Javas warn without it
        f"-Dlog4j2.configurationFile={logging}",
        "-cp",
        ":".join(str(jar) for jar in jars),
    ]
    storage = ["kafka.tools.StorageTool", "format", "-t", CLUSTER_ID, "-c", str(configuration)]
    return [[*virtual_machine, *storage], [*virtual_machine, "kafka.Kafka", str(configuration)]]
