"""How two topics may reach the join, and what must come of it: a slow oracle that sees each topic whole."""

from collections import Counter

from hypothesis import strategies as st

from stream.events import Prediction
from stream.join import Join
from stream.joined import Reason
from stream.pending import MemoryStore

HORIZON_S = 100.0


@st.composite
def histories(draw, predictions, outcomes):
    """Steps: take so many of one topic, expire, checkpoint (write later), lose the process."""
    steps, left = [("kept", draw(st.integers(0, 4)))], {"predict": predictions, "know": outcomes}
    while any(left.values()):
        what = draw(
            st.sampled_from([*(name for name in left if left[name]), "expire", "freeze", "write", "crash"])
        )
        many = draw(st.integers(1, left[what])) if what in left else 0
        if what in left:
            left[what] -= many
        steps.append((what, many))
    return steps


class Run:
    """A partition's life: what it counted before the last freeze is safe, what it writes comes later."""

    def __init__(self, predictions, outcomes, name, store):
        self.log = {"predict": predictions, "know": outcomes}
        self.at = {"predict": 0, "know": 0}
        self.kept, self.name, self.store = 3, name, store
        self.told, self.unwritten = Counter(), []
        self.safe = (Counter(), dict(self.at))
        self.join = self.opened()

    def opened(self):
        return Join(HORIZON_S, 1_000, self.store, self.kept)

    def take(self, topic, many):
        batch = self.log[topic][self.at[topic] : self.at[topic] + many]
        self.at[topic] += many
        self.join.prefetch(batch)
        for event in batch:
            found = self.join.predict(event) if isinstance(event, Prediction) else self.join.know(event)
            self.tell(found)

    def tell(self, found):
        self.told.update((one.reason, self.name(one)) for one in found if one.reason is not Reason.WAITING)

    def expire(self):
        self.tell(self.join.expire())

    def freeze(self):
        self.expire()
        self.unwritten.append((self.join.set_apart(), dict(self.at)))
        self.safe = (self.told.copy(), dict(self.at))

    def write(self):
        if self.unwritten:
            changes, offsets = self.unwritten.pop(0)
            for _ in self.join.dump():
                pass
            self.store.write(changes, offsets)
            self.join.written(changes)

    def crash(self):
        """Reopen from the store and take what it lacks again, in another interleaving, without counting."""
        self.join, self.unwritten = self.opened(), []
        told, until = self.safe
        self.at = {"predict": 0, "know": 0} | self.store.offsets()
        for topic in ("know", "predict"):
            self.take(topic, until[topic] - self.at[topic])
        self.expire()
        self.told = told.copy()


def run(predictions, outcomes, history, name=None, store=None):
    """Return what was told of whom, how often, and the join."""
    name = name or (lambda joined: joined.served and joined.served.prediction_id)
    one = Run(predictions, outcomes, name, store or MemoryStore())
    for what, many in history:
        if what in one.log:
            one.take(what, many)
        elif what == "kept":
            one.kept = many
            one.join = one.opened()
        else:
            getattr(one, what)()
    for topic in one.log:
        one.take(topic, len(one.log[topic]) - one.at[topic])
    one.expire()
    return one.told, one.join


def told_of(predictions, outcomes):
    """The rules of ``stream.join``, on whole topics."""
    told = Counter()
    cases, predicted_until = cases_of(predictions, told)
    knowns, known_until = knowns_of(outcomes, told)
    for clock, outcome, is_first in knowns:
        for case in cases:
            if concerns(clock, outcome, *case["where"]):
                told[decide(case, clock, outcome), outcome.prediction_id] += 1
                break
        else:
            if predicted_until > outcome.at + HORIZON_S:
                told[Reason.UNMATCHED_OUTCOME if is_first else Reason.DUPLICATE_OUTCOME, None] += 1
    for case in cases:
        prediction = case["where"][1]
        if case.get("fate") is not Reason.MATCHED and known_until > prediction.at + HORIZON_S:
            told[Reason.UNMATCHED_PREDICTION, prediction.prediction_id] += 1
    return told


def cases_of(predictions, told):
    cases, clock = [], float("-inf")
    for one in predictions:
        clock = max(clock, one.at)
        same = [case["where"][1] for case in cases if case["where"][1].prediction_id == one.prediction_id]
        if same and clock <= same[-1].at + 2 * HORIZON_S:
            told[Reason.DUPLICATE_PREDICTION, one.prediction_id] += 1
        else:
            cases.append({"where": (clock, one)})
    return cases, clock


def knowns_of(outcomes, told):
    """Outcomes that are considered; beyond eight different ones in a horizon, or eight repeats: duplicates."""
    knowns, seen, clock = [], {}, float("-inf")
    for one in outcomes:
        clock = max(clock, one.at)
        before, repeats = seen.setdefault(one.prediction_id, ([], []))
        is_first = all(known.at < clock - 2 * HORIZON_S for known in before)
        is_repeat = not is_first and (before[-1].at, before[-1].outcome) == (one.at, one.outcome)
        room = repeats if is_repeat else [known for known in before if known.at >= clock - HORIZON_S]
        if len(room) >= 8:
            told[Reason.DUPLICATE_OUTCOME, None] += 1
        else:
            knowns.append((clock, one, is_first))
        if is_repeat:
            repeats.append(one)
        else:
            before.append(one)
            repeats.clear()
    return knowns, clock


def concerns(clock, outcome, predictions_clock, prediction):
    same = outcome.prediction_id == prediction.prediction_id
    is_given_up = predictions_clock > outcome.at + HORIZON_S
    return same and not is_given_up and clock <= prediction.at + 2 * HORIZON_S


def decide(case, clock, outcome):
    is_late = clock > case["where"][1].at + HORIZON_S
    if "fate" not in case:
        case["fate"] = Reason.LATE if is_late else Reason.MATCHED
        case["holds"] = outcome
        return case["fate"]
    holds = case["holds"]
    if is_late or case["fate"] is Reason.LATE or outcome.outcome == holds.outcome or outcome.at < holds.at:
        return Reason.DUPLICATE_OUTCOME
    case["holds"] = outcome
    return Reason.CORRECTED
