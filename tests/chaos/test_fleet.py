"""What the supervisor makes of a worker's log and of how it ended."""

import signal
import subprocess
import sys

import pytest

from tests.chaos.fleet import Fleet, Worker
from tests.chaos.rounds import Verdict

FIRED = '{"step": "told", "event": "fault point"}\n'


@pytest.mark.parametrize(
    ("log", "asked", "fired"),
    [
        ("--- start 1 \n--- start 2 \n", 0, 0),
        (f"--- start 1 kill:told:2\n{FIRED}--- ended -9\n", 1, 1),
        ("--- start 1 kill:told:2\n--- ended -9\n--- start 2 \n", 1, 0),  # somebody else killed it
        (f"--- start 1 kill:told:2\n{FIRED}--- ended 0\n", 1, 0),
        (f"--- start 1 delay:told:2\n{FIRED}", 1, 1),
        (f"--- start 1 kill:told:9\n--- start 2 kill:told:1\n{FIRED}--- ended -9\n", 2, 1),
    ],
)
def test_a_fault_point_counts_only_when_it_did_its_work(log, asked, fired, tmp_path):
    fleet = Fleet({}, tmp_path)
    fleet.workers = [Worker("w", {}, tmp_path, "worker")]
    fleet.workers[0].log.write_text(log)
    assert fleet.faults() == (asked, fired)
    verdict = Verdict("s", 1, faults_asked=asked, faults_fired=fired)
    assert bool(verdict.not_shown) == (asked > 0 and fired == 0)


def test_a_round_whose_zombies_were_never_fenced_has_not_shown_it():
    assert Verdict("s", 1, zombies=1).not_shown
    assert not Verdict("s", 1, zombies=1, fenced=1).not_shown
    assert not Verdict("s", 1).not_shown


def ended(folder, said, how, code):
    """Return what the fleet says of a worker that said this, was sent a signal, and ended with this code."""
    fleet = Fleet({}, folder)
    worker = Worker("w", {}, folder, "worker")
    worker.wanted, fleet.workers = False, [worker]
    worker.log.write_text(f"--- start 1 \n{said}\n")
    obey = f"signal.signal(15, lambda *_: sys.exit({code}))"
    program = f"import signal, sys; {obey}; print(1, flush=True); signal.pause()"
    worker._process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE)
    worker._process.stdout.readline()
    for one in how:
        worker.send(one)
    worker._process.wait(10)
    worker._process.stdout.close()
    worker.supervise()
    return fleet.unclean(), worker.exits


AT_WORK = '{"event": "assigned"}'


@pytest.mark.parametrize(
    ("said", "how", "code", "told"),
    [
        (AT_WORK, [signal.SIGTERM], 1, ["w asked to end: exit 1"]),
        (AT_WORK, [signal.SIGTERM], 0, []),
        ("", [signal.SIGTERM], 1, []),  # it was only starting
        (AT_WORK, [signal.SIGKILL], 0, []),
    ],
)
def test_a_worker_at_work_that_is_asked_to_end_must_end_with_0(said, how, code, told, tmp_path):
    assert ended(tmp_path, said, how, code) == (told, [])


def test_a_round_is_void_in_which_kafka_lost_input_or_committed_a_transaction_in_part():
    assert Verdict("s", 1, input_lost=1).is_void
    assert Verdict("s", 1, hung=1, forwarded_again=11).is_void
    assert not Verdict("s", 1, hung=1).is_void
    assert not Verdict("s", 1, forwarded_again=11).is_void, "the service did that"
    assert not Verdict("s", 1, input_lost=1).is_right
    assert Verdict("s", 1, hung=1).is_right
