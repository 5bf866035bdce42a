"""Real Kafka brokers that can be killed and started again on the same disk and port; one, or a cluster of three.

Made of the same jars and settings as ``stream.kafka.embedded``, whose broker is thrown away when it dies.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from importlib import resources
from pathlib import Path
from typing import Self

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from stream.demo.processes import free_port
from stream.kafka import jars, java
from stream.kafka.broker import commands, properties
from stream.kafka.guard import die_with_parent

START_TIMEOUT_S = 90.0
HEAP = "384m"


class Node:
    """One broker and controller; its files stay until the cluster's folder is removed."""

    def __init__(self, number: int, folder: Path) -> None:
        self.number = number
        self.port = free_port()
        self.controller_port = free_port()
        self.folder = folder / f"node-{number}"
        self.folder.mkdir()
        self._process: subprocess.Popen[bytes] | None = None
        self._serve: list[str] = []

    @property
    def data(self) -> Path:
        """Where its topics' segments are."""
        return self.folder / "data"

    def format(self, configuration: str) -> None:
        """Write its settings and prepare its disk."""
        settings, logging = self.folder / "server.properties", self.folder / "log4j2.properties"
        settings.write_text(configuration)
        logging.write_bytes(resources.files("stream.kafka").joinpath("log4j2.properties").read_bytes())
        classpath = jars.obtain(jars.cache_directory(), jars.locked())
        prepare, self._serve = commands(java.find(), classpath, settings, logging, HEAP)
        with (self.folder / "format.log").open("ab") as log:
            subprocess.run(prepare, stdout=log, stderr=log, check=True)

    def start(self) -> None:
        """Start it; call from the main thread, whose end it does not outlive."""
        with (self.folder / "broker.log").open("ab") as log:
            self._process = subprocess.Popen(
                self._serve,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=die_with_parent(),
            )

    def answers(self) -> bool:
        """Whether it serves clients and knows a broker that does."""
        if self._process is None or self._process.poll() is not None:
            return False
        try:
            seen = AdminClient({"bootstrap.servers": f"127.0.0.1:{self.port}", "log_level": 0}).list_topics(
                timeout=2
            )
        except KafkaException:
            return False
        return bool(seen.brokers)

    def await_answer(self) -> None:
        """Return once it serves clients."""
        deadline = time.monotonic() + START_TIMEOUT_S
        while not self.answers():
            if time.monotonic() > deadline or (
                self._process is not None and self._process.poll() is not None
            ):
                tail = (self.folder / "broker.log").read_text(errors="replace")[-3_000:]
                raise RuntimeError(f"Kafka node {self.number} does not answer; the end of its log:\n{tail}")
            time.sleep(0.1)

    def end(self, how: signal.Signals, within_s: float = 30.0) -> None:
        """Send the signal and wait for its end; SIGKILL follows when it takes too long."""
        process, self._process = self._process, None
        if process is None or process.poll() is not None:
            return
        process.send_signal(how)
        try:
            process.wait(within_s)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


class Cluster:
    """``size`` nodes as a context manager; with three, topics are to be replicated on all."""

    def __init__(self, size: int = 1) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="tidewatch-chaos-kafka-"))
        self.nodes = [Node(number, self._folder) for number in range(1, size + 1)]

    @property
    def brokers(self) -> str:
        """The address of all nodes."""
        return ",".join(f"127.0.0.1:{node.port}" for node in self.nodes)

    def __enter__(self) -> Self:
        try:
            for node in self.nodes:
                node.format(self._configuration(node))
            for node in self.nodes:
                node.start()
            for node in self.nodes:
                node.await_answer()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for node in self.nodes:
            node.end(signal.SIGKILL)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _configuration(self, node: Node) -> str:
        """Return one node's settings: those of the embedded broker; of a repeated key the last line counts."""
        voters = ",".join(f"{one.number}@127.0.0.1:{one.controller_port}" for one in self.nodes)
        settings = {"node.id": node.number, "controller.quorum.voters": voters}
        if len(self.nodes) > 1:
            copies, enough = len(self.nodes), len(self.nodes) - 1
            settings |= {
                "offsets.topic.replication.factor": copies,
                "transaction.state.log.replication.factor": copies,
                "transaction.state.log.min.isr": enough,
                "min.insync.replicas": enough,
                "default.replication.factor": copies,
                "broker.session.timeout.ms": 6_000,
                "replica.lag.time.max.ms": 6_000,
            }
        lines = "".join(f"{key}={value}\n" for key, value in settings.items())
        return properties(node.data, node.port, node.controller_port) + lines
