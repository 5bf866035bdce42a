"""Edge. The incident page: HTML for a phone in the night, without a script; everything from outside is escaped."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

from alerts.badge import Purpose
from alerts.calendar import Silence
from alerts.chart import drawing, has_band
from alerts.incident import Action, Incident, Notification
from alerts.links import NOWHERE, Links
from alerts.rollback import results
from alerts.wording import CAUSES, EXAMPLES, clock, cut, facts, few, subject, summary
from stream.events import Finding, Metric
from stream.instant import in_words

TEMPLATES = Path(__file__).parent / "templates"
STYLE = (TEMPLATES / "incident.css").read_text(encoding="utf-8").strip()
STYLE_HASH = f"sha256-{base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()}"
TEXT = 4_000
SHOWN = 100
"""Lines of history."""
METRICS: dict[Metric, str] = {
    "accuracy": "Accuracy",
    "mae": "Mean absolute error",
    "log_loss": "Log loss",
    "brier": "Brier score",
    "calibration": "How much more often wrong than said",
    "recall": "Recall",
    "bias": "Bias",
    "psi": "Population stability index",
    "missing_rate": "Share of missing values",
    "new_category_rate": "Share of values never seen before",
    "out_of_range_rate": "Share of values out of range",
    "constant_rate": "Share of the most frequent value",
    "traffic": "Predictions an hour",
    "labels": "Labels an hour",
    "late_rate": "Share of outcomes that come late",
    "unmatched_rate": "Share of outcomes without prediction",
    "unlabelled_rate": "Share of predictions without outcome",
    "duplicate_rate": "Share of events that come again",
    "mismatched_rate": "Share of outcomes of another kind than their predictions",
    "clock_skew_rate": "Share of events from a wrong clock",
}
LOSSES = frozenset(("accuracy", "mae", "log_loss", "brier", "recall"))
"""Metrics of which it is told how many times the loss got larger."""
COMING = frozenset(("traffic", "labels"))
"""Metrics that are events an hour."""
ACTIONS: dict[Action, str] = {
    "trigger": "the page",
    "acknowledge": "the acknowledgement",
    "resolve": "the end",
    "rollback": "the request to roll back",
}


def _one_line(value: object) -> object:
    """Take out of every text from outside what no screen should obey: control and direction marks."""
    return cut(value, TEXT) if isinstance(value, str) and not isinstance(value, Markup) else value


_environment = Environment(
    finalize=_one_line,
    loader=FileSystemLoader(TEMPLATES),
    autoescape=select_autoescape(["html", "svg"]),
    undefined=StrictUndefined,
)


def render(
    incident: Incident,
    tickets: Mapping[Purpose, str],
    now: float,
    links: Links = NOWHERE,
    silences: Sequence[Silence] = (),
    *,
    is_pending: bool = False,
) -> str:
    """Return the page; ``tickets`` are the forms' passes, without one no form. ``now`` in epoch seconds;
    ``silences`` are those that hold for it."""
    lead = incident.lead
    children = sorted(incident.children.items(), key=lambda child: (-child[1].harm, child[0]))
    return _environment.get_template(
        "incident.html"
    ).render(
        incident=incident,
        state=incident.state.capitalize(),
        sentence=summary(incident),
        age=_age(now - lead.onset_at),
        tickets=tickets,
        rollbacks=results(incident),
        parts=incident.parts,
        silences=silences,
        is_pending=is_pending,
        style=Markup(STYLE),  # noqa: S704 - our own file
        metric=METRICS[lead.metric],
        subject=_subject(lead),
        chart=Markup(_environment.get_template("chart.svg").render(**drawing(incident))),  # noqa: S704 - escaped there
        caption=_caption(lead),
        causes=few(lead.causes, CAUSES),
        examples=few(lead.examples, EXAMPLES),
        children=children,
        facts=facts(incident, "trigger"),
        history=history(incident)[:SHOWN],
        runbook=links.runbook(incident),
        when=in_words,
        clock=clock,
        LOSSES=LOSSES,
    )


def history(incident: Incident) -> list[tuple[float, str]]:
    """Return what happened, (epoch seconds, text), newest first."""
    lines: list[tuple[float, str]] = []
    if incident.acknowledged_at is not None:
        lines.append((incident.acknowledged_at, f"acknowledged by {incident.acknowledged_by}"))
    lines += [(one.at, f"{one.by}: {one.text}") for one in incident.comments]
    lines += [
        (one.asked_at, f"{one.asked_by} asked to roll back {one.model} {one.version}")
        for one in incident.rollbacks
        if one.asked_at is not None
    ]
    lines += [(one.accepted_at or one.due_at, _fate(one)) for one in incident.notifications]
    if incident.resolved_by:
        lines.append((incident.resolved_at or incident.changed_at, f"resolved by {incident.resolved_by}"))
    elif incident.state == "resolved":
        lines.append((incident.changed_at, "resolved"))
    return sorted([*lines, (incident.opened_at, "opened")], key=lambda line: -line[0])


def _subject(lead: Finding) -> str:
    """Return what the metric is of, empty when its words say that already."""
    found = subject(lead)
    return "" if found.lower() == METRICS[lead.metric].lower() else found


def _caption(lead: Finding) -> str:
    """Say what the two levels are made of, in the metric's own words."""
    if lead.metric in COMING:
        counts = "how many usually come in an hour at that time of the week, and how many have since."
    elif not lead.before_count and not lead.after_count:
        counts = "of how many outcomes is not known."
    elif lead.feature is None:
        counts = f"{lead.before_count} outcomes before the onset, {lead.after_count} since."
    else:
        counts = f"{lead.before_count} values in the reference, {lead.after_count} in the newest window."
    band = " Around them: 95 % intervals." if has_band(lead) else ""
    doubt = " Shaded: when it most likely began." if lead.onset_after is not None else ""
    return f"Two levels, not a curve: {counts}{band}{doubt}"


def _fate(one: Notification) -> str:
    what = f"{ACTIONS[one.action]} to {one.receiver}"
    tries = f"{one.attempts} attempt{'' if one.attempts == 1 else 's'}"
    if one.state == "sent":
        return f"{what}: accepted after {tries}"
    if one.state == "failed":
        return f"{what}: refused for good, {one.last_error}"
    return f"{what}: waits, {tries}{f', last {one.last_error}' if one.last_error else ''}"


def _age(seconds: float) -> str:
    minutes = int(max(0.0, seconds) // 60)
    if minutes < 120:
        return f"{minutes} min ago"
    return f"{minutes // 60} h ago" if minutes < 2_880 else f"{minutes // 1_440} days ago"
