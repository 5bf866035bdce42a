"""What libraries say through ``logging`` comes out as the project's own log does."""

import json
import logging
import os
import subprocess
import sys
import tempfile

from stream.engine.logs import AGAIN_S, MOST_WORDS, PATIENT_S, Patience, Thinning

PROGRAM = """
import logging, logging.config
import structlog
from stream.engine.logs import library_logs, log_as_json
log_as_json()
logging.config.dictConfig(library_logs())
structlog.get_logger().warning("own", partition=1)
log = logging.getLogger("aiokafka.consumer")
log.error("Group Coordinator Request failed: %s", "[Error 15] GroupCoordinatorNotAvailableError")
log.info("chatter")
try:
    password = "swordfish"
    1 / 0
except ZeroDivisionError:
    log.exception("broken")
"""


def test_every_line_is_a_json_object_with_its_level_and_time():
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    own, library = [json.loads(line) for line in done.stderr.splitlines()]
    assert (own["event"], own["level"], own["partition"]) == ("own", "warning", 1)
    assert (library["event"], library["level"], library["logger"]) == ("broken", "error", "aiokafka.consumer")
    assert library["exception"][0]["exc_type"] == "ZeroDivisionError"
    assert "swordfish" not in done.stderr
    assert own["timestamp"] <= library["timestamp"]


def test_processes_that_share_a_log_never_mix_their_lines():
    program = """
import structlog
from stream.engine.logs import log_as_json
log_as_json()
log = structlog.get_logger()
for turn in range(2000):
    log.info("turn", number=turn)
"""
    with tempfile.TemporaryFile() as shared:
        environ = os.environ | {"PYTHONUNBUFFERED": "1"}
        writers = [
            subprocess.Popen([sys.executable, "-c", program], stderr=shared, env=environ) for _ in range(2)
        ]
        assert [writer.wait(60) for writer in writers] == [0, 0]
        shared.seek(0)
        numbers = [json.loads(line)["number"] for line in shared]
    assert sorted(numbers) == sorted([*range(2000)] * 2)


def test_a_coordinator_that_stays_away_is_told():
    now = 100.0
    patience = Patience(lambda: now)
    text = "Group Coordinator Request failed: [Error 15] GroupCoordinatorNotAvailableError"
    record = logging.LogRecord("aiokafka", logging.ERROR, "", 0, text, None, None)
    assert not patience.filter(record)
    now += PATIENT_S + 1
    assert patience.filter(record)


def test_what_aiokafka_says_100_times_a_second_while_a_broker_is_away_is_told_now_and_then_with_its_number():
    now = 0.0
    thinning = Thinning(lambda: now)

    def said(words, at, name="aiokafka", fault=None):
        nonlocal now
        now = at
        record = logging.LogRecord(name, logging.WARNING, "", 0, "%s", (words,), fault)
        return record.getMessage() if thinning.filter(record) else None

    assert said("no broker", 0.0) == "no broker"
    assert said("no leader", 0.1) == "no leader"
    assert [said("no broker", at / 100) for at in range(1, 101)] == [None] * 100
    assert said("no broker", 1.0, name="faust") == "no broker", "only aiokafka says so much"
    assert said("no broker", 1.0, fault=(None, None, None)) == "no broker"
    assert said("no broker", AGAIN_S) == "no broker (and 100 times since that was last told)"
    assert said("no broker", 2 * AGAIN_S) == "no broker"


def test_what_is_remembered_of_a_log_has_a_bound():
    thinning = Thinning(lambda: 0.0)
    for number in range(2 * MOST_WORDS):
        assert thinning.filter(logging.LogRecord("aiokafka", logging.WARNING, "", 0, str(number), (), None))
    assert len(thinning._said) <= MOST_WORDS
