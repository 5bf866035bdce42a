"""Core. What is wrong around a model, not in it: no events, no labels, trouble in the join or with clocks.

All of it is a ticket, one for each kind and model. The partition's clock says when to look; a silence is over at
the first look after something came, a starvation once labels come about as usual (``Maturity.is_back``), a trouble
of the join with the first window that is as usual, and that of labels that can't be compared
(``stream.unjudged``) once most of them can.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from math import inf, isnan
from typing import NamedTuple

from msgspec import Struct, field
from msgspec.structs import replace

from stream.carried import WAITS_S
from stream.clock import Clock
from stream.events import ALL, Finding, Metric, finding_id
from stream.gaps import SHORTEST_S
from stream.instant import in_words
from stream.joined import MISMATCHED, Reason
from stream.maturity import Maturity, width
from stream.rates import AHEAD, AHEAD_S, BEHIND, BEHIND_S, CLOCKS, JOIN, ON_TIME, Rates, Trouble
from stream.rows import DENSE, SPARSE
from stream.traffic import DAY_S, HOUR_S, Traffic
from stream.unjudged import Mismatch, Unjudged
from stream.version import Judgement

JOINED, CLOCK, UNJUDGED = "@join", "@clock", "@kinds"
"""What a ticket is about, as its ``feature``; also ``@traffic`` and ``@labels``."""
LOOKED_S = 6 * HOUR_S
"""Between two looks at most."""
KINDS = 4
"""Of tickets that share the budget."""


class Health(Struct, array_like=True, gc=False):
    """The state of one model's surroundings; ``due_at``: when the partition's clock has it looked at."""

    due_at: float = -inf
    traffic: Traffic = field(default_factory=Traffic)
    maturity: Maturity = field(default_factory=Maturity)
    join: Rates = field(default_factory=Rates)
    clock: Rates = field(default_factory=Rates)
    events: int = 0
    """New predictions, and joined outcomes, with a Kafka time; then those from the future and from the past."""
    ahead: int = 0
    behind: int = 0
    rest: int = 0
    """Predictions until the next that has a row."""
    unjudged: Unjudged = field(default_factory=Unjudged)

    def predicted(self, at: float, clock: Clock, proven_at: float) -> bool:
        """Take a new prediction of event time ``at``, in Kafka at ``proven_at``, not above 0 without Kafka.

        Return whether it is to have a row (``stream.rows``): the more come in an hour, the fewer of them.
        """
        traffic, maturity, now = self.traffic, self.maturity, clock.at
        if now - traffic.seen_at <= SHORTEST_S and now < traffic.until:
            traffic.seen_at, traffic.lost_s = now, clock.lost_s
            traffic.count += 1
        else:
            traffic.seen(now, clock.lost_s)
        if maturity.began_at <= at < maturity.ends_at:  # a call more costs as much as all of this
            maturity.predictions += 1
        else:
            maturity.predicted(at)
        if -BEHIND_S <= at - proven_at <= AHEAD_S:
            self.events += 1
        else:
            self._strayed(at, proven_at)
        if self.rest:
            self.rest -= 1
            return False
        self.rest = min(traffic.count // DENSE, SPARSE)
        return True

    def labelled(
        self, at: float, outcome_at: float, loss: float, scale: float, clock: Clock, proven_at: float | None
    ) -> None:
        """Take the outcome of a prediction of event time ``at``; ``scale`` is a large loss, 0 while not known."""
        maturity, now = self.maturity, clock.at
        is_usual = now - maturity.seen_at <= SHORTEST_S and maturity.finding is None
        if is_usual and maturity.began_at <= at < maturity.ends_at:
            maturity.seen_at, maturity.lost_s = now, clock.lost_s
            maturity.labels += 1
            maturity.loss_total += loss
            maturity.delays[int(outcome_at - at).bit_length() if outcome_at > at else 0] += 1
            maturity.development.take(outcome_at - at, loss, scale)
        else:
            maturity.labelled(at, outcome_at - at, loss, scale, now, clock.lost_s)
        if proven_at is not None and -BEHIND_S <= outcome_at - proven_at <= AHEAD_S:
            self.events += 1
        else:
            self._strayed(outcome_at, proven_at or 0.0)

    def _strayed(self, at: float, proven_at: float) -> None:
        """Count an event whose time is far from Kafka's, if Kafka gave any."""
        if proven_at > 0.0:
            self.events += 1
            self.ahead += at > proven_at
            self.behind += at < proven_at

    def clock_counts(self) -> dict[str, int]:
        """Return how many events came in time, ahead of it and behind it."""
        on_time = self.events - self.ahead - self.behind
        return {ON_TIME: on_time, AHEAD: self.ahead, BEHIND: self.behind}


