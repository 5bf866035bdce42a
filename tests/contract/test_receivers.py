"""One contract for all receivers: limits, repeats, secrets, answers; and real servers take what they send."""

from __future__ import annotations

import asyncio
import email
import email.policy
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple, get_args

import msgspec
import pytest
from aiosmtpd.controller import Controller
from msgspec.structs import replace
from standardwebhooks import Webhook

from alerts.answer import Accepted, Answer, Gone, Refused, Reply, RetryLater
from alerts.courier import Courier
from alerts.digest import MOST
from alerts.grouping import Grouping
from alerts.http import Http
from alerts.incident import ACTIONS, Action, Incident
from alerts.links import Links
from alerts.outbox import Digest, Due
from alerts.receivers import slack, teams
from alerts.receivers.alertmanager import AlertmanagerReceiver
from alerts.receivers.email import EmailReceiver
from alerts.receivers.mail import Mail, MailServer
from alerts.receivers.pagerduty import PagerDutyReceiver
from alerts.receivers.receiver import Digester, Message, Receiver
from alerts.receivers.request import Request
from alerts.receivers.slack import SlackReceiver
from alerts.receivers.teams import TeamsReceiver
from alerts.receivers.webhook import WebhookReceiver
from alerts.smtp import Smtp
from alerts.tables import RECEIVERS
from stream.demo.processes import free_port
from stream.events import Finding
from tests.unit.alerts.samples import LOOPBACK, OWNERS, HookServer, finding, hook_server, incident_of, notice

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
NEXT_SECRET = "whsec_bmV4dC1uZXh0LW5leHQtbmV4dC1uZXh0"
TOKEN = "tokentokentoken"
LINKS = Links(incidents="https://tidewatch.example/incidents", runbooks="https://docs.example/runbooks")
EVIL = '<!channel> & [x](http://evil.example) *b* \x1b[31m "\r\nBcc: eve@evil.example\u2028'
FINAL = 200
ROOT = Path(__file__).parents[2]


class Kind(NamedTuple):
    """A receiver to build for a server, and what its bodies may have at most, in bytes."""

    build: Callable[[str, int], Receiver]
    limit: int
    ok: bytes = b""


KINDS = {
    "webhook": Kind(lambda url, port: WebhookReceiver(f"{url}/{TOKEN}", [SECRET], LINKS), 20_000),
    "cloudevents": Kind(
        lambda url, port: WebhookReceiver(url, [NEXT_SECRET, SECRET], LINKS, "cloudevents"), 20_000
    ),
    "pagerduty": Kind(lambda url, port: PagerDutyReceiver(TOKEN * 2 + "xx", url, LINKS), 512_000),
    "alertmanager": Kind(lambda url, port: AlertmanagerReceiver(url, TOKEN, LINKS), 40_000),
    "slack": Kind(lambda url, port: SlackReceiver(f"{url}/{TOKEN}", LINKS), 40_000, b"ok"),
    "teams": Kind(lambda url, port: TeamsReceiver(f"{url}/{TOKEN}", LINKS), 28_000, b"1"),
    "email": Kind(
        lambda url, port: EmailReceiver(
            MailServer("127.0.0.1", port, "none", "", TOKEN), "pager@t.example", "ops@maps.example", LINKS
        ),
        200_000,
    ),
}
each = pytest.mark.parametrize("name", KINDS)


@cache
def huge(character: str = "€") -> Incident:
    fact = finding(
        "f" * 300,
        model="eta." + character * 9_000,
        version=character * 9_000,
        slice=character * 9_000,
        summary=character * 90_000,
        examples=tuple(character * 900 for _ in range(5_000)),
        causes=tuple(character * 90_000 for _ in range(500)),
    )
    others = [finding(f"{number}-{character * 300}", model=fact.model) for number in range(1_999)]
    incident = incident_of(fact, *others)
    return replace(incident, acknowledged_by=character * 900, acknowledged_at=2_100.0, resolved_at=2_200.0)


def evil() -> Incident:
    fact = finding(
        "a", model=f"eta.{EVIL}", version=EVIL, slice=EVIL, summary=EVIL, causes=(EVIL,), examples=(EVIL,)
    )
    return replace(incident_of(fact), acknowledged_by=EVIL, acknowledged_at=2_100.0)


