"""What receivers are sent stays within their limits and says what its notification says."""

from __future__ import annotations

import math
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from alerts.badge import VIEW_S, Badges
from alerts.incident import Action, Incident
from alerts.links import Links
from alerts.receivers.alertmanager import AlertmanagerReceiver
from alerts.receivers.email import EmailReceiver
from alerts.receivers.mail import MailServer
from alerts.receivers.pagerduty import PagerDutyReceiver
from alerts.receivers.webhook import WebhookReceiver
from alerts.wording import cut, facts, few, fitting, headline
from stream.events import Finding
from tests.unit.alerts.samples import ROUTING_KEY, SECRET, finding, incident_of, notice, said

FIELDS = {
    "incident_id", "dedup_key", "state", "severity", "owner", "model", "version", "slice", "metric",
    "direction", "feature", "label",
    "before", "after", "before_count", "after_count", "onset_at", "detected_at", "resolved_at", "proven_at",
    "events_since_onset", "examples", "causes", "findings", "finding_count", "summary",
    "acknowledged_by", "resolved_by", "incident_url", "runbook_url", "episode", "cause",
    "objective", "model_count", "worst",
}  # fmt: skip


def webhook_body(incident: Incident, action: Action) -> bytes:
    return said(WebhookReceiver("http://127.0.0.1/", [SECRET]), incident, action).body


def pagerduty_body(incident: Incident, action: Action) -> bytes:
    return said(PagerDutyReceiver(ROUTING_KEY), incident, action).body


def read(body: bytes) -> Any:
    return msgspec.json.decode(body)


def huge() -> Finding:
    return finding(
        "f" * 5_000,
        model="eta." + "ü" * 9_000,
        version="v" * 9_000,
        slice="s" * 9_000,
        summary="€" * 9_000,
        examples=tuple("ä" * 900 for _ in range(5_000)),
        causes=tuple("c" * 90_000 for _ in range(500)),
    )


def test_webhook_body_says_what_why_and_since_when() -> None:
    body = read(webhook_body(incident_of(finding("a"), finding("b")), "trigger"))
    assert body["type"] == "incident.opened"
    assert body["timestamp"] == "1970-01-01T00:33:20.250Z"
    data = body["data"]
    assert set(data) == FIELDS
    assert (data["owner"], data["model"], data["version"]) == ("maps", "eta.city", "7")
    assert (data["slice"], data["metric"], data["before"], data["after"]) == (
        "country=CH",
        "accuracy",
        0.91,
        0.62,
    )
    assert (data["state"], data["resolved_at"], data["findings"]) == ("open", None, ["a", "b"])
    assert data["summary"] == "eta.city 7 [country=CH]: accuracy got worse, 0.91 to 0.62"


def test_resolve_carries_the_same_key_and_its_instant() -> None:
    incident = incident_of(finding("a"), finding("a", "closed", closed_at=1_700.0))
    opened = read(webhook_body(incident, "trigger"))
    resolved = read(webhook_body(incident, "resolve"))
    assert resolved["type"] == "incident.resolved"
    assert (resolved["data"]["state"], resolved["data"]["resolved_at"]) == ("resolved", 1_700.0)
    assert resolved["data"]["dedup_key"] == opened["data"]["dedup_key"]


def test_late_trigger_of_a_resolved_incident_still_reads_open() -> None:
    before = incident_of(finding("a"))
    after = incident_of(finding("a"), finding("a", "closed"))
    assert webhook_body(after, "trigger") == webhook_body(before, "trigger")


def test_undefined_number_is_null() -> None:
    data = read(webhook_body(incident_of(finding("a", before=math.nan)), "trigger"))["data"]
    assert data["before"] is None


def test_pagerduty_trigger_and_resolve_share_one_dedup_key() -> None:
    incident = incident_of(finding("a"), finding("a", "closed"))
    trigger = read(pagerduty_body(incident, "trigger"))
    resolve = read(pagerduty_body(incident, "resolve"))
    assert trigger["event_action"] == "trigger"
    assert trigger["payload"]["severity"] == "critical"
    assert trigger["payload"]["custom_details"]["model"] == "eta.city"
    assert resolve == {
        "routing_key": ROUTING_KEY,
        "event_action": "resolve",
        "dedup_key": trigger["dedup_key"],
    }


@pytest.mark.parametrize("fact", [finding("a"), huge()], ids=["ordinary", "huge"])
def test_pagerduty_limits_hold(fact: Finding) -> None:
    others = [finding(f"{number}-{'x' * 300}", model=fact.model) for number in range(2_000)]
    body = pagerduty_body(incident_of(fact, *others), "trigger")
    event = read(body)
    assert len(body) <= 512_000
    assert len(event["dedup_key"]) <= 255
    assert 0 < len(event["payload"]["summary"]) <= 1_024
    assert event["payload"]["custom_details"]["finding_count"] == 2_001


def test_what_is_cut_is_visibly_cut() -> None:
    body = webhook_body(incident_of(huge()), "trigger")
    data = read(body)["data"]
    assert data["summary"].endswith("…")
    assert data["version"].endswith("…")
    assert data["examples"][-1] == f"… and {5_000 - len(data['examples']) + 1} more"
    assert len(body) <= 20_000


