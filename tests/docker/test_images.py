import re
from contextlib import ExitStack

import pytest

from tests import brokers
from tests.docker import images
from tests.docker.engine import docker, inspect
from tests.docker.kafka.launch import DEFAULTS, properties


def test_kafka_variables_become_kafka_settings():
    told = {"KAFKA_NODE_ID": "3", "KAFKA_A__B_C___D": "x", "KAFKA_HEAP_OPTS": "-Xmx1g", "PATH": "/bin"}
    assert properties(told) == {"log.dirs": "/var/lib/kafka/data", "node.id": "3", "a_b.c-d": "x"}


def test_without_variables_one_node_serves_localhost():
    assert properties({"KAFKA_HEAP_OPTS": "-Xmx1g"}) == {"log.dirs": "/var/lib/kafka/data"} | DEFAULTS


def test_a_variable_overrules_the_default_place_of_the_log():
    assert properties({"KAFKA_LOG_DIRS": "/data"}) == {"log.dirs": "/data"}


def test_every_image_of_the_compose_file_has_a_pinned_default_that_the_environment_overrules():
    text = images.COMPOSE.read_text(encoding="utf-8")
    named = re.findall(r"image: (\S+)", text)
    assert len(named) == 5
    for image in named:
        assert re.fullmatch(r"\$\{TIDEWATCH_[A-Z]+(?:_IMAGE)?:-[a-z/]+:v?\d+\.\d+\.\d+\}", image), image
    dockerfile = (images.ROOT / "Dockerfile").read_text(encoding="utf-8")
    assert f"ARG PYTHON_IMAGE={images.default('TIDEWATCH_PYTHON_IMAGE')}\n" in dockerfile


def test_every_port_is_open_to_this_machine_only():
    text = images.COMPOSE.read_text(encoding="utf-8")
    ports = re.findall(r'^ +- "(\S*:\d+)"', text, re.MULTILINE)
    assert len(ports) == 6
    assert all(port.startswith("127.0.0.1:") for port in ports)


@pytest.mark.docker
def test_the_broker_fixture_runs_on_the_kafka_image(made, monkeypatch):
    monkeypatch.setenv("TIDEWATCH_TEST_KAFKA_IMAGE", made["TIDEWATCH_KAFKA_IMAGE"])
    with ExitStack() as stack:
        broker = brokers.start(stack, "docker")
        assert broker.source == f"Docker ({made['TIDEWATCH_KAFKA_IMAGE']})"
        assert brokers.embedded.answers(int(broker.brokers.rpartition(":")[2]))


@pytest.mark.docker
def test_the_service_image_runs_as_nobody_special_and_has_no_pip(made):
    image = made["TIDEWATCH_IMAGE"]
    told = docker(
        "run",
        "--rm",
        "--entrypoint=sh",
        image,
        "-c",
        "id -u; command -v pip || echo none; tidewatch --version",
    )
    user, pip, version = told.splitlines()
    assert (user, pip) == ("10001", "none")
    assert "0.1.0" in version
    assert inspect_image(image)["Healthcheck"]["Test"][0] == "CMD"


def inspect_image(image):
    container = docker("create", image).strip()
    try:
        return inspect(container)["Config"]
    finally:
        docker("rm", "--force", container)