def content(message: Message) -> bytes:
    return message.body if isinstance(message, Request) else message.message.as_bytes()


def sent_by(name: str, incident: Incident, action: Action, at: float = 3_000.0) -> Message:
    return KINDS[name].build("http://127.0.0.1:9", 9).message(incident, notice(incident, action), at)


def body_of(name: str, incident: Incident, action: Action) -> Any:
    return msgspec.json.decode(content(sent_by(name, incident, action)))


@contextmanager
def courier() -> Iterator[Callable[[Message], Answer]]:
    def send(message: Message) -> Answer:
        async def exchange() -> Answer:
            carrier = Courier(Http(5.0, LOOPBACK), Smtp(5.0))
            try:
                return await carrier.send(message)
            finally:
                await carrier.close()

        return asyncio.run(exchange())

    yield send


class Box:
    """What a mail server got, and what it answers."""

    def __init__(self) -> None:
        self.mails: list[bytes] = []
        self.answer = "250 OK"
        self.port = 0

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        if self.answer.startswith("250"):
            self.mails.append(envelope.content)
        return self.answer


@pytest.fixture
def box() -> Iterator[Box]:
    received = Box()
    controller = Controller(received, hostname="127.0.0.1", port=free_port())
    controller.start()
    received.port = controller.port
    try:
        yield received
    finally:
        controller.stop()


@pytest.fixture
def hook() -> Iterator[HookServer]:
    with hook_server() as server:
        yield server


def test_every_kind_of_the_owners_file_is_here() -> None:
    assert set(RECEIVERS) <= set(KINDS)


@each
@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("character", ["x", "€", "😀", '"', "&", "\x01"])
def test_longest_message_is_within_the_limit(name: str, action: Action, character: str) -> None:
    assert len(content(sent_by(name, huge(character), action))) <= KINDS[name].limit


@each
def test_repeat_under_the_same_id_says_the_same(name: str) -> None:
    incident = evil()
    for action in ACTIONS:
        first, again = (sent_by(name, incident, action, at) for at in (3_000.0, 3_600.0))
        if name == "alertmanager":  # the one whose message is a state, valid for some time
            first, again = (msgspec.json.decode(content(one))[0] for one in (first, again))  # type: ignore[assignment]
            assert first["labels"] == again["labels"]  # type: ignore[index]
        else:
            assert content(first) == content(again)


@each
def test_no_secret_is_shown(name: str) -> None:
    receiver = KINDS[name].build("http://127.0.0.1:9", 9)
    incident = evil()
    message = receiver.message(incident, notice(incident, "trigger"), 3_000.0)
    shown = f"{receiver!r} {message!r}"
    if isinstance(message, Mail):
        shown = f"{receiver!r} {message.server!r}"
    assert TOKEN not in shown
    assert SECRET not in shown


@each
def test_a_real_server_takes_every_action(name: str, hook: HookServer, box: Box) -> None:
    hook.answer, hook.body = lambda got: (FINAL, {}), KINDS[name].ok
    receiver = KINDS[name].build(hook.url, box.port)
    incident = evil()
    with courier() as send:
        for action in ACTIONS:
            assert send(receiver.message(incident, notice(incident, action), 3_000.0)) == Accepted()
    assert len(hook.got) + len(box.mails) == len(ACTIONS)


@each
def test_notification_leads_to_the_incident_and_its_runbook(name: str) -> None:
    incident = incident_of(finding("a"))
    text = content(sent_by(name, incident, "trigger")).decode().replace("=\r\n", "").replace("=\n", "")
    assert f"https://tidewatch.example/incidents/{incident.id}" in text
    assert "https://docs.example/runbooks/accuracy.md" in text


# What each receiver promises beyond that.


