"""A fold's life: its records, its checkpoints, and at some of them a lost disk, a kill, or an abort."""

from collections import Counter
from dataclasses import dataclass

from hypothesis import strategies as st
from msgspec.structs import replace

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
    """Return both topics, and the steps of a life: a record of one, or a checkpoint, with what becomes of it.

    An id is used for one prediction, sent again at most: see the exception in decision 4.
    """
    log, history, now = {"predictions": [], "outcomes": []}, [], BEGAN_AT
    first_at, clock = {}, BEGAN_AT
    for kind in draw(st.lists(KINDS, min_size=6, max_size=16)):
        if kind == "checkpoint":
            history.append(draw(st.sampled_from(["checkpoint", "loss", "kill", "more", "abort"])))
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
        self.at, self.taken = dict.fromkeys(log, 0), []
        self.told, self.outputs, self.kept = Counter(), [], {}
        self.committed = self.before = self.all()
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
        self.taken.append(topic)

    def all(self):
        return dict(self.at), [*self.taken], Counter(self.told), [*self.outputs], dict(self.kept)

    def checkpoint(self):
        flush = self.fold.freeze(self.at)
        self.outputs += flush.outputs
        self.kept.update(flush.state)
        self.before, self.committed = self.committed, self.all()

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

    def abort(self):
        """Be killed once the disk has the checkpoint, which is aborted: what it had is taken again."""
        self.settle()
        taken, (self.at, self.taken, self.told, self.outputs, self.kept) = self.taken, self.before
        self.committed = self.all()
        self.rebuild(self.begin())
        for topic in taken[len(self.taken) :]:
            self.take(topic)

    def begin(self):
        """Begin again with what is kept; return from where the log is read, as ``stream.engine.restore`` does."""
        self.fold = self.new_fold()
        for key, value in self.kept.items():
            self.fold.restore(key, value)
        local = self.fold.local()
        if any(local.get(topic, 0) > at for topic, at in self.at.items()):
            self.fold.forget_local()
            local = {}
        if local:
            return {topic: local.get(topic, 0) for topic in self.log}
        return {topic: self.young(topic, self.fold.rebuild_since()) for topic in self.log}

    def young(self, topic, since):
        known = self.log[topic][: self.at[topic]]
        young = (one.offset for one in known if since is not None and one.timestamp >= since * 1000)
        return next(young, len(known))

    def rebuild(self, starts):
        for topic, start in starts.items():
            for record in self.log[topic][start : self.at[topic]]:
                self.fold.rebuild([record])
        while self.fold.rebuild(()):
            pass

    def go_on(self):
        """Give up some more of what is due at once."""
        self.settle()
        self.fold.apply(())

    def settle(self):
        for _ in self.fold.committed():
            pass

    def run(self, history):
        """Return counts, figures and outputs; ``history`` names topics, and what else happens."""
        after = {"checkpoint": self.settle, "loss": self.lose, "kill": self.kill, "more": self.go_on}
        after["abort"] = self.abort
        for what in history:
            if what in self.log:
                self.take(what)
            else:
                self.checkpoint()
                after[what]()
        while self.fold.is_behind:
            self.fold.apply(())
        models = {model: written(monitor) for model, monitor in self.fold.monitors.items()}
        return self.told, self.fold.join.pending, models, self.outputs


def written(monitor):
    """Return a monitor's bytes, whichever reason was counted first.

    What was settled takes room among what is due at once, until the disk leaves it out: so what is given up with
    one record may be given up with the next one elsewhere.
    """
    return state.dump(replace(monitor, counts=dict(sorted(monitor.counts.items()))))


def undisturbed(history):
    """Return the same history without losses, kills and aborts."""
    return ["checkpoint" if what in {"loss", "kill", "abort"} else what for what in history]
