"""The outbox against a model: whatever crashes when, nothing is lost, and every repeat has the same id."""

from __future__ import annotations

from collections import defaultdict
from itertools import pairwise
from typing import NamedTuple

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from alerts.book import IncidentBook
from alerts.grouping import Grouping, Upstream
from alerts.incident import Action
from alerts.outbox import Digest, Leaving, parts
from alerts.owners import Owner, Owners
from stream.events import Finding
from stream.wire import encode
from tests.unit.alerts.samples import Rec, Seen, finding, new_book

MODELS = ("eta.a", "eta.b", "geo", "fraud")
NAMES = ("hook", "pd", "spare")
OWNERS = Owners(
    owners=(
        Owner(name="maps", models=("eta.*",), receivers=("hook", "pd")),
        Owner(name="risk", models=("fraud",), receivers=("pd",)),
        Owner(name="platform", models=("geo",), receivers=("pd", "hook")),
    ),
    upstreams=(Upstream(name="geo", owner="platform", models=("eta.*", "fraud"), least=2),),
    grouping=Grouping(hold_s=20.0),
)
FALLBACKS = {"hook": "spare", "spare": "pd"}


class Said(NamedTuple):
    """What a receiver got."""

    action: Action
    id: str


class Outbox(RuleBasedStateMachine):
    """``log`` is the findings topic, ``stored`` and ``offset`` the last committed checkpoint."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 2_000.0
        self.log: list[tuple[Finding, float]] = []
        self.stored: dict[bytes, bytes] = {}
        self.offset = 0
        self.folded = 0
        self.got: dict[tuple[str, str], list[Said]] = defaultdict(list)
        self.ids: dict[tuple[str, str, str, int], set[str]] = defaultdict(set)
        self.refused: set[tuple[str, str]] = set()
        self.digests: dict[str, tuple[str, ...]] = {}
        self.book = self.restored()

    def restored(self) -> IncidentBook:
        book = new_book(Seen(), owners=OWNERS, fallbacks=FALLBACKS)
        for key, value in self.stored.items():
            book.restore(key, value)
        book.committed()
        self.folded = self.offset
        return book

    @rule(
        model=st.sampled_from(MODELS),
        slice=st.sampled_from("xy"),
        closes=st.booleans(),
        after_s=st.sampled_from([0.0, 5.0, 1_000.0]),
    )
    def finding_comes(self, model: str, slice: str, closes: bool, after_s: float) -> None:  # noqa: A002
        self.now += after_s
        said = [one for one, _ in self.log if (one.model, one.slice) == (model, slice)]
        is_open = bool(said) and said[-1].state == "open"
        episode = len({one.id for one in said}) + (not is_open and not closes)
        state = "closed" if closes else "open"
        fact = finding(f"{model}/{slice}/{episode}", state, model=model, slice=slice)
        self.log.append((fact, self.now))
        self.fold()

    @rule()
    def fold(self) -> None:
        self.book.apply([Rec(encode(fact), int(at * 1000)) for fact, at in self.log[self.folded :]])
        self.folded = len(self.log)

    @rule(seconds=st.sampled_from([1.0, 30.0, 2_000.0]))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds
        self.book.advance(self.now)

    @rule()
    def commit(self) -> None:
        flush = self.book.freeze({})
        self.stored |= {key: value for key, value in flush.state if value is not None}
        self.offset = self.folded
        self.book.committed()

    @rule()
    def crash(self) -> None:
        """All since the last checkpoint is gone; what receivers have got they keep."""
        self.book.close()
        self.book = self.restored()
        self.fold()
        self.book.advance(self.now)

    @rule()
    def crash_between_store_and_tell(self) -> None:
        """The transaction is committed, and the process dies before it knows."""
        flush = self.book.freeze({})
        self.stored |= {key: value for key, value in flush.state if value is not None}
        self.offset = self.folded
        self.book = self.restored()

    @rule(name=st.sampled_from(NAMES))
    def bundle(self, name: str) -> None:
        self.book.bundle(name)

    def due(self) -> list[Leaving]:
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
            self.book.accepted(due, at=self.now)
        elif answer == "refused" and due.notification.receiver != "pd":
            self.refused |= {(one.incident.id, one.notification.receiver) for one in parts(due)}
            self.book.refused(due, "http_400")
        elif answer == "accepted and dead":
            self.crash()
        else:
            self.book.put_off(due, "timeout")

    def take(self, leaving: Leaving) -> None:
        members = tuple(due.notification.id for due in parts(leaving))
        if isinstance(leaving, Digest):
            known = self.digests.setdefault(leaving.notification.id, members)
            assert known == members, "a repeat of a digest lists the same"
        for due in parts(leaving):
            said = due.notification
            self.ids[due.incident.id, said.receiver, said.action, said.episode].add(said.id)
            self.got[due.incident.id, said.receiver].append(Said(said.action, said.id))

    @invariant()
    def repeats_have_one_id_and_no_resolve_comes_before_its_trigger(self) -> None:
        assert all(len(ids) == 1 for ids in self.ids.values())
        assert all(said[0].action == "trigger" for said in self.got.values())

    def teardown(self) -> None:
        """Let everything through, and look for what nobody has got."""
        self.crash()
        for _ in range(30):
            self.commit()
            for due in self.due():
                self.take(due)
                self.book.accepted(due, at=self.now)
        self.repeats_have_one_id_and_no_resolve_comes_before_its_trigger()
        assert list(self.book.pending()) == []
        for incident in self.book.incidents():
            paged = any(one.action == "trigger" for one in incident.notifications)
            assert not paged or self.got[incident.id, "pd"] or (incident.id, "hook") in self.refused
            if incident.state != "resolved" and incident.severity == "page":
                assert paged or incident.muted_by
            for name in NAMES:
                said = [*dict.fromkeys(self.got[incident.id, name])]
                if not said or (incident.id, name) in self.refused:
                    continue
                assert all(one.action != later.action for one, later in pairwise(said))
                # a relapse that an upstream's incident keeps quiet was ended for them, and is not told again; nor
                # is an upstream's own that is a ticket now, as fewer models are worse than page its owner
                is_untold = incident.muted_by or incident.severity == "ticket"
                over = incident.state == "resolved" or (is_untold and name not in incident.told())
                assert said[-1].action == ("resolve" if over else "trigger")


Outbox.TestCase.settings = settings(max_examples=200, stateful_step_count=40)
test_outbox = Outbox.TestCase