def test_cloudevent_has_its_required_attributes_and_the_notifications_id() -> None:
    incident = incident_of(finding("a"))
    event = body_of("cloudevents", incident, "trigger")
    assert event["specversion"] == "1.0"
    assert event["id"] == notice(incident, "trigger").id
    assert (event["source"], event["type"]) == ("/tidewatch/pager", "tidewatch.incident.opened")
    assert event["data"]["incident_id"] == event["subject"] == incident.id
    message = sent_by("cloudevents", incident, "trigger")
    assert isinstance(message, Request)
    assert message.headers["content-type"] == "application/cloudevents+json"


def test_pagerduty_follows_a_trigger_with_bare_events() -> None:
    incident = incident_of(finding("a"))
    trigger, *later = (body_of("pagerduty", incident, action) for action in ACTIONS)
    assert len(trigger["payload"]["summary"]) <= 1_024
    for event, action in zip(later, ("acknowledge", "resolve"), strict=True):
        assert event == {
            "routing_key": trigger["routing_key"],
            "event_action": action,
            "dedup_key": trigger["dedup_key"],
        }


def test_alert_keeps_its_labels_and_ends_with_its_incident() -> None:
    incident = incident_of(finding("a"))
    resolved = incident_of(finding("a"), finding("a", "closed"))
    (fires,) = body_of("alertmanager", incident, "trigger")
    (ends,) = body_of("alertmanager", resolved, "resolve")
    assert fires["labels"] == ends["labels"]
    assert fires["endsAt"] == "1970-01-01T00:56:00.000Z"
    assert ends["endsAt"] == "1970-01-01T00:33:20.250Z"
    names = [*fires["labels"], *fires["annotations"]]
    assert all(re.fullmatch("[a-zA-Z_][a-zA-Z0-9_]*", name) for name in names)
    assert all(isinstance(value, str) for value in (fires["labels"] | fires["annotations"]).values())


@pytest.mark.parametrize("character", ["x", "&", "€"])
def test_slack_blocks_keep_their_limits(character: str) -> None:
    body = body_of("slack", huge(character), "trigger")
    header, summary, fields, causes, buttons, _context = body["blocks"]
    assert len(header["text"]["text"]) <= 150
    assert all(len(block["text"]["text"]) <= 3_000 for block in (summary, causes))
    assert len(fields["fields"]) <= 10
    assert all(len(field["text"]) <= 2_000 for field in fields["fields"])
    assert all(len(button["text"]["text"]) <= 75 for button in buttons["elements"])
    assert len(str(body["blocks"])) <= 13_000
    assert "… and 491 more" in causes["text"]["text"]


def test_slack_mentions_nobody_by_way_of_a_models_name() -> None:
    for action in ACTIONS:
        text = content(sent_by("slack", evil(), action)).decode()
        assert "<!channel>" not in re.sub(r'"plain_text","text":"[^"]*', "", text)
        assert "&lt;!channel&gt;" in text


def test_slack_makes_no_links_and_mentions_of_plain_text() -> None:
    found: list[Any] = []

    def gather(one: Any) -> None:
        for value in one.values() if isinstance(one, dict) else one if isinstance(one, list) else ():
            gather(value)
        if isinstance(one, dict) and one.get("type") == "mrkdwn":
            found.append(one)

    gather(body_of("slack", evil(), "trigger"))
    gather(
        msgspec.json.decode(content(SlackReceiver("http://127.0.0.1/", LINKS).digest(digest_of(evil()), 0.0)))
    )
    assert len(found) > 10
    assert {one.get("verbatim") for one in found} == {True}


def test_teams_runs_hold_no_markdown_links() -> None:
    (attachment,) = body_of("teams", evil(), "trigger")["attachments"]
    assert {block["type"] for block in attachment["content"]["body"]} == {"RichTextBlock"}
    assert len(attachment["content"]["actions"]) == 2


def reply(body: bytes, status: int = 200, *, whole: bool = True) -> Reply:
    return Reply(status, None, body, whole, 0.0)


@pytest.mark.parametrize(
    ("got", "answer"),
    [
        (reply(b"ok"), Accepted()),
        (reply(b"ok\n"), Accepted()),
        (reply(b'{"ok":false,"error":"invalid_auth"}'), Refused("not_ok")),
        (reply(b"", whole=False), RetryLater("unread_body")),
        (reply(b"invalid_payload", 400), Refused("http_400")),
        (reply(b"channel_is_archived", 410), Gone()),
        (reply(b"rate_limited", 429), RetryLater("http_429")),
    ],
)
def test_slack_has_it_when_it_says_ok(got: Reply, answer: Answer) -> None:
    assert slack.read(got) == answer


