"""Shell. ``routes test``, ``alert render`` and ``drill``: the pager tried beforehand."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import click
import msgspec
from msgspec.structs import replace

from alerts.answer import Accepted, Answer
from alerts.config import TABLES, Roster
from alerts.config import load as load_owners
from alerts.courier import Courier
from alerts.feed import FETCHED, Feed
from alerts.http import Http
from alerts.incident import ACTIONS, Action, Incident
from alerts.ledger import Ledger
from alerts.owners import Owners
from alerts.receivers.mail import Mail
from alerts.receivers.receiver import Message
from alerts.receivers.rollback import RollbackReceiver
from alerts.refresh import refreshed
from alerts.sample import (
    FIELDS,
    counted,
    drill_notification,
    sample_finding,
    sample_incident,
    sample_rollback,
)
from alerts.smtp import Smtp
from alerts.telling import heard, ripe_at, ripen
from alerts.triage import triage
from alerts.wording import rfc3339, summary
from stream.events import Finding
from stream.settings import FileCheck, Settings
from stream.settings import load as load_settings

HORIZON_S = 86_400.0
"""As far ``routes test`` looks ahead."""
SECRET_FIELDS = ("routing_key",)
OWNERS = click.option(
    "--owners",
    "path",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The owners file; default: the settings'.",
)


@click.group()
def routes() -> None:
    """Say who would be told of a finding, when, and why."""


@routes.command("test")
@OWNERS
@click.option("--at", "instant", metavar="INSTANT", help="When, RFC 3339 with an offset; default: now.")
@click.option(
    "--wrong",
    type=click.FloatRange(0.0, 1.0),
    metavar="SHARE",
    help="How many of the model's outcomes are wrong, 0..1, for an objective; default: as in the finding.",
)
@click.argument("fields", nargs=-1, required=True, metavar="model=… [slice=…] [version=…] [metric=…]")
def routes_test(path: Path | None, instant: str | None, wrong: float | None, fields: tuple[str, ...]) -> None:
    """Play a finding through the real decisions, for a day in which nobody does anything."""
    roster = _roster(path)
    asyncio.run(_fetched(roster))
    owners, now = roster.owners, _instant(instant)
    for line in timeline(counted(_finding(fields, now), wrong), owners, now):
        click.echo(line)


def timeline(finding: Finding, owners: Owners, now: float) -> Iterator[str]:
    """Yield one line for each thing that happens to the incidents of one finding within ``HORIZON_S``."""
    decision = triage(Ledger(), finding, owners, now)
    reasons = ", ".join(decision.reasons)
    yield f"{rfc3339(now)}  {finding.model} is {owners.of(finding.model).name}'s: {reasons}"
    for incident in decision.changed:
        if incident.objective:
            yield f"{rfc3339(now)}  a {incident.severity}: {incident.objective}"
        yield from _story(incident, owners, now)


def _story(incident: Incident, owners: Owners, now: float) -> Iterator[str]:
    about = f"{incident.owner}{f' (upstream {incident.cause})' if incident.cause else ''}"
    seen = 0
    at: float | None = now
    while at is not None and at <= now + HORIZON_S:
        for one in incident.notifications[seen:]:
            yield f"{rfc3339(one.due_at)}  {about}: {one.receiver} is told"
            incident = heard(incident, one, owners, one.due_at)  # else nobody would be told again
        seen = len(incident.notifications)
        if incident.muted_until is not None:
            yield f"{rfc3339(at)}  {about}: quiet until {rfc3339(incident.muted_until)}, by {incident.muted_by}"
        at = ripe_at(incident, owners)
        if at is not None:
            incident = ripen(incident, owners, now + HORIZON_S).changed[0]
    if not seen:
        yield f"{rfc3339(now)}  {about}: nobody is told"


@click.group()
def alert() -> None:
    """Render a notification, or send one marked DRILL."""


ACTION = click.option("--action", type=click.Choice(ACTIONS), default="trigger", show_default=True)
FIELD = click.argument("fields", nargs=-1, metavar="[model=…] [slice=…] [version=…] [metric=…]")


@alert.command("render")
@OWNERS
@ACTION
@click.argument("receiver")
@FIELD
def render(path: Path | None, action: Action, receiver: str, fields: tuple[str, ...]) -> None:
    """Print what a receiver would be sent, without its secrets."""
    roster, now = _roster(path), time.time()
    incident = sample_incident(_finding(fields, now), roster.owners, now)
    click.echo(shown(_message(roster, receiver, incident, action, now)))


@alert.command("drill")
@OWNERS
@click.argument("receiver")
@FIELD
def drill(path: Path | None, receiver: str, fields: tuple[str, ...]) -> None:
    """Really send a page marked DRILL, and its end; exit with 1 when the receiver doesn't take both."""
    roster, now = _roster(path), time.time()
    if isinstance(roster.receivers.get(receiver), RollbackReceiver):
        raise click.BadParameter(
            f"{receiver!r} rolls versions back: want a [[receiver]]; try a hook with dry_run"
        )
    finding = _finding(fields, now)
    named = replace(finding, id=f"drill-{now}")
    incident = sample_incident(named, roster.owners, now)
    marked = replace(incident, lead=replace(named, summary=f"DRILL, nothing is wrong: {summary(incident)}"))
    answers = asyncio.run(_send(roster, receiver, replace(marked, resolved_at=now, changed_at=now), now))
    for action, answer in answers.items():
        click.echo(f"{action}: {answer.reason}")
    if not all(isinstance(answer, Accepted) for answer in answers.values()):
        raise SystemExit(1)


