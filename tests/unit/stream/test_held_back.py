"""What an open transaction hides is told by how long the last stable offset stands still below the end."""

from types import SimpleNamespace

import pytest
from aiokafka import TopicPartition
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from stream.engine.fetching import ConsumerThread
from stream.engine.held_back import HANGS_S, Ends, Hang, HeldBack
from stream.engine.looks import look_back
from stream.engine.telemetry import EngineTelemetry

TP = TopicPartition("predictions", 0)
OTHER = TopicPartition("predictions", 1)
GAUGE = "tidewatch_input_held_back_seconds"
LATE = HANGS_S + 1.0


def looked(*looks):
    """Return what each look saw; a look is an instant, and (stable, high) by name as a fetch told it just then."""
    held_back = HeldBack()
    return [
        held_back.look({name: Ends(*pair, int(at)) for name, pair in ends.items()}, at) for at, ends in looks
    ]


@pytest.mark.parametrize(
    ("looks", "held_s"),
    [
        ([(5.0, {"p": (7, 9)}), (65.0, {"p": (7, 9)})], {"p": 60.0}),
        ([(5.0, {"p": (7, 9)}), (65.0, {"p": (7, 90)})], {"p": 60.0}),
        ([(5.0, {"p": (7, 9)})], {"p": 0.0}),
        ([(5.0, {"p": (7, 9)}), (65.0, {"p": (8, 9)})], {"p": 0.0}),
        ([(at, {"p": (int(at), int(at) + 3)}) for at in range(0, 3_000, 5)], {"p": 0.0}),
        ([(5.0, {"p": (7, 9)}), (65.0, {"p": (10, 10)})], {"p": 0.0}),
        ([(5.0, {"p": (7, 9)}), (35.0, {"p": (10, 10)}), (65.0, {"p": (10, 12)})], {"p": 0.0}),
        ([(5.0, {"p": (7, 9)}), (35.0, {"p": (7, 7)}), (65.0, {"p": (7, 9)})], {"p": 0.0}),
        ([(5.0, {"p": (9, 9)}), (65.0, {"p": (9, 9)})], {"p": 0.0}),
        ([(5.0, {"p": (0, 0)})], {"p": 0.0}),
        ([(5.0, {"p": (0, 2)}), (65.0, {"p": (0, 2)})], {"p": 60.0}),
        ([(5.0, {"p": (7, 9), "o": (7, 9)}), (65.0, {"p": (7, 9), "o": (9, 9)})], {"p": 60.0, "o": 0.0}),
        ([(5.0, {"p": (7, 9)}), (65.0, {})], {}),
        ([(5.0, {"p": (7, 9)}), (35.0, {}), (65.0, {"p": (7, 9)})], {"p": 60.0}),
        ([(5.0, {"p": (7, 9)}), (35.0, {}), (65.0, {"p": (8, 9)})], {"p": 0.0}),
        ([(5.0, {"p": (None, None)})], {}),
        ([(5.0, {"p": (None, 9)})], {}),
        ([(5.0, {"p": (-1, 9)})], {}),
        ([(5.0, {"p": (7, -1)})], {}),
        ([(5.0, {"p": (7, 9)}), (35.0, {"p": (None, None)}), (65.0, {"p": (7, 9)})], {"p": 60.0}),
    ],
    ids=[
        "stuck",
        "stuck while records come",
        "seen for the first time",
        "moved",
        "some transaction is always open",
        "ended",
        "another one after it",
        "another one at its offset, in a log that has lost its end",
        "none is open",
        "empty",
        "stuck from the first offset on",
        "one beside another",
        "given away",
        "given away and back, stuck all the time",
        "given away and back, moved meanwhile",
        "nothing fetched",
        "a broker that tells no stable offset",
        "an unknown stable offset",
        "an unknown end",
        "unknown for a while after a rebalance",
    ],
)
def test_held_back_is_an_input_whose_stable_offset_stands_still_below_its_end(looks, held_s):
    assert looked(*looks)[-1].held_s == held_s


def test_what_no_fetch_has_told_since_counts_once_one_tells_it():
    """An input that is not asked for a while, or whose broker is away, looks held back if it was just then."""
    held_back = HeldBack()
    looks = [(5.0, 1), (65.0, 1), (125.0, 1), (185.0, 2), (245.0, 2)]
    found = [held_back.look({"p": Ends(7, 9, told)}, at).held_s["p"] for at, told in looks]
    assert found == [0.0, 0.0, 0.0, 180.0, 180.0]


def test_a_hang_is_said_once_and_the_next_one_again():
    stuck, later = {"p": (7, 9)}, {"p": (20, 22)}
    looks = [(0.0, stuck), (HANGS_S, stuck), (LATE, stuck), (LATE + 5.0, {}), (LATE + 10.0, stuck)]
    looks += [(2_000.0, later), (2_000.0 + LATE, later)]
    said = [seen.hangs for seen in looked(*looks)]
    assert said == [[], [], [Hang("p", 7, LATE)], [], [], [], [Hang("p", 20, LATE)]]


class App:
    """An application that holds these partitions, of an assignment with these states."""

    def __init__(self, states, *numbers):
        self.held_back = HeldBack()
        self.keeper = SimpleNamespace(folds=lambda: dict.fromkeys(numbers))
        assignment = SimpleNamespace(tps=set(states), state_value=states.get)
        thread = ConsumerThread.__new__(ConsumerThread)
        thread._consumer = SimpleNamespace(
            _subscription=SimpleNamespace(subscription=SimpleNamespace(assignment=assignment))
        )
        self.consumer = SimpleNamespace(fetching=thread)
        self.registry = CollectorRegistry()
        self.telemetry = EngineTelemetry(self.registry)

    def look(self):
        """Look once; return what was logged."""
        with capture_logs() as logs:
            look_back(self, self.telemetry)
        return logs

    def shown(self, tp):
        """Return the gauge of an input."""
        return self.registry.get_sample_value(GAUGE, {"topic": tp.topic, "partition": str(tp.partition)})


def state(stable, high):
    return SimpleNamespace(lso=stable, highwater=high, timestamp=1)


def test_an_input_of_a_partition_that_is_held_is_shown_until_it_is_given_away():
    app = App({TP: state(7, 9), OTHER: state(7, 9)}, 0)
    assert app.look() == []
    assert (app.shown(TP), app.shown(OTHER)) == (0.0, None)
    app.keeper.folds = dict
    app.look()
    assert app.shown(TP) is None


def test_a_rebalance_drops_what_was_shown_at_once():
    app = App({TP: state(9, 9)}, 0)
    app.look()
    assert app.shown(TP) == 0.0
    app.telemetry.forget()
    assert app.shown(TP) is None


def test_nothing_is_shown_before_the_first_assignment():
    app = App({}, 0)
    app.consumer.fetching._consumer = None
    assert app.look() == []


def test_the_log_names_the_place_and_the_tool_that_ends_it(monkeypatch):
    now = 0.0
    monkeypatch.setattr("stream.engine.looks.time.monotonic", lambda: now)
    app = App({TP: (hung := state(7, 9))}, 0)
    assert app.look() == []
    now, hung.timestamp = LATE, 2
    (line,) = app.look()
    assert app.shown(TP) == LATE
    assert {name: line[name] for name in ("event", "log_level", "topic", "partition", "offset")} == {
        "event": "held back",
        "log_level": "warning",
        "topic": "predictions",
        "partition": 0,
        "offset": 7,
    }
    assert "docs/operations.md" in line["mend"]
    assert app.look() == []
