"""A fold's life: its records, its checkpoints, and at some of them a lost disk, or a kill."""

from collections import Counter
from dataclasses import dataclass

from hypothesis import strategies as st

from stream import state
from stream.events import Instant, Outcome, Prediction
from stream.fold import InputFold
from stream.monitor import Judgement
from stream.pending import MemoryStore
from stream.rules import Rules
from stream.wire import Tolerance, encode

HORIZON_S = 100.0
AHEAD_S = 20.0
RULES = Rules(
    judgement=Judgement(),
    tolerance=Tolerance(1e9, AHEAD_S),
    label_horizon_s=HORIZON_S,
    pending_budget=10_000,
    memory_entries=2,
    model_budget=10,
    findings="findings",
    dead_letters="dead-letters",
    partitions=1,
)
BEGAN_AT = 1_000_000.0
KINDS = st.sampled_from(["predictions", "outcomes", "outcomes", "checkpoint"])
STEPS = st.sampled_from([0.0, 0.0, 50.0, 100.0, 101.0, 200.0])
BACK = st.sampled_from([0.0, 0.0, 100.0, 199.0])
LATER = st.sampled_from([-AHEAD_S, 0.0, 500.0])
"""Kafka's time less the event's: before it at most as far as is tolerated."""


@dataclass(frozen=True)
class Logged:
    """A record of one partition."""

    topic: str
    offset: int
    timestamp: int
    value: bytes
    partition: int = 0
    key: bytes | None = None
    headers: tuple = ()


@st.composite
def lives(draw):
    """Return both topics, and the steps of a life: a record of one, a checkpoint, or one and a loss or a kill.

    An id is used for one prediction, sent again at most: see the exception in decision 4.
    """
    log, history, now = {"predictions": [], "outcomes": []}, [], BEGAN_AT
    first_at, clock = {}, BEGAN_AT
    for kind in draw(st.lists(KINDS, min_size=6, max_size=16)):
        if kind == "checkpoint":
            history.append(draw(st.sampled_from(["checkpoint", "loss", "kill"])))
            continue
        name = draw(st.sampled_from("aab"))
        now += draw(STEPS)
        at = now - draw(BACK)
        if kind == "predictions":
            if max(clock, at) > first_at.setdefault(name, at) + 2 * HORIZON_S:
                continue
            clock = max(clock, at)
        log[kind].append(logged(kind, name, at, draw(LATER), draw(st.sampled_from("xyz")), len(log[kind])))
        history.append(kind)
    for (
        kind,
        records,
    ) in log.items():  # all is given up in the end, so that what still waits shows in the counts
        records.append(logged(kind, "end", 2 * BEGAN_AT, 0.0, "x", len(records)))
        history.append(kind)
    return log, history


def logged(topic, name, at, later_s, label, offset):
    event = (
        Prediction(prediction_id=name, model="m", version="v", at=Instant(at), prediction="x")
        if topic == "predictions"
        else Outcome(prediction_id=name, model="m", at=Instant(at), outcome=label)
    )
    return Logged(topic, offset, round(1_000 * (at + later_s)), encode(event))


class Life:
    """One partition, and what can be seen of it from outside."""

    def __init__(self, log):
        self.log = log
        self.at = dict.fromkeys(log, 0)
        self.told, self.outputs, self.kept = Counter(), [], {}
        self.store = MemoryStore()
        self.fold = self.new_fold()

    def new_fold(self):
        return InputFold(0, RULES, self, self.store)

    def folded(self, tally):
        self.told.update(tally.joined)
        self.told.update(predictions=tally.predictions, outcomes=tally.outcomes)

    def take(self, topic):
        self.fold.apply([self.log[topic][self.at[topic]]])
        self.at[topic] += 1

    def checkpoint(self):
        flush = self.fold.freeze(self.at)
        self.outputs += flush.outputs
        self.kept.update(flush.state)

    def lose(self):
        """Lose process and disk."""
        self.settle()
        self.store = MemoryStore()
        self.rebuild(self.begin())

    def kill(self):
        """Be killed before the disk has the checkpoint, and again with half of the predictions read for that."""
        start = self.begin()["predictions"]
        self.fold.rebuild(self.log["predictions"][start : (start + self.at["predictions"] + 1) // 2])
        self.rebuild(self.begin())

    def begin(self):
        """Begin again with what is kept; return from where the log is read, as ``stream.engine.restore`` does."""
        self.fold = self.new_fold()
        for key, value in self.kept.items():
            self.fold.restore(key, value)
        if local := self.fold.local():
            return {topic: local.get(topic, 0) for topic in self.log}
        return {topic: self.young(topic, self.fold.rebuild_since()) for topic in self.log}

    def young(self, topic, since):
        known = self.log[topic][: self.at[topic]]
        young = (one.offset for one in known if since is not None and one.timestamp >= since * 1000)
        return next(young, len(known))

    def rebuild(self, starts):
        for topic, start in starts.items():
            self.fold.rebuild(self.log[topic][start : self.at[topic]])

    def settle(self):
        for _ in self.fold.committed():
            pass

    def run(self, history):
        """Return counts, figures and outputs; ``history`` names topics, ``checkpoint``, ``loss`` and ``kill``."""
        after = {"checkpoint": self.settle, "loss": self.lose, "kill": self.kill}
        for what in history:
            if what in self.log:
                self.take(what)
            else:
                self.checkpoint()
                after[what]()
        models = {model: state.dump(monitor) for model, monitor in self.fold.monitors.items()}
        return self.told, self.fold.join.pending, models, self.outputs


def undisturbed(history):
    """Return the same history without losses and kills."""
    return ["checkpoint" if what in {"loss", "kill"} else what for what in history]
