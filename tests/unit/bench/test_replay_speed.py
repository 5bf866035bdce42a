"""The replay's speed: what file is read, what is timed, and that no Kafka is started for it."""

import asyncio
import json

import pytest

from bench import __main__ as program
from bench import replay
from bench.options import read
from bench.workload import Mix
from stream.wire import Tolerance, decode_event

ANY = Tolerance(float("inf"), float("inf"))


def options(*arguments):
    return read(arguments, tuple(program.MEASURES))


def test_the_file_holds_workload_w_in_order_of_arrival_and_is_the_same_each_time(tmp_path):
    first, second = tmp_path / "a", tmp_path / "b"
    lines = replay.write(first, Mix(models=20), 80_000, 4)
    assert replay.write(second, Mix(models=20), 80_000, 4) == lines
    assert first.read_bytes() == second.read_bytes()
    events = [decode_event(line, 0.0, ANY) for line in first.read_bytes().splitlines()]
    assert len(events) == lines
    assert len({event.model for event in events}) == 20
    at = [event.at for event in events if type(event).__name__ == "Outcome"]
    assert len(at) > 10_000
    assert at == sorted(at)
    half = events[: lines // 2]  # not one topic after the other
    assert 0.1 < sum(type(event).__name__ == "Outcome" for event in half) / len(half) < 0.5


def test_the_replay_and_the_loop_are_timed_and_the_ratio_of_the_two_is_printed(capsys):
    session = asyncio.run(
        program.run(options("--only", "replay_ratio", "--events", "2000", "--repeats", "1"))
    )
    assert session.failures == []
    found = {one.name: one.value for one in session.figures}
    for name in ("replay", "replay_few"):
        speeds = found[f"{name}_events_s"], found[f"{name}_loop_events_s"]
        assert found[f"{name}_ratio"] == pytest.approx(speeds[0] / speeds[1])
        assert 0 < found[f"{name}_ratio_cpu"] < 1
    program.report(session)
    printed = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert printed["replay_ratio"] == pytest.approx(found["replay_ratio"], abs=1e-4)


def test_a_replay_that_leaves_lines_out_is_no_measurement(tmp_path):
    path = tmp_path / "e.jsonl"
    lines = replay.write(path, Mix(models=2), 100, 4)
    path.write_bytes(path.read_bytes() + b"nonsense\n")
    with pytest.raises(RuntimeError, match=f"{lines} events, want {lines + 1}"):
        replay.replay(path, lines + 1)
    with pytest.raises(RuntimeError, match="ended with 1"):
        replay.decode(path, lines + 1)


@pytest.mark.parametrize(
    ("arguments", "wanted"),
    [
        ((), True),
        (("--only", "replay_events_s"), False),
        (("--only", "replay_ratio,bytes_per_series"), False),
        (("--only", "replay_ratio,restore_s"), True),
        (("--only", "replay_ratio", "--profile", "x.svg"), True),
    ],
)
def test_kafka_is_started_only_for_what_needs_it(arguments, wanted):
    assert program.needs_kafka(options(*arguments)) is wanted