@pytest.mark.parametrize(
    ("got", "answer"),
    [
        (reply(b"1"), Accepted()),
        (reply(b"", 202), Accepted()),
        (
            reply(
                b"Webhook message delivery failed with error: Microsoft Teams endpoint returned HTTP error 429"
            ),
            RetryLater("http_429"),
        ),
        (reply(b"... endpoint returned HTTP error 413 with ContextId ..."), Refused("http_413")),
        (reply(b"... HTTP error 410"), Gone()),
        (reply(b"... HTTP error 200"), Refused("error_in_body")),
        (reply(b"Webhook message delivery failed with error: connection lost"), RetryLater("error_in_body")),
        (reply(b"Bad payload received by generic incoming webhook.", 400), Refused("http_400")),
    ],
)
def test_teams_error_in_an_accepted_answer_is_seen(got: Reply, answer: Answer) -> None:
    assert teams.read(got) == answer


def read_mail(raw: bytes) -> EmailMessage:
    made = email.message_from_bytes(raw, policy=email.policy.default)
    assert isinstance(made, EmailMessage)
    return made


def test_mails_of_an_incident_are_one_thread_and_keep_their_headers(box: Box) -> None:
    receiver = KINDS["email"].build("", box.port)
    incident = evil()
    with courier() as send:
        for action in ACTIONS:
            send(receiver.message(incident, notice(incident, action), 3_000.0))
    opened, *later = [read_mail(raw) for raw in box.mails]
    assert opened["Message-ID"] == f"<{notice(incident, 'trigger').id}@t.example>"
    assert [mail["References"] for mail in later] == [opened["Message-ID"]] * 2
    assert len({mail["Message-ID"] for mail in (opened, *later)}) == 3
    assert opened["Bcc"] is None
    assert opened["Subject"].startswith("Open: <!channel> &")
    assert opened["Auto-Submitted"] == "auto-generated"
    assert "Genauigkeit" not in opened.get_content()
    assert EVIL.split("\x1b")[0] in opened.get_content()


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        ("250 OK", Accepted()),
        ("451 greylisted", RetryLater("smtp_451")),
        ("552 too large", Refused("smtp_552")),
    ],
)
def test_smtp_answer_decides_what_comes_next(box: Box, said: str, answer: Answer) -> None:
    box.answer = said
    incident = incident_of(finding("a"))
    with courier() as send:
        message = KINDS["email"].build("", box.port).message(incident, notice(incident, "trigger"), 0.0)
        assert send(message) == answer


def test_mail_server_that_is_not_there_or_speaks_no_tls_is_not_the_end(box: Box) -> None:
    incident = incident_of(finding("a"))
    with courier() as send:
        gone = MailServer("127.0.0.1", free_port(), "none")
        plain = MailServer("127.0.0.1", box.port, "starttls")
        answers = [
            send(
                EmailReceiver(server, "a@t.example", "b@t.example").message(
                    incident, notice(incident, "trigger"), 0.0
                )
            )
            for server in (gone, plain)
        ]
    assert answers == [RetryLater("network"), RetryLater("network")]
    assert box.mails == []


def test_every_kind_of_finding_has_its_runbook() -> None:
    (metrics,) = (field.type for field in msgspec.structs.fields(Finding) if field.name == "metric")
    written = {path.stem for path in (ROOT / "docs" / "runbooks").glob("*.md")}
    assert set(get_args(metrics)) <= written