def new_health(label_horizon_s: float) -> Health:
    """Return what nothing is known of yet; it is looked at with the first prediction."""
    return Health(maturity=Maturity(width(label_horizon_s)))


class Words(NamedTuple):
    """What a ticket says: a clause, the figure before and after with their counts, the onset and its interval."""

    text: str
    before: float
    after: float
    before_count: int
    after_count: int
    onset_at: float
    onset_after: float
    onset_before: float


class Look(NamedTuple):
    """What a look at a model needs to know. ``version`` is its newest; ``is_served``: not all have retired."""

    model: str
    version: str
    is_served: bool
    now: float
    lost_s: float
    proven_at: float | None


def look(health: Health, seen: Look, counts: Mapping[str, int], judgement: Judgement) -> list[Finding]:
    """Return the tickets that were opened or closed by time; sets when to look again.

    ``counts`` are those of the model's events by what became of them.
    """
    traffic, maturity, now = health.traffic, health.maturity, seen.now
    odds, final = judgement.silence_odds(KINDS), maturity.final()
    a_day = 0.0 if isnan(final) else traffic.hours.a_day() * final
    is_silent = seen.is_served and traffic.is_silent(now, seen.lost_s, odds)
    is_gone = not seen.is_served and now - traffic.seen_at > WAITS_S  # nobody waits for its labels
    is_starved = maturity.is_starved(now, seen.lost_s, odds, a_day) and not is_gone
    is_back = maturity.is_back(now, seen.lost_s) or is_gone
    limit = judgement.drift_limit(KINDS)
    found = (
        _silence(traffic, is_silent, _is_heard(traffic, seen), seen, partial(_traffic, traffic, seen)),
        _silence(maturity, is_starved, is_back, seen, partial(_labels, maturity, seen)),
        *_join(health, counts, limit, seen),
        _trouble(health.clock, CLOCK, health.clock.look(CLOCKS, health.clock_counts(), now, limit), seen),
    )
    is_open = traffic.finding is not None or maturity.finding is not None
    rest_s = SHORTEST_S if is_open else max(traffic.next_at(now, seen.lost_s) - now, SHORTEST_S)
    health.due_at = now + min(rest_s, LOOKED_S)
    return [one for one in found if one is not None]


def _silence(
    of: Traffic | Maturity, is_over_limit: bool, is_over: bool, seen: Look, words: Callable[[], Words]
) -> Finding | None:
    """Open the ticket of a silence that is over its limit, or close one that is over."""
    if of.finding is not None:
        if not is_over:
            return None
        closed, of.finding = _closed(of.finding, seen), None
        return closed
    if not is_over_limit:
        return None
    metric: Metric = "traffic" if isinstance(of, Traffic) else "labels"
    of.episode += 1
    of.finding = _opened(seen, f"@{metric}", metric, of.episode, words())
    return of.finding


def _is_heard(traffic: Traffic, seen: Look) -> bool:
    """Return whether a silence is over: a prediction came, or none is missed since all versions have retired."""
    return traffic.finding is not None and (traffic.seen_at > traffic.finding.onset_at or not seen.is_served)


def _traffic(traffic: Traffic, seen: Look) -> Words:
    missed = traffic.missed(seen.now, seen.lost_s)
    return _words(traffic.seen_at, seen.now, missed, "prediction", "at these hours of the week")


def _labels(maturity: Maturity, seen: Look) -> Words:
    return _words(
        maturity.seen_at, seen.now, maturity.missed(seen.now, seen.lost_s), "label", "with their usual delay"
    )


def _words(seen_at: float, now: float, missed: float, what: str, usually: str) -> Words:
    hours = (now - seen_at) / HOUR_S
    words = f"no {what} for {hours:.3g} h, since {in_words(seen_at)}; {missed:.0f} would have come {usually}"
    return Words(words, missed / hours, 0.0, round(missed), 0, seen_at, seen_at, now)