@pytest.mark.parametrize("limit", [2_000, 3_000, 5_000, 10_000, 50_000])
def test_details_fit_any_limit_and_keep_what_fits(limit: int) -> None:
    incident = incident_of(huge(), *(finding(f"{number}", model=huge().model) for number in range(100)))
    made = fitting(incident, "trigger", Links(), limit)
    assert len(msgspec.json.encode(made)) <= limit
    assert made["finding_count"] == 101


def test_few_says_how_many_are_left_out() -> None:
    assert few(["a", "b"], 2) == ["a", "b"]
    assert few(["a", "b", "c"], 2) == ["a", "… and 2 more"]
    assert few([], 0) == []


def test_control_characters_are_blanks() -> None:
    assert cut("a\r\nBcc: x\x1b[31m\u2028") == "a  Bcc: x [31m "


def test_acknowledgement_names_who_has_it() -> None:
    incident = replace(incident_of(finding("a")), acknowledged_by="ada", acknowledged_at=2_100.0)
    assert ("Acknowledged by", "ada") in facts(incident, "acknowledge")
    body = read(webhook_body(incident, "acknowledge"))
    assert (body["type"], body["timestamp"]) == ("incident.acknowledged", "1970-01-01T00:35:00.000Z")
    assert body["data"]["acknowledged_by"] == "ada"


def test_storm_counts_its_models_and_names_the_worst_first() -> None:
    incident = incident_of(finding("a", model="eta.a"))
    children = {
        f"eta.{number}": replace(incident.children["eta.a"], harm=float(number)) for number in range(30)
    }
    storm = replace(incident, children=children)
    data = read(webhook_body(storm, "trigger"))["data"]
    assert data["model_count"] == 30
    assert data["worst"][0] == "eta.29 7 [country=CH]: accuracy 0.91 to 0.62"
    assert data["worst"][-1] == "… and 21 more"
    assert data["summary"].startswith("30 models got worse. ")
    assert "Worst: eta.29 7 [country=CH]" in data["summary"]
    caused = read(webhook_body(replace(storm, cause="geo"), "trigger"))["data"]
    assert caused["summary"].startswith("30 models that depend on geo got worse.")


def test_relapse_and_flapping_are_named() -> None:
    incident = incident_of(finding("a"))
    said = [headline(replace(incident, episode=number), "trigger", 30) for number in (1, 2, 3)]
    assert [one.partition(":")[0] for one in said] == ["Open", "Open again", "Flapping"]


def test_mail_names_its_thread_however_long_its_domain_is() -> None:
    domain, incident = f"{'a' * 60}.example", incident_of(finding("a"), finding("a", "closed"))
    receiver = EmailReceiver(MailServer("mx.example", 25, "none"), f"pager@{domain}", "ops@maps.example")
    mail = receiver.message(incident, notice(incident, "resolve"), 3_000.0).message
    thread = f"<{notice(incident, 'trigger').id}@{domain}>"
    assert mail.as_bytes().count(thread.encode()) == 2


def test_a_page_bears_the_instant_of_its_telling_not_that_of_the_ticket_that_it_was() -> None:
    told_at = 2_000.0 + 21 * 86_400.0
    incident = replace(incident_of(finding("a")), told_at=told_at, changed_at=told_at + 60.0)
    wanted = "1970-01-22T00:33:20.000Z"
    assert read(webhook_body(incident, "trigger"))["timestamp"] == wanted
    assert read(pagerduty_body(incident, "trigger"))["payload"]["timestamp"] == wanted
    (alert,) = read(said(AlertmanagerReceiver("http://127.0.0.1/"), incident, "resolve").body)
    assert (alert["startsAt"], alert["endsAt"]) == (wanted, "1970-01-22T00:34:20.000Z")
    mailer = EmailReceiver(MailServer("mx.example", 25, "none"), "pager@t.example", "ops@maps.example")
    mail = mailer.message(incident, notice(incident, "trigger"), told_at + 1.0).message
    assert mail["Date"] == "Thu, 22 Jan 1970 00:33:20 +0000"


@pytest.mark.parametrize(
    ("action", "change"),
    [
        ("trigger", {"told_at": 2_000_000.0}),
        ("acknowledge", {"state": "acknowledged", "acknowledged_at": 2_000_000.0}),
        ("resolve", {"state": "resolved", "changed_at": 2_000_000.0}),
    ],
)
def test_a_link_opens_the_page_for_a_week_after_what_it_came_with(action: Action, change: Any) -> None:
    badges = Badges((), "k" * 32)
    incident = replace(incident_of(finding("a")), **change)
    links = Links(incidents="https://tidewatch.example/incidents", badges=badges)
    body = read(said(WebhookReceiver("http://127.0.0.1/", [SECRET], links), incident, action).body)
    _, _, ticket = body["data"]["incident_url"].partition("?pass=")
    assert badges.admits(ticket, "view", incident.id, 2_000_000.0 + VIEW_S - 1.0)
    assert not badges.admits(ticket, "view", incident.id, 2_000_000.0 + VIEW_S)
