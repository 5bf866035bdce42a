"""Debian's Alertmanager itself takes, shows and ends our alerts."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from alerts.answer import Accepted, Answer
from alerts.http import Http
from alerts.incident import Action, Incident
from alerts.links import Links
from alerts.receivers.alertmanager import AlertmanagerReceiver
from tests.dashboards import ROOT
from tests.require import missing
from tests.unit.alerts.samples import LOOPBACK, finding, incident_of, said, sent

PROGRAMS = ("prometheus-alertmanager", "alertmanager")
CONFIGURATION = "route: {receiver: nobody, group_wait: 1s}\nreceivers: [{name: nobody}]\n"
LINKS = Links(incidents="https://tidewatch.example/incidents", runbooks="https://docs.example")


@pytest.fixture(scope="module")
def alertmanager(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running(CONFIGURATION, tmp_path_factory.mktemp("alertmanager")) as url:
        yield url


@contextmanager
def running(configuration: str, folder: Path) -> Iterator[str]:
    """Run Alertmanager until the block ends; yield its URL."""
    program = next((found for name in PROGRAMS if (found := shutil.which(name))), None)
    if program is None:
        missing("prometheus", f"none of {', '.join(PROGRAMS)} on PATH")
    (folder / "am.yml").write_text(configuration, encoding="utf-8")
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{reserved.getsockname()[1]}"
    command = [program, "--config.file=am.yml", "--storage.path=state", "--cluster.listen-address="]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [*command, f"--web.listen-address={address}"], cwd=folder, stderr=log, stdout=log
        )
        try:
            until(lambda: read(f"http://{address}/-/ready") is not None)
            yield f"http://{address}"
        finally:
            process.kill()
            process.wait()


def read(url: str) -> bytes | None:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return bytes(answer.read())
    except OSError:
        return None


def until(true: Callable[[], bool], within_s: float = 30.0) -> None:
    ends = time.monotonic() + within_s
    while not true():
        assert time.monotonic() < ends, "did not happen in time"
        time.sleep(0.05)


def post(url: str, incident: Incident, action: Action) -> Answer:
    message = said(AlertmanagerReceiver(url, "", LINKS), incident, action, time.time())
    return sent(Http(10.0, LOOPBACK), message)[0]


def shown(url: str, incident: Incident) -> list[Any]:
    wanted = urllib.parse.quote(f'incident="{incident.id}"')
    raw = read(f"{url}/api/v2/alerts?filter={wanted}")
    return list(json.loads(raw or b"[]"))


def now(incident: Incident) -> Incident:
    return replace(incident, told_at=time.time() - 5.0, changed_at=time.time())


@pytest.mark.parametrize(
    "text", ["plain", '€ <b> & "quoted"\n\x00 😀', "x" * 5_000], ids=["plain", "odd", "long"]
)
def test_alert_is_taken_shown_and_ended(alertmanager: str, text: str) -> None:
    incident = now(incident_of(finding("a", model=f"eta.{text}", version=text, slice=text, causes=(text,))))
    assert post(alertmanager, incident, "trigger") == Accepted()
    until(lambda: len(shown(alertmanager, incident)) == 1)
    (alert,) = shown(alertmanager, incident)
    assert alert["status"]["state"] in ("active", "unprocessed")
    assert alert["labels"]["owner"] == "maps"
    assert alert["annotations"]["runbook_url"] == "https://docs.example/accuracy.md"
    assert alert["generatorURL"] == f"https://tidewatch.example/incidents/{incident.id}"
    repeats: tuple[Action, ...] = ("acknowledge", "trigger")
    for action in repeats:
        had = replace(incident, acknowledged_by="ada", acknowledged_at=time.time())
        assert post(alertmanager, had, action) == Accepted()
    assert len(shown(alertmanager, incident)) == 1
    assert post(alertmanager, replace(incident, changed_at=time.time()), "resolve") == Accepted()
    until(lambda: shown(alertmanager, incident) == [])


def muted(url: str) -> set[tuple[str, str]]:
    """Return name and job of the alerts that another one keeps quiet."""
    alerts = json.loads(read(f"{url}/api/v2/alerts") or b"[]")
    return {
        (one["labels"]["alertname"], one["labels"].get("job", ""))
        for one in alerts
        if one["status"]["inhibitedBy"]
    }


@pytest.mark.parametrize(("gone", "job"), [("NoWorker", "tidewatch-worker"), ("NoPager", "tidewatch-pager")])
def test_while_one_kind_of_process_is_gone_only_what_it_leaves_undone_is_quiet(
    gone: str, job: str, tmp_path: Path
) -> None:
    late = [
        {"alertname": name, "job": whose}
        for name in ("TidewatchStalled", "TidewatchBehind")
        for whose in ("tidewatch-worker", "tidewatch-pager")
    ]
    labels = [{"alertname": f"Tidewatch{gone}"}, {"alertname": "TidewatchPagesWait"}, *late]
    configuration = (ROOT / "grafana/prometheus/alertmanager.yml").read_text(encoding="utf-8")
    with running(configuration, tmp_path) as url:
        body = json.dumps([{"labels": one} for one in labels]).encode()
        asked = urllib.request.Request(f"{url}/api/v2/alerts", body, {"content-type": "application/json"})
        urllib.request.urlopen(asked, timeout=5).close()
        wanted = {("TidewatchStalled", job), ("TidewatchBehind", job)}
        until(lambda: muted(url) == wanted, within_s=15.0)