async def _send(roster: Roster, receiver: str, incident: Incident, at: float) -> dict[str, Answer]:
    courier = Courier(Http(guard=roster.guard, ca_file=roster.ca_file), Smtp(ca_file=roster.ca_file))
    answers: dict[str, Answer] = {}
    try:
        for action in ("trigger", "resolve"):
            answers[action] = await courier.send(_message(roster, receiver, incident, action, at))
            if not isinstance(answers[action], Accepted):
                break
    finally:
        await courier.close()
    return answers


def shown(message: Message) -> str:
    """Return a message's content for people, its secrets left out."""
    if isinstance(message, Mail):
        return message.message.as_string()
    body = msgspec.json.decode(message.body)
    if isinstance(body, dict):
        body |= {name: "…" for name in SECRET_FIELDS if name in body}
    return msgspec.json.format(msgspec.json.encode(body)).decode()


def _message(roster: Roster, receiver: str, incident: Incident, action: Action, at: float) -> Message:
    if receiver not in roster.receivers:
        known = ", ".join(roster.receivers) or "none is defined"
        raise click.BadParameter(f"{receiver!r}: want the name of a [[receiver]]: {known}")
    found = roster.receivers[receiver]
    if isinstance(found, RollbackReceiver):
        return found.message(*sample_rollback(incident, receiver), at)
    return found.message(incident, drill_notification(incident, action, receiver), at)


def _roster(path: Path | None) -> Roster:
    settings: Settings | None = None if path else load_settings()
    return load_owners(path or (settings.pager.owners if settings else None), os.environ)


def _finding(fields: tuple[str, ...], now: float) -> Finding:
    given = dict(field.partition("=")[::2] for field in fields)
    try:
        return sample_finding(now, **given)
    except ValueError as fault:
        raise click.BadParameter(f"{fault}; fields are {'=…, '.join(FIELDS)}=…") from None


def _instant(text: str | None) -> float:
    if text is None:
        return time.time()
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise click.BadParameter(f'--at {text!r}: want an instant such as "2026-11-24T03:00:00+01:00"')
    return found.timestamp()


def _checked(path: Path) -> list[str]:
    roster = load_owners(path, os.environ)
    owners = roster.owners
    counts = (
        f"{len(owners.names())} owners, {len(roster.receivers)} receivers, {len(owners.upstreams)} upstreams"
    )
    fetched = asyncio.run(_fetched(roster))
    deaf = [one.name for one in (*owners.owners, owners.default) if not one.receivers]
    notes = [f"note: owner {name} has no receivers: its incidents reach nobody" for name in deaf]
    if roster.links.incidents and roster.desk is not None and not roster.desk.badges.signs:
        notes.append("note: [api] has no link_key: the pages that notifications link to open for nobody")
    return [f"{path}: {counts}", *notes, *fetched]


async def _fetched(roster: Roster) -> list[str]:
    """Fetch every rota that has a URL; return what did not go well."""
    http = Http(guard=roster.guard, ca_file=roster.ca_file)
    try:
        ended = [(feed, await refreshed(feed, http.fetch)) for feed in roster.feeds]
    finally:
        await http.close()
    return [note for feed, (reason, strangers) in ended for note in _faults(feed, reason, strangers)]


def _faults(feed: Feed, reason: str, strangers: tuple[str, ...]) -> Iterator[str]:
    if reason != FETCHED:
        used = "its otherwise is told" if feed.rota.rota is None else f"the copy {feed.copy} is used"
        yield f"note: rota {feed.name} was not fetched: {reason}; {used}"
    if strangers:
        yield f"note: rota {feed.name} gives turns to {', '.join(strangers)}: no receivers"


CHECK = FileCheck(TABLES, _checked)
"""For ``tidewatch validate``."""
