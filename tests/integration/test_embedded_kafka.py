import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from stream.kafka import embedded, jars, java
from stream.kafka.embedded import EmbeddedKafka
from stream.kafka.errors import EmbeddedKafkaError
from tests.require import missing


@pytest.fixture(scope="module", autouse=True)
def _jars_and_java():
    try:
        java.find()
        jars.obtain(jars.cache_directory(), jars.locked())
    except EmbeddedKafkaError as fault:
        missing("kafka", str(fault))


def processes_with(text: str) -> list[str]:
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if text in command and str(os.getpid()) != path.parent.name:
            found.append(command)
    return found


def gone(text: str) -> bool:
    deadline = time.monotonic() + 10.0
    while processes_with(text):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


async def _exchange(brokers: str) -> list[bytes]:
    admin = AIOKafkaAdminClient(bootstrap_servers=brokers)
    await admin.start()
    await admin.create_topics([NewTopic("exchange", 1, 1)])
    await admin.close()
    async with AIOKafkaProducer(bootstrap_servers=brokers, transactional_id="exchange") as producer:
        try:
            async with producer.transaction():
                await producer.send_and_wait("exchange", b"aborted")
                raise KeyError
        except KeyError:
            pass
        async with producer.transaction():
            await producer.send_and_wait("exchange", b"committed")
    consumer = AIOKafkaConsumer(
        "exchange",
        bootstrap_servers=brokers,
        auto_offset_reset="earliest",
        isolation_level="read_committed",
    )
    async with consumer:
        batches = await consumer.getmany(timeout_ms=5_000)
    return [record.value for records in batches.values() for record in records]


def test_committed_records_are_read_and_aborted_ones_are_not():
    async def scenario() -> list[bytes]:
        async with EmbeddedKafka() as kafka:
            return await _exchange(kafka.brokers)

    assert asyncio.run(scenario()) == [b"committed"]


def test_the_broker_listens_on_loopback_only():
    with EmbeddedKafka() as kafka:
        port = int(kafka.brokers.rpartition(":")[2])
        listening = [
            line.split()[1].split(":")
            for table in ("tcp", "tcp6")
            for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]
            if line.split()[3] == "0A"
        ]
    addresses = {address for address, number in listening if int(number, 16) == port}
    assert addresses
    assert addresses <= {"0100007F", "0000000000000000FFFF00000100007F"}


def test_nothing_is_left_after_the_block(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with EmbeddedKafka():
        assert processes_with(str(tmp_path))
    assert processes_with(str(tmp_path)) == []
    assert list(tmp_path.iterdir()) == []


OWNER = """
import signal, sys, time
from stream.kafka.embedded import EmbeddedKafka
signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job of a shell ignores it
with EmbeddedKafka() as kafka:
    print(kafka.brokers, flush=True)
    time.sleep(600)
"""


@pytest.mark.parametrize("last", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_the_broker_dies_with_its_owner(tmp_path, last):
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=os.environ | {"TMPDIR": str(tmp_path), "PYTHONPATH": os.pathsep.join(sys.path)},
        cwd=Path(__file__).parents[2],
    )
    try:
        assert owner.stdout is not None
        assert owner.stdout.readline()
        assert processes_with(str(tmp_path))
        owner.send_signal(last)
        owner.wait(timeout=20)
    finally:
        owner.kill()
        owner.communicate()
    assert gone(str(tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_the_broker_dies_with_its_guard(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with EmbeddedKafka():
        guard = next(path for path in Path("/proc").glob("[0-9]*/cmdline") if _is_guard(path, str(tmp_path)))
        os.kill(int(guard.parent.name), signal.SIGKILL)
        assert gone(str(tmp_path))


def test_who_serves_is_told_that_the_broker_died(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with EmbeddedKafka() as kafka:
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            if _is(path, "kafka.Kafka\0", str(tmp_path)) and not _is(path, "guard.py", ""):
                os.kill(int(path.parent.name), signal.SIGKILL)
        with pytest.raises(EmbeddedKafkaError, match="the embedded Kafka ended; its log is kept as"):
            kafka.serve()


def _is_guard(path: Path, text: str) -> bool:
    return _is(path, "guard.py", text)


def _is(path: Path, *texts: str) -> bool:
    try:
        command = path.read_bytes().decode(errors="replace")
    except OSError:
        return False
    return all(text in command for text in texts)


def test_a_broker_that_can_not_start_shows_its_log():
    with pytest.raises(EmbeddedKafkaError, match="its log is kept as") as failure, EmbeddedKafka(heap="1k"):
        pass
    assert "Too small" in str(failure.value)
    Path(str(failure.value).split("kept as ")[1].split(" and ends")[0]).unlink()


def test_the_java_that_is_found_is_new_enough():
    assert java.version(java.find()) >= java.OLDEST


def test_each_test_gets_names_of_its_own(kafka):
    settings = kafka.settings(topics={"partitions": 3})
    assert settings.topics.partitions == 3
    assert settings.topics.predictions.startswith(kafka.prefix)
    assert ",".join(settings.kafka.brokers) == kafka.environment()["TIDEWATCH_KAFKA_BROKERS"]


def test_the_broker_listens_on_the_port_that_was_asked_for():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with EmbeddedKafka(port=port) as kafka:
        assert kafka.brokers == f"127.0.0.1:{port}"
        assert embedded.answers(port)


def test_a_port_that_is_taken_is_named_at_once():
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(EmbeddedKafkaError, match=f"port {port} of 127.0.0.1 is taken"):
            EmbeddedKafka(port=port).start()
