"""Edge. The incident page: HTML for a phone in the night, without a script; everything from outside is escaped."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from math import sqrt
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

from alerts.badge import Purpose
from alerts.calendar import Silence
from alerts.incident import Action, Incident, Notification
from alerts.links import NOWHERE, Links
from alerts.rollback import results
from alerts.wording import CAUSES, EXAMPLES, cut, facts, few, summary, when
from stream.events import Finding

TEMPLATES = Path(__file__).parent / "templates"
STYLE = (TEMPLATES / "incident.css").read_text(encoding="utf-8").strip()
STYLE_HASH = f"sha256-{base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()}"
TEXT = 4_000
SHOWN = 100
"""Lines of history."""
Z = 1.96
"""Standard deviations of a 95 % interval."""
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
        metric={"accuracy": "Accuracy", "mae": "Mean absolute error"}.get(lead.metric, lead.metric),
        chart=Markup(_environment.get_template("levels.svg").render(**_levels(lead))),  # noqa: S704 - escaped there
        caption=_caption(lead),
        causes=few(lead.causes, CAUSES),
        examples=few(lead.examples, EXAMPLES),
        children=children,
        facts=facts(incident, "trigger"),
        history=[*history(incident)][:SHOWN],
        runbook=links.runbook(incident),
        when=when,
    )


def history(incident: Incident) -> Iterator[tuple[float, str]]:
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
    if incident.state == "resolved":
        lines.append((incident.changed_at, "resolved"))
    return iter(sorted([*lines, (incident.opened_at, "opened")], key=lambda line: -line[0]))


def interval(share: float, count: int) -> tuple[float, float]:
    """Return the 95 % interval of a share seen ``count`` times (Wilson 1927); (0, 1) when ``count`` is 0."""
    if count <= 0:
        return 0.0, 1.0
    spread = Z * sqrt(share * (1.0 - share) / count + Z * Z / (4.0 * count * count))
    middle, scale = share + Z * Z / (2.0 * count), 1.0 + Z * Z / count
    return max(0.0, (middle - spread) / scale), min(1.0, (middle + spread) / scale)


def _levels(lead: Finding) -> dict[str, object]:
    """Return where the two levels and their bands lie in a drawing 200 high."""
    bands = [(lead.before, lead.before), (lead.after, lead.after)]
    if lead.metric == "accuracy":
        bands = [interval(lead.before, lead.before_count), interval(lead.after, lead.after_count)]
    lowest, highest = min(low for low, _ in bands), max(high for _, high in bands)
    room = (highest - lowest) * 0.25 or abs(highest) * 0.25 or 1.0

    def height(value: float) -> float:
        return round(165.0 - 130.0 * (value - lowest + room) / (highest - lowest + 2.0 * room), 1)

    return {
        "before": (height(lead.before), height(bands[0][1]), height(bands[0][0]), f"{lead.before:.4g}"),
        "after": (height(lead.after), height(bands[1][1]), height(bands[1][0]), f"{lead.after:.4g}"),
        "onset": when(lead.onset_at),
    }


def _caption(lead: Finding) -> str:
    band = " Bands: 95 % intervals." if lead.metric == "accuracy" else ""
    return f"{lead.before_count} outcomes before the onset, {lead.after_count} since.{band}"


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
