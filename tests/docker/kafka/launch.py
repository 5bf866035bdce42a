"""Starts Kafka inside the local test image, told by the same ``KAFKA_*`` variables as the apache/kafka image.

Runs on the image's own Python, from the standard library: ``python3 launch.py JARS``.
"""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

CONFIGURATION = Path("/opt/kafka/config/server.properties")
FOR_JAVA = "KAFKA_HEAP_OPTS", "KAFKA_OPTS", "KAFKA_JVM_PERFORMANCE_OPTS"
"""Variables that speak to Java, not to Kafka."""
DEFAULTS = {
    "node.id": "1",
    "process.roles": "broker,controller",
    "listeners": "PLAINTEXT://:9092,CONTROLLER://:9093",
    "advertised.listeners": "PLAINTEXT://localhost:9092",
    "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
    "controller.listener.names": "CONTROLLER",
    "controller.quorum.voters": "1@localhost:9093",
    "offsets.topic.replication.factor": "1",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
}
"""What holds when no variable says anything; a single variable makes the variables say everything."""
CLUSTER_ID = "TidewatchTestImageKafk"


def properties(environment: Mapping[str, str]) -> dict[str, str]:
    """Return Kafka's settings: ``KAFKA_A_B__C___D`` is ``a.b_c-d``."""
    told = {
        _name(variable): value
        for variable, value in environment.items()
        if variable.startswith("KAFKA_") and variable not in FOR_JAVA
    }
    return {"log.dirs": "/var/lib/kafka/data"} | (told or DEFAULTS)


def _name(variable: str) -> str:
    name = variable.removeprefix("KAFKA_").lower()
    return name.replace("___", "-").replace("__", "\0").replace("_", ".").replace("\0", "_")


def main(jars: str) -> None:
    """Write the settings, format the disk if it is new, and become Kafka."""
    CONFIGURATION.parent.mkdir(parents=True, exist_ok=True)
    settings = properties(os.environ)
    CONFIGURATION.write_text(
        "".join(f"{name}={value}\n" for name, value in settings.items()), encoding="utf-8"
    )
    options = os.environ.get("KAFKA_HEAP_OPTS", "-Xmx512m") + " " + os.environ.get("KAFKA_OPTS", "")
    java = [
        "java",
        *options.split(),
        "-Dlog4j2.configurationFile=/opt/kafka/log4j2.properties",
        "-cp",
        f"{jars}/*",
    ]
    cluster = os.environ.get("CLUSTER_ID", CLUSTER_ID)
    storage = [
        "kafka.tools.StorageTool",
        "format",
        "--ignore-formatted",
        "-t",
        cluster,
        "-c",
        str(CONFIGURATION),
    ]
    subprocess.run([*java, *storage], check=True)
    os.execvp("java", [*java, "kafka.Kafka", str(CONFIGURATION)])


if __name__ == "__main__":
    main(sys.argv[1])
