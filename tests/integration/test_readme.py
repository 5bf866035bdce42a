"""README's way to a page, run as it is pasted: producer, Kafka, worker, pager, receiver."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

from stream.demo.processes import free_port

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def block(language: str, word: str) -> str:
    found = re.findall(rf"^```{language}\n(.*?)^```", README, re.DOTALL | re.MULTILINE)
    (one,) = (text for text in found if word in text)
    return one


def until_said(log: Path, words: str, within_s: float) -> None:
    deadline = time.monotonic() + within_s
    while words not in (told := log.read_text()):
        assert time.monotonic() < deadline, f"{words!r} was not said within {within_s} s but:\n{told}"
        time.sleep(0.2)


def test_who_pastes_it_is_paged_and_told_of_the_end(kafka, tmp_path):
    port = str(free_port())
    (tmp_path / "owners.toml").write_text(block("toml", "[[receiver]]").replace("8000", port))
    (tmp_path / "docs").symlink_to(ROOT / "docs")
    script = block("sh", "rehearse").replace("receive_webhook.py", f"receive_webhook.py {port}")
    own = {"worker": {"port": free_port()}, "pager": {"port": free_port()}}
    environment = os.environ | kafka.environment(**own)
    environment["TMPDIR"] = str(tmp_path)
    environment["PATH"] = f"{Path(sys.executable).parent}:{environment['PATH']}"
    log = tmp_path / "log"
    with log.open("wb") as told:
        shell = subprocess.Popen(
            ["bash", "-c", script],
            cwd=tmp_path,
            env=environment,
            stdout=told,
            stderr=told,
            start_new_session=True,
        )
    try:
        until_said(log, "incident.opened", 120)
        until_said(log, "incident.resolved", 60)
        assert shell.wait(30) == 0
    finally:
        os.killpg(shell.pid, signal.SIGKILL)
    assert '"owner": "maps"' in log.read_text()
    assert "ERROR" not in log.read_text()