def _join(
    health: Health, counts: Mapping[str, int], limit: float, seen: Look
) -> tuple[Finding | None, Finding | None]:
    """Judge what became of the events; while most labels can't be compared no window says what is usual."""
    join, unjudged, now = health.join, health.unjudged, seen.now
    comparable = counts.get(Reason.MATCHED, 0) + counts.get(Reason.CORRECTED, 0)
    news = unjudged.look(comparable, counts.get(MISMATCHED, 0), now, seen.is_served)
    if news is None and unjudged.finding is None:
        return None, _trouble(join, JOINED, join.look(JOIN, counts, now, limit), seen)
    join.skip(JOIN, counts, now)
    told = None if news is None else _mismatch(unjudged, news, seen)
    return told, _taken_over(join, seen) if unjudged.finding is not None else None


def _taken_over(rates: Rates, seen: Look) -> Finding | None:
    """Close the ticket of a part that could not be compared: by now it is most."""
    drift = rates.drift
    if drift.finding is None or drift.finding.metric != "mismatched_rate":
        return None
    closed, drift.finding, drift.evidence = _closed(drift.finding, seen), None, 0.0
    return closed


def _mismatch(unjudged: Unjudged, news: Mismatch, seen: Look) -> Finding:
    """Open the ticket of a model that is not judged, or close it."""
    if unjudged.finding is not None:
        closed, unjudged.finding = _closed(unjudged.finding, seen), None
        return closed
    mismatched, outcomes, since = news.mismatched, news.outcomes, news.since
    is_all = mismatched == outcomes
    said = (
        f"{'all ' if is_all else f'{mismatched} of '}{outcomes} outcomes since {in_words(since)} are of another "
        "kind than their predictions, or these than their version's first: "
        f"{'the model is' if is_all else 'they are'} not judged"
    )
    words = Words(said, 0.0, mismatched / outcomes, 0, outcomes, since, news.after, seen.now)
    unjudged.episode += 1
    unjudged.finding = _opened(seen, UNJUDGED, "mismatched_rate", unjudged.episode, words)
    return unjudged.finding


def _trouble(rates: Rates, feature: str, trouble: Trouble | None, seen: Look) -> Finding | None:
    """Open or close the ticket of a whole window of the join or of the clocks."""
    drift = rates.drift
    if trouble is None:
        return None
    if trouble.verdict == "drifted":
        assert trouble.kind.metric is not None
        said = f"{trouble.after:.3g} are {trouble.kind.words} (before: {trouble.before:.3g})"
        counts = (trouble.before_count, trouble.after_count)
        since, until = drift.onset_at - DAY_S, seen.now
        words = Words(said, trouble.before, trouble.after, *counts, drift.onset_at, since, until)
        drift.episode += 1
        drift.finding = _opened(seen, feature, trouble.kind.metric, drift.episode, words)
        return drift.finding
    if trouble.verdict == "recovered" and drift.finding is not None:
        closed = _closed(drift.finding, seen)
        drift.finding, drift.evidence = None, 0.0
        return closed
    return None


def _opened(seen: Look, feature: str, metric: Metric, episode: int, words: Words) -> Finding:
    return Finding(
        id=finding_id(seen.model, "", ALL, f"health {feature}", episode),
        state="open",
        severity="ticket",
        model=seen.model,
        version=seen.version,
        slice=ALL,
        metric=metric,
        direction="changed",
        before=words.before,
        after=words.after,
        before_count=words.before_count,
        after_count=words.after_count,
        onset_at=words.onset_at,
        onset_after=words.onset_after,
        onset_before=words.onset_before,
        detected_at=seen.now,
        proven_at=seen.proven_at,
        events_since_onset=words.after_count,
        episode=episode,
        summary=f"{seen.model}: {words.text}.",
        feature=feature,
    )


def _closed(finding: Finding, seen: Look) -> Finding:
    since = finding.after_count  # of a starvation what came since has been counted there
    return replace(
        finding, state="closed", closed_at=seen.now, proven_at=seen.proven_at, events_since_onset=since
    )
