"""The outbox against a model: whatever crashes when, nothing is lost, and every repeat has the same id."""

from __future__ import annotations

from collections import defaultdict

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from alerts.book import Due, IncidentBook
from alerts.owners import Owner, Owners
from stream.events import Finding
from tests.unit.alerts.samples import Seen, finding, new_book, record

MODELS = ("eta.a", "eta.b", "eta.c")
NAMES = ("hook", "pd", "spare")
OWNERS = Owners(owners=(Owner(name="maps", models=("eta.*",), receivers=("hook", "pd")),))
FALLBACKS = {"hook": "spare", "spare": "pd"}


class Outbox(RuleBasedStateMachine):
    """``log`` is the findings topic, ``stored`` and ``offset`` the last committed checkpoint."""

    def __init__(self) -> None:
        super().__init__()
        self.log: list[Finding] = []
        self.stored: dict[bytes, bytes] = {}
        self.offset = 0
        self.folded = 0
        self.accepted: dict[tuple[str, str, str], set[str]] = defaultdict(set)
        self.order: dict[tuple[str, str], list[str]] = defaultdict(list)
        self.refused: set[tuple[str, str]] = set()
        self.book = self.restored()

    def restored(self) -> IncidentBook:
        book = new_book(Seen(), owners=OWNERS, fallbacks=FALLBACKS)
        for key, value in self.stored.items():
            book.restore(key, value)
        book.committed()
        self.folded = self.offset
        return book

    @rule(
        model=st.sampled_from(MODELS), slice=st.sampled_from("xy"), state=st.sampled_from(["open", "closed"])
    )
    def finding_comes(self, model: str, slice: str, state: str) -> None:  # noqa: A002
        episode = len({one.id for one in self.log if one.model == model and one.slice == slice})
        known = {(one.id, one.state) for one in self.log}
        current = f"{model}/{slice}/{max(episode, 1)}"
        if state == "open" and (current, "closed") in known:
            current = f"{model}/{slice}/{episode + 1}"
        self.log.append(finding(current, state, model=model, slice=slice))
        self.fold()

    @rule()
    def fold(self) -> None:
        self.book.apply([record(fact) for fact in self.log[self.folded :]])
        self.folded = len(self.log)

    @rule()
    def commit(self) -> None:
        flush = self.book.freeze({})
        for key, value in flush.state:
            assert value is not None
            self.stored[key] = value
        self.offset = self.folded
        self.book.committed()

    @rule()
    def crash(self) -> None:
        """All since the last checkpoint is gone; what receivers have got they keep."""
        self.book.close()
        self.book = self.restored()
        self.fold()

    @rule()
    def crash_between_store_and_tell(self) -> None:
        """The transaction is committed, and the process dies before it knows."""
        flush = self.book.freeze({})
        self.stored |= {key: value for key, value in flush.state if value is not None}
        self.offset = self.folded
        self.book = self.restored()

    def due(self) -> list[Due]:
        return [due for name in NAMES for due in self.book.due(name)]

    @precondition(lambda self: self.due())
    @rule(
        pick=st.integers(0, 100),
        answer=st.sampled_from(["accepted", "later", "refused", "accepted and dead", "accepted unheard"]),
    )
    def attempt(self, pick: int, answer: str) -> None:
        ready = self.due()
        due = ready[pick % len(ready)]
        if answer.startswith("accepted"):
            self.take(due)
        if answer == "accepted":
            self.book.accepted(due, at=2_001.0)
        elif answer == "refused" and due.notification.receiver != "pd":
            self.refused.add((due.incident.id, due.notification.receiver))
            self.book.refused(due, "http_400")
        elif answer == "accepted and dead":
            self.crash()
        else:
            self.book.put_off(due, "timeout")

    def take(self, due: Due) -> None:
        said = due.notification
        self.accepted[due.incident.id, said.action, said.receiver].add(said.id)
        self.order[due.incident.id, said.receiver].append(said.action)

    @invariant()
    def repeats_have_one_id_and_no_resolve_comes_before_its_trigger(self) -> None:
        assert all(len(ids) == 1 for ids in self.accepted.values())
        assert all(actions[0] == "trigger" for actions in self.order.values())

    def teardown(self) -> None:
        """Let everything through, and look for what nobody has got."""
        self.crash()
        for _ in range(10):
            self.commit()
            for due in self.due():
                self.take(due)
                self.book.accepted(due, at=2_001.0)
        self.repeats_have_one_id_and_no_resolve_comes_before_its_trigger()
        assert list(self.book.pending()) == []
        for incident in self.book.incidents():
            first = {one.id: one for one in reversed(self.log)}
            if not any(first[name].state == "open" for name in incident.findings):
                continue
            wanted = ["trigger", "resolve"] if incident.state == "resolved" else ["trigger"]
            heard = {name for name in NAMES if (incident.id, "trigger", name) in self.accepted}
            assert "pd" in heard
            assert "hook" in heard or (incident.id, "hook") in self.refused
            for name in heard:
                if (incident.id, name) not in self.refused:
                    assert list(dict.fromkeys(self.order[incident.id, name])) == wanted


Outbox.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
test_outbox = Outbox.TestCase
