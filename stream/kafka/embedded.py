"""Shell. One real Apache Kafka broker on free loopback ports, gone when its owner is done or dead."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Self

from stream.kafka import guard, jars, java
from stream.kafka.broker import commands, properties
from stream.kafka.errors import BrokerFailed

START_TIMEOUT_S = 90.0
TAIL_LINES = 40
_ATTEMPTS = 3


class EmbeddedKafka:
    """A throw-away broker, as a context manager or an asynchronous one.

    ``brokers`` is its address, to be read after the start; without ``port`` a free one is taken. Only
    the very first start on a machine needs a network (see ``stream.kafka.jars``).
    ``configure`` writes its ``server.properties``; at ``port`` it must answer without TLS and SASL.

    Raises (at the start):
        EmbeddedKafkaError: no jars, no Java, or the broker failed; the message says what to do.
    """

    def __init__(
        self,
        heap: str = "512m",
        progress: jars.Progress = jars.silent,
        port: int | None = None,
        configure: Callable[[Path, int, int], str] = properties,
    ) -> None:
        self.brokers = ""
        self._configure = configure
        self._port = port
        self._heap = heap
        self._progress = progress
        self._lock = threading.Lock()
        self._stopped = False
        self._guard: subprocess.Popen[bytes] | None = None
        self._directory: Path | None = None

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    async def __aenter__(self) -> Self:
        try:
            await asyncio.to_thread(self.start)
        except BaseException:
            self.stop()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await asyncio.to_thread(self.stop)

    def start(self) -> None:
        """Start the broker and return when it answers; another port is tried if one was taken meanwhile."""
        if self._port is not None and not _is_free(self._port):
            raise BrokerFailed(f"port {self._port} of 127.0.0.1 is taken: want a free one")
        program = java.find()
        classpath = jars.obtain(jars.cache_directory(), jars.locked(), self._report)
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                self._attempt(program, classpath)
            except BrokerFailed as fault:
                self._end()
                if "Address already in use" not in str(fault) or attempt == _ATTEMPTS:
                    raise
            else:
                return

    def stop(self) -> None:
        """Kill the broker and remove its files; harmless when there is none. It can't be started again."""
        with self._lock:
            self._stopped = True
        self._end()

    def serve(self) -> None:
        """Return never; a signal's handler may raise.

        Raises:
            BrokerFailed: the broker ended; the message ends with its log.
        """
        if self._guard is not None:
            self._guard.wait()
        raise self._failure("ended")

    def keep_log(self) -> Path:
        """Copy the broker's log to a place that stays, and return it.

        Raises:
            FileNotFoundError: the broker was never started, or is stopped.
        """
        if self._directory is None:
            raise FileNotFoundError("the embedded Kafka has no log: it is not running")
        kept = Path(tempfile.mkstemp(prefix="tidewatch-kafka-", suffix=".log")[1])
        shutil.copyfile(self._directory / "broker.log", kept)
        return kept

    def _report(self, fetched: int, total: int, name: str) -> None:
        if self._stopped:
            raise BrokerFailed("the embedded Kafka was stopped while it fetched its jars")
        self._progress(fetched, total, name)

    def _attempt(self, program: Path, classpath: list[Path]) -> None:
        free, controller_port = _free_ports(2)
        port = free if self._port is None else self._port
        directory = Path(tempfile.mkdtemp(prefix="tidewatch-kafka-"))
        configuration = directory / "server.properties"
        written = self._configure(directory / "data", port, controller_port)
        configuration.write_text(written, encoding="utf-8")
        logging = directory / "log4j2.properties"
        logging.write_bytes(resources.files("stream.kafka").joinpath("log4j2.properties").read_bytes())
        self._spawn(directory, commands(program, classpath, configuration, logging, self._heap))
        self._await_answer(port)
        self.brokers = f"127.0.0.1:{port}"

    def _spawn(self, directory: Path, work: list[list[str]]) -> None:
        with self._lock, (directory / "broker.log").open("wb") as log:
            self._directory = directory
            if self._stopped:
                raise BrokerFailed("the embedded Kafka was stopped while it started")
            self._guard = subprocess.Popen(
                [sys.executable, "-I", "-S", guard.__file__, str(directory), json.dumps(work)],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is for the owner; the guard sees its own input end
            )

    def _await_answer(self, port: int) -> None:
        deadline = time.monotonic() + START_TIMEOUT_S
        while not answers(port):
            running = self._guard
            if self._stopped or running is None or running.poll() is not None:
                raise self._failure("ended before it answered")
            if time.monotonic() > deadline:
                raise self._failure(f"did not answer within {START_TIMEOUT_S:.0f} s")
            time.sleep(0.1)

    def _failure(self, what: str) -> BrokerFailed:
        try:
            kept = self.keep_log()
        except FileNotFoundError:
            return BrokerFailed(f"the embedded Kafka {what}; it was stopped")
        tail = "\n".join(kept.read_text(encoding="utf-8", errors="replace").splitlines()[-TAIL_LINES:])
        return BrokerFailed(f"the embedded Kafka {what}; its log is kept as {kept} and ends with\n{tail}")

    def _end(self) -> None:
        with self._lock:
            running, self._guard = self._guard, None
            directory, self._directory = self._directory, None
        if running is not None and running.stdin is not None:
            running.stdin.close()
            try:
                running.wait(timeout=15)
            except subprocess.TimeoutExpired:
                os.killpg(running.pid, signal.SIGKILL)
                running.wait()
        if directory is not None:
            shutil.rmtree(directory, ignore_errors=True)


def _free_ports(count: int) -> list[int]:
    """Return ports that were free a moment ago."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()


def _is_free(port: int) -> bool:
    with socket.socket() as one:
        one.setsockopt(
            socket.SOL_SOCKET, socket.SO_REUSEADDR, 1
        )  # as Kafka does: a former one's end is no bar
        try:
            one.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def answers(port: int) -> bool:
    """Ask for the cluster's metadata (version 1, no topics); an open port alone proves nothing."""
    client = b"tidewatch"
    request = struct.pack(f">hhih{len(client)}si", 3, 1, 1, len(client), client, 0)
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
            connection.sendall(struct.pack(">i", len(request)) + request)
            with connection.makefile("rb") as stream:
                size, correlation, brokers = struct.unpack(">iii", stream.read(12))
    except (OSError, struct.error):
        return False
    return bool(size > 0 and correlation == 1 and brokers == 1)
