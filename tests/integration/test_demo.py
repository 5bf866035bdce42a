"""The main job, as a user runs it: real processes, real Kafka, a real receiver."""

import json
import os
import subprocess
import sys

import pytest


@pytest.mark.parametrize("seed", [3])
def test_demo_pages_exactly_the_right_team_and_resolves(kafka, seed):
    command = [
        sys.executable,
        "-m",
        "stream",
        "demo",
        "--json",
        "--seed",
        str(seed),
        "--brokers",
        kafka.brokers,
    ]
    own = {
        "TIDEWATCH_CONFIG": "none.toml",
        "TIDEWATCH_TOPICS_REPLICATION": "3",
        "TIDEWATCH_WORKER_GROUP": "own",
    }
    environment = (
        os.environ | own
    )  # as the README exports them for a cluster: the demo has nothing to do with it
    ended = subprocess.run(command, capture_output=True, text=True, timeout=660, check=False, env=environment)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    report = json.loads(ended.stdout)
    assert report["differences"] == []
    assert [page["model"] for page in report["pages"]] == [report["plan"]["model"]]
    # nothing was rolled out: the demo's secret is a fault of its own
    assert [cause for cause in report["pages"][0]["causes"] if "rollout" in cause] == []
    assert [resolve["owner"] for resolve in report["resolves"]] == [report["plan"]["team"]]