def digest_of(incident: Incident) -> Digest:
    actions = ("trigger", "resolve")
    dues = [
        Due(
            replace(incident, id=f"inc_{number:032}"),
            replace(notice(incident, action), digest="dig_x", id=f"n{number}"),
        )
        for number in range(MOST // 2)
        for action in actions
    ]
    return Digest(tuple(dues))


TAKING = [name for name, kind in KINDS.items() if isinstance(kind.build("http://127.0.0.1:9", 9), Digester)]
each_digester = pytest.mark.parametrize("name", TAKING)


def test_all_but_pagerduty_take_digests() -> None:
    assert [*KINDS.keys() - set(TAKING)] == ["pagerduty"]


@each_digester
@pytest.mark.parametrize("character", ["x", "€", "😀", '"', "&", "\n"])
def test_longest_digest_is_within_the_limit_and_lists_every_incident(name: str, character: str) -> None:
    made = digest_of(huge(character))
    receiver = KINDS[name].build("http://127.0.0.1:9", 9)
    message = receiver.digest(made, 3_000.0)
    most = KINDS[name].limit * (MOST if name == "alertmanager" else 1)  # it has no limit: a list of alerts
    assert len(content(message)) <= most
    said = message.message.get_content() if isinstance(message, Mail) else content(message).decode()
    if name != "slack":
        assert all(due.incident.id in said for due in made.dues)
    assert content(receiver.digest(made, 3_000.0)) == content(message)


@pytest.mark.parametrize("character", ["x", "&", "😀"])
def test_slacks_digest_keeps_the_limits_of_its_blocks(character: str) -> None:
    receiver = SlackReceiver("http://127.0.0.1:9", replace(LINKS, incidents="https://t.example/" + "p" * 150))
    body = msgspec.json.decode(receiver.digest(digest_of(huge(character)), 3_000.0).body)
    texts = [block["text"]["text"] for block in body["blocks"] if block["type"] == "section"]
    assert len(body["blocks"]) <= 50
    assert max(map(len, texts)) <= 3_000
    assert sum(text.count("\n") + 1 for text in texts) == MOST
    assert len(msgspec.json.encode(body["blocks"]).decode()) <= 13_200 or character == "😀"
    assert sum(map(len, texts)) <= 12_500


@each_digester
def test_a_real_server_takes_a_digest(name: str, hook: HookServer, box: Box) -> None:
    kind = KINDS[name]
    hook.answer = lambda got: (200, {})
    hook.body = kind.ok
    receiver = kind.build(hook.url, box.port)
    with courier() as send:
        assert isinstance(send(receiver.digest(digest_of(evil()), time.time())), Accepted)
    assert len(hook.got) + len(box.mails) == 1


def test_a_webhooks_digest_is_signed_under_its_own_id_and_names_each_notification() -> None:
    made = digest_of(incident_of(finding()))
    request = WebhookReceiver("http://127.0.0.1:9", [SECRET]).digest(made, time.time())
    body = Webhook(SECRET).verify(request.body, dict(request.headers))
    assert request.headers["webhook-id"] == "dig_x"
    assert (body["type"], body["data"]["notification_count"]) == ("incidents.digest", MOST)
    listed = [(one["notification_id"], one["state"]) for one in body["data"]["notifications"]]
    assert listed[:2] == [("n0", "open"), ("n0", "resolved")]


def test_an_alertmanagers_digest_says_of_each_incident_its_last_state_once() -> None:
    request = AlertmanagerReceiver("http://127.0.0.1:9").digest(digest_of(incident_of(finding())), 9_000.0)
    alerts = msgspec.json.decode(request.body)
    assert len({alert["labels"]["incident"] for alert in alerts}) == len(alerts) == MOST // 2
    assert all(alert["endsAt"] < "1970-01-01T02:30:00.000Z" for alert in alerts)


def test_slack_is_told_who_has_it_however_much_there_is_to_say() -> None:
    recall = finding("r", metric="recall", label="late", slice="all")
    others = [finding(f"o{number}", model=f"eta.{number}") for number in range(3)]
    had = replace(
        incident_of(recall, *others, owners=replace(OWNERS, grouping=Grouping())),
        objective="burns 14 times",
        acknowledged_by="ada",
        acknowledged_at=2_100.0,
        state="acknowledged",
    )
    sections = [
        block["fields"] for block in body_of("slack", had, "acknowledge")["blocks"] if "fields" in block
    ]
    assert all(len(fields) <= 10 for fields in sections)
    assert [field["text"] for fields in sections for field in fields][-1] == "*Acknowledged by*\nada"
