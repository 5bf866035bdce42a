"""The API and the incident page, over real HTTP: who may see and do what, and what it looks like."""

from __future__ import annotations

import asyncio
import re
import socket
import time
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import pytest
from aiohttp import ClientResponse
from aiohttp.test_utils import TestClient, TestServer
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from alerts.api import Api
from alerts.badge import Badges, Failures, Token
from alerts.calendar import MATCHERS, Silence
from alerts.command import Command
from alerts.incident import Incident
from alerts.kept import NotWritten
from alerts.links import Links
from alerts.openapi import document
from alerts.page import render
from alerts.shelf import Shelf
from alerts.silences import SILENCES_BUDGET, EndSilence, SetSilence, wished
from stream.events import RolledOut
from tests.unit.alerts.samples import HOOKED, finding, incident_of
from tests.unit.alerts.store import Store

KEY = "k" * 32
ADMIN = Token("admin", "", "admin-admin-admin-admin-admin")
MAPS = Token("maps-bot", "maps", "maps-maps-maps-maps-maps-maps")
RISK = Token("risk-bot", "risk", "risk-risk-risk-risk-risk-risk")
EVIL = "<script>alert(1)</script>\"'&\u202e"
Story = Callable[["Visit"], Awaitable[None]]


class Visit:
    """A client of a running API."""

    def __init__(self, client: TestClient[Any, Any], store: Store, badges: Badges) -> None:
        self.client = client
        self.store = store
        self.badges = badges

    async def get(self, path: str, token: Token | str | None = None) -> ClientResponse:
        return await self.client.get(path, headers=bearer(token))

    async def post(self, path: str, token: Token | str | None = None, **body: Any) -> ClientResponse:
        return await self.client.post(path, headers=bearer(token), json=body)


def bearer(token: Token | str | None) -> dict[str, str]:
    secret = token.secret if isinstance(token, Token) else token
    return {} if secret is None else {"Authorization": f"Bearer {secret}"}


def visit(
    story: Story, *incidents: Incident, store: Store | None = None, failures: Failures | None = None
) -> None:
    async def play() -> None:
        held = store or Store(*incidents)
        badges = Badges((ADMIN, MAPS, RISK), KEY)
        links = Links(runbooks="https://docs.example")
        app = Api(held, badges, Failures(), links).build()
        async with TestClient(TestServer(app)) as client:
            await story(Visit(client, held, badges))

    asyncio.run(play())


INCIDENT = incident_of(finding("a", causes=("rollout of 7 to live",)))


def test_list_and_details_are_the_owners_alone() -> None:
    async def story(visit: Visit) -> None:
        for token, count in ((ADMIN, 1), (MAPS, 1), (RISK, 0)):
            answer = await visit.get("/api/incidents", token)
            assert (await answer.json())["count"] == count
        shown = await (await visit.get(f"/api/incidents/{INCIDENT.id}", MAPS)).json()
        assert (shown["state"], shown["owner"], shown["finding_count"]) == ("open", "maps", 1)
        assert [one["receiver"] for one in shown["notifications"]] == ["maps-hook", "maps-pd"]
        assert (await visit.get(f"/api/incidents/{INCIDENT.id}", RISK)).status == 404
        assert (await visit.post(f"/api/incidents/{INCIDENT.id}/resolve", RISK)).status == 404
        assert visit.store.commands == []

    visit(story, INCIDENT)


@pytest.mark.parametrize("token", [None, "", "wrong", "admin-admin-admin-admin-admi"])
def test_without_a_token_nothing_is_told(token: str | None) -> None:
    async def story(visit: Visit) -> None:
        for path in ("/api/incidents", f"/api/incidents/{INCIDENT.id}", "/api/incidents/inc_none"):
            answer = await visit.get(path, token)
            assert (answer.status, await answer.json()) == (401, {"error": "want a bearer token"})
        assert (await visit.post(f"/api/incidents/{INCIDENT.id}/acknowledge", token)).status == 401

    visit(story, INCIDENT)


def test_ten_failures_of_an_address_slow_what_is_wrong_and_keep_out_nobody_who_is_right() -> None:
    path = f"/incidents/{INCIDENT.id}"

    async def story(visit: Visit) -> None:
        for _ in range(10):
            assert (await visit.get("/api/incidents", "wrong")).status == 401
        for wrong in ("/api/incidents", f"{path}?pass=1.x"):
            slowed = await visit.get(wrong, "wrong" if "api" in wrong else None)
            assert (slowed.status, slowed.headers["Retry-After"]) == (429, "60")
        assert (await visit.get("/api/incidents", ADMIN)).status == 200
        form = {"pass": visit.badges.sign("acknowledge", INCIDENT.id, time.time() + 60), "by": "ada"}
        assert (await visit.client.post(f"{path}/acknowledge", data=form)).status == 200
        assert [(one.kind, one.by) for one in visit.store.commands] == [("acknowledge", "ada")]

    visit(story, INCIDENT)


def test_only_wrong_tokens_and_passes_are_counted_as_failures() -> None:
    async def story(visit: Visit) -> None:
        for _ in range(12):
            assert (await visit.get("/api/incidents/inc_none", ADMIN)).status == 404
            assert (await visit.get("/api/incidents?state=odd", ADMIN)).status == 400
            assert (await visit.get("/nowhere")).status == 404
        assert (await visit.get("/api/incidents", "wrong")).status == 401

    visit(story, INCIDENT)


def test_failures_are_counted_by_address_for_a_minute() -> None:
    failures = Failures(peers=2)
    for peer in ("a", "b", "c"):
        for _ in range(10):
            failures.note(peer, 100.0)
    assert [failures.is_shut(peer, 100.0) for peer in ("a", "b", "c")] == [False, True, True]
    assert not failures.is_shut("c", 161.0)


def test_commands_change_the_incident_and_a_second_acknowledgement_nothing() -> None:
    async def story(visit: Visit) -> None:
        path = f"/api/incidents/{INCIDENT.id}"
        first = await (await visit.post(f"{path}/acknowledge", MAPS, by="ada")).json()
        second = await (await visit.post(f"{path}/acknowledge", MAPS, by="bob")).json()
        assert (first["acknowledged_by"], second["acknowledged_by"]) == ("ada", "ada")
        said = await (await visit.post(f"{path}/comment", MAPS, text="looking")).json()
        assert [(one["by"], one["text"]) for one in said["comments"]] == [("maps-bot", "looking")]
        ended = await (await visit.post(f"{path}/resolve", MAPS)).json()
        assert ended["state"] == "resolved"

    visit(story, INCIDENT)


def test_command_that_shows_later_is_accepted() -> None:
    store = Store(INCIDENT)
    store.is_folding = False

    async def story(visit: Visit) -> None:
        answer = await visit.post(f"/api/incidents/{INCIDENT.id}/acknowledge", MAPS)
        assert (answer.status, await answer.json()) == (202, {"accepted": True})

    visit(story, store=store)


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/api/incidents?state=closed", "state: want one of open, acknowledged, resolved"),
        ("/api/incidents?limit=0", "limit: want a number within 1..1000"),
        ("/api/incidents?limit=1e9", "limit: want a number within 1..1000"),
        ("/api/incidents?onwer=maps", "onwer: want only state, owner, limit"),
    ],
)
def test_wrong_question_is_named(path: str, said: str) -> None:
    async def story(visit: Visit) -> None:
        answer = await visit.get(path, ADMIN)
        assert (answer.status, await answer.json()) == (400, {"error": said})

    visit(story, INCIDENT)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"[]", 400),
        (b"{", 400),
        (b'{"text":1}', 400),
        (b'{"text":" "}', 400),
        (b"{}", 400),
        (b'{"text":"x","bye":"ada"}', 400),
        (b"[" * 9_000, 400),
        (b'{"text":"\xff"}', 400),
        (b"x" * 20_000, 413),
    ],
)
def test_wrong_body_is_refused(body: bytes, status: int) -> None:
    async def story(visit: Visit) -> None:
        path = f"/api/incidents/{INCIDENT.id}/comment"
        answer = await visit.client.post(path, data=body, headers=bearer(MAPS))
        assert answer.status == status
        assert visit.store.commands == []

    visit(story, INCIDENT)


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"pass=\xff", "application/x-www-form-urlencoded"),
        (b"pass=x", "application/x-www-form-urlencoded; charset=nope"),
        (b"pass=x", "multipart/form-data"),
        (b"pass=x", "multipart/form-data; boundary=a"),
    ],
)
def test_what_is_no_form_is_refused(body: bytes, kind: str) -> None:
    async def story(visit: Visit) -> None:
        path = f"/incidents/{INCIDENT.id}/acknowledge"
        answer = await visit.client.post(path, data=body, headers={"Content-Type": kind})
        assert (answer.status, await answer.json()) == (400, {"error": "body: want a form in UTF-8"})

    visit(story, INCIDENT)


def test_compressed_body_that_is_none_is_refused() -> None:
    async def story(visit: Visit) -> None:
        headers = bearer(MAPS) | {"Content-Encoding": "gzip"}
        path = f"/api/incidents/{INCIDENT.id}/comment"
        async with visit.client.post(path, data=b"zzzz", headers=headers, compress=False) as answer:
            assert answer.status == 400

    visit(story, INCIDENT)


@pytest.mark.parametrize(
    ("fault", "status", "said"),
    [
        (NotWritten(), 503, "Kafka doesn't take it; try again"),
        (RuntimeError("a fault of ours"), 500, "a fault of the pager; its log says more"),
    ],
)
def test_a_fault_behind_the_api_is_an_answer_with_its_headers(
    fault: Exception, status: int, said: str
) -> None:
    class Faulty(Store):
        async def order(self, command: Command, done: Callable[[Incident], bool]) -> Incident | None:
            raise fault

    async def story(visit: Visit) -> None:
        answer = await visit.post(f"/api/incidents/{INCIDENT.id}/acknowledge", MAPS)
        assert (answer.status, await answer.json()) == (status, {"error": said})
        assert answer.headers["Cache-Control"] == "no-store"

    visit(story, store=Faulty(INCIDENT))


def test_a_command_is_written_once_kafka_is_there_again() -> None:
    async def play() -> list[str]:
        with socket.socket() as reserved:
            reserved.bind(("127.0.0.1", 0))
            shelf = Shelf(
                {"bootstrap_servers": f"127.0.0.1:{reserved.getsockname()[1]}"}, "incidents", "findings"
            )
            said = []
            for _ in range(2):  # the second is no producer's that never began
                with pytest.raises(NotWritten) as refused:
                    await shelf.wish(EndSilence(id="sil_1", by="ada"), lambda: True)
                said.append(type(refused.value.__cause__).__name__)
            await shelf.close()
            return said

    assert asyncio.run(play()) == ["KafkaConnectionError"] * 2


def test_until_all_is_read_nothing_is_said() -> None:
    store = Store()
    store.is_whole = False

    async def story(visit: Visit) -> None:
        assert (await visit.get("/api/incidents", ADMIN)).status == 503

    visit(story, store=store)


def page_of(badges: Badges, incident: Incident, expires_at: float) -> str:
    return f"/incidents/{incident.id}?pass={badges.sign('view', incident.id, expires_at)}"


def test_pass_opens_its_page_and_the_form_acknowledges() -> None:
    async def story(visit: Visit) -> None:
        answer = await visit.get(page_of(visit.badges, INCIDENT, time.time() + 60))
        text = await answer.text()
        assert answer.status == 200
        assert "rollout of 7 to live" in text
        assert "https://docs.example/accuracy.md" in text
        (ticket,) = re.findall(r'name="pass" value="([^"]+)"', text)
        form = {"pass": ticket, "by": "ada"}
        after = await visit.client.post(f"/incidents/{INCIDENT.id}/acknowledge", data=form)
        shown = await after.text()
        assert "ada has it" in shown
        assert "<form" not in shown
        assert visit.store.commands[0].by == "ada"

    visit(story, INCIDENT)


def blaming(version: str = "7") -> Incident:
    rollout = RolledOut(version=version, stage="live", at=900.0)
    fact = finding("a", version=version, rollouts=(rollout,))
    return incident_of(fact, owners=HOOKED)


def test_form_rolls_the_blamed_version_back_once() -> None:
    incident = blaming()
    store = Store(incident)
    store.owners = HOOKED

    async def story(visit: Visit) -> None:
        text = await (await visit.get(page_of(visit.badges, incident, time.time() + 60))).text()
        acknowledge, ticket = re.findall(r'name="pass" value="([^"]+)"', text)
        path = f"/incidents/{incident.id}/rollback"
        form = {"pass": ticket, "by": "ada", "model": "eta.city", "version": "7"}
        for wrong in ({"pass": acknowledge}, {"pass": "1.x"}):
            assert (await visit.client.post(path, data=form | wrong)).status == 403
        assert (await visit.client.post(path, data=form | {"version": "6"})).status == 409
        shown = await (await visit.client.post(path, data=form)).text()
        assert "Rollback asked for by ada: <strong>under way</strong>" in shown
        assert f'action="{incident.id}/rollback"' in text
        assert f'action="{incident.id}/rollback"' not in shown
        await visit.client.post(path, data=form | {"by": "bob"})
        told = await (await visit.get(f"/api/incidents/{incident.id}", MAPS)).json()
        assert [(one["asked_by"], one["result"]) for one in told["rollbacks"]] == [("ada", "under way")]
        assert sum(one["action"] == "rollback" for one in told["notifications"]) == 1

    visit(story, store=store)


def test_call_rolls_back_what_the_incident_blames_and_nothing_else() -> None:
    store = Store(blaming())
    store.owners = HOOKED

    async def story(visit: Visit) -> None:
        path = f"/api/incidents/{blaming().id}/rollback"
        answer = await visit.post(path, MAPS)
        assert (answer.status, await answer.json()) == (400, {"error": "version: want a text"})
        for asked in ({"version": "6"}, {"version": "7", "model": "eta.other"}):
            answer = await visit.post(path, MAPS, **asked)
            assert answer.status == 409
            assert "eta.city 7" in (await answer.json())["error"]
        assert (await visit.post(path, RISK, version="7")).status == 404
        told = await (await visit.post(path, MAPS, version="7")).json()
        assert told["rollbacks"][0]["asked_by"] == "maps-bot"

    visit(story, store=store)


def test_call_rolls_back_nothing_of_what_has_resolved() -> None:
    blamed = finding("a", rollouts=(RolledOut(version="7", stage="live", at=900.0),))
    over = replace(incident_of(blamed, owners=HOOKED), state="resolved")

    async def story(visit: Visit) -> None:
        answer = await visit.post(f"/api/incidents/{over.id}/rollback", MAPS, version="7")
        assert (answer.status, visit.store.commands) == (409, [])
        assert await answer.json() == {"error": "the incident has resolved: want an open one"}

    visit(story, over)


def test_silence_says_who_why_and_until_when() -> None:
    async def story(visit: Visit) -> None:
        path = f"/api/incidents/{INCIDENT.id}/silence"
        for wrong in (
            {},
            {"for_s": 0, "text": "x"},
            {"for_s": True, "text": "x"},
            {"for_s": 8e5, "text": "x"},
        ):
            assert (await visit.post(path, MAPS, **wrong)).status == 400
        assert (await visit.post(path, MAPS, for_s=60)).status == 400
        told = await (await visit.post(path, MAPS, for_s=3_600, text="known", by="ada")).json()
        assert told["muted_by"] == "silence by ada: known"
        assert told["muted_until"] == pytest.approx(time.time() + 3_600, abs=30)

    visit(story, INCIDENT)


def test_page_lists_slices_and_versions_with_their_rollouts() -> None:
    rollout = RolledOut(version="8", stage="canary", at=900.0)
    worst = finding("b", slice="country=DE", version="8", after=0.2, rollouts=(rollout,))
    incident = incident_of(finding("a"), worst, finding("c", slice="tier=gold"), finding("c", "closed"))
    text = render(incident, {}, 2_000.0)
    table = text.split("<h2>Versions and slices, UTC</h2>")[1].split("</section>")[0]
    assert table.index("country=DE") < table.index("country=CH")
    assert "▲ canary since 01 Jan 00:15:00" in table
    assert table.count(", over<") == 1
    assert "Versions and slices" not in render(incident_of(finding("a")), {}, 2_000.0)


def test_pass_is_for_one_incident_one_purpose_and_a_while() -> None:
    other = incident_of(finding("b"))

    async def story(visit: Visit) -> None:
        good = visit.badges.sign("view", INCIDENT.id, time.time() + 60)
        assert (await visit.get(f"/incidents/{other.id}?pass={good}")).status == 403
        assert (await visit.get(page_of(visit.badges, INCIDENT, time.time() - 1))).status == 403
        path = f"/incidents/{INCIDENT.id}/acknowledge"
        assert (await visit.client.post(path, data={"pass": good})).status == 403
        assert (await visit.client.post(path)).status == 403
        assert visit.store.commands == []

    visit(story, INCIDENT, other)


@given(st.text(max_size=40))
def test_forged_pass_opens_nothing(ticket: str) -> None:
    badges = Badges((), KEY)
    assert not badges.admits(ticket, "view", "inc_1", 0.0)
    later, _, signature = badges.sign("view", "inc_1", 100.0).partition(".")
    assert not badges.admits(f"{int(later) + 1}.{signature}", "view", "inc_1", 0.0)
    assert not Badges((), "").admits(badges.sign("view", "inc_1", 100.0), "view", "inc_1", 0.0)


def test_what_is_no_utf_8_opens_nothing() -> None:
    badges = Badges((ADMIN,), KEY)
    assert badges.holder("Bearer \udcff") is None
    assert not badges.admits("1.\ud800", "view", "inc_1", 0.0)


def test_every_answer_has_the_headers_that_keep_a_browser_safe() -> None:
    async def story(visit: Visit) -> None:
        good = page_of(visit.badges, INCIDENT, time.time() + 60)
        for path in (good, "/api/incidents", "/nowhere", "/openapi.json", "/incidents/x"):
            answer = await visit.get(path)
            policy = answer.headers["Content-Security-Policy"]
            assert policy.startswith("default-src 'none'")
            assert "script" not in policy
            assert answer.headers["Referrer-Policy"] == "no-referrer"
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            assert answer.headers["Cache-Control"] == "no-store"

    visit(story, INCIDENT)


def test_nothing_from_outside_becomes_markup() -> None:
    fact = finding("a", version=EVIL, slice=EVIL, summary=EVIL, causes=(EVIL,), examples=(EVIL,))
    evil = replace(
        incident_of(fact), owner=EVIL, state="acknowledged", acknowledged_by=EVIL, acknowledged_at=1.0
    )
    text = render(evil, {"acknowledge": EVIL, "rollback": EVIL}, 2_000.0)
    assert "<script" not in text
    assert "\u202e" not in text
    assert "&lt;script&gt;" in text


def test_openapi_document_names_every_route() -> None:
    app = Api(Store(), Badges((), ""), Failures(), Links()).build()
    served = {
        (route.method.lower(), route.resource.canonical)
        for route in app.router.routes()
        if route.resource is not None
        and route.resource.canonical.startswith("/api/")
        and route.method != "HEAD"
    }
    named = {(method, path) for path, methods in document()["paths"].items() for method in methods}
    assert named == served


def test_ten_thousand_open_incidents_are_listed_in_time() -> None:
    many = [replace(INCIDENT, id=f"inc_{number}", model=f"eta.{number}") for number in range(10_000)]

    async def story(visit: Visit) -> None:
        began = time.monotonic()
        answer = await visit.get("/api/incidents?limit=100", ADMIN)
        assert (await answer.json())["count"] == 10_000
        assert time.monotonic() - began < 1.0

    visit(story, *many)


def test_badges_show_no_secret() -> None:
    shown = repr(Badges((ADMIN,), KEY)) + repr(ADMIN) + repr(Links(badges=Badges((ADMIN,), KEY)))
    assert ADMIN.secret not in shown
    assert KEY not in shown


def test_link_of_a_notification_opens_the_page() -> None:
    async def story(visit: Visit) -> None:
        fresh = replace(INCIDENT, told_at=time.time())
        url = Links(incidents="https://t.example/incidents", badges=visit.badges).incident(fresh)
        assert (await visit.get(url.removeprefix("https://t.example"))).status == 200

    visit(story, INCIDENT)


def test_answers_are_json_that_others_read() -> None:
    async def story(visit: Visit) -> None:
        answer = await visit.get("/openapi.json")
        assert msgspec.json.decode(await answer.read())["openapi"] == "3.1.0"

    visit(story, INCIDENT)


def test_wrong_method_names_the_right_ones() -> None:
    async def story(visit: Visit) -> None:
        answer = await visit.get(f"/api/incidents/{INCIDENT.id}/resolve", MAPS)
        assert (answer.status, answer.headers["Allow"]) == (405, "POST")

    visit(story, INCIDENT)


def test_a_silence_is_set_listed_and_ended_by_its_owner() -> None:
    async def story(visit: Visit) -> None:
        asked = {"model": "eta.*", "slice": "country=CH", "for_s": 3_600, "text": "known", "by": "ada"}
        answer = await visit.post("/api/silences", MAPS, **asked)
        made = await answer.json()
        assert answer.status == 200
        assert (made["owner"], made["author"], made["reason"]) == ("maps", "ada", "known")
        assert (made["model"], made["slice"], made["version"], made["metric"]) == (
            "eta.*",
            "country=CH",
            "*",
            "*",
        )
        assert made["ends_at"] - made["starts_at"] == 3_600
        shown = await (await visit.get(f"/api/incidents/{INCIDENT.id}", MAPS)).json()
        assert shown["muted_by"] == f"silence {made['id']}, by ada: known"
        for token, count in ((MAPS, 1), (ADMIN, 1), (RISK, 0)):
            assert (await (await visit.get("/api/silences", token)).json())["count"] == count
        assert (await visit.post(f"/api/silences/{made['id']}/end", RISK)).status == 404
        ended = await visit.post(f"/api/silences/{made['id']}/end", MAPS, by="eve")
        assert ended.status == 200
        assert visit.store.wishes[-1] == EndSilence(id=made["id"], by="eve")
        assert (await visit.post(f"/api/silences/{made['id']}/end", MAPS)).status == 404
        assert (await (await visit.get("/api/silences", MAPS)).json())["count"] == 0

    visit(story, INCIDENT)


def test_a_silence_of_all_owners_is_the_administrators_and_everybody_sees_it() -> None:
    async def story(visit: Visit) -> None:
        made = await (await visit.post("/api/silences", ADMIN, metric="*", for_s=60, text="move")).json()
        assert (made["owner"], made["author"]) == (None, "admin")
        assert (await (await visit.get("/api/silences", RISK)).json())["count"] == 1
        assert (await visit.post(f"/api/silences/{made['id']}/end", RISK)).status == 404
        assert (await visit.post(f"/api/silences/{made['id']}/end", ADMIN)).status == 200

    visit(story)


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        ({"for_s": 60, "text": "x"}, "want at least one of model, version, slice, metric"),
        ({"model": "*", "text": "x"}, "for_s: want a number within 1..604800"),
        ({"model": "*", "for_s": 604_801, "text": "x"}, "for_s: want a number within 1..604800"),
        ({"model": "*", "for_s": 60}, "text: want a text of 1 to 4000 characters"),
        ({"model": "", "for_s": 60, "text": "x"}, "model: want a text of 1 to 200 characters"),
        ({"model": "*", "for_s": 60, "text": "x", "owner": "risk"}, "owner: want the token's own"),
        ({"model": "*", "for_s": 60, "text": "x", "after_s": -1}, "after_s: want a number within 0..2592000"),
        (
            {"model": "*", "for_s": 60, "text": "x", "after_s": "now"},
            "after_s: want a number within 0..2592000",
        ),
        ({"model": "*", "for_s": 60, "text": "x", "starts": 7}, "starts: want only model, version, slice"),
    ],
)
def test_a_wish_for_a_silence_that_is_wrong_is_a_fault(body: dict[str, Any], fault: str) -> None:
    async def story(visit: Visit) -> None:
        answer = await visit.post("/api/silences", MAPS, **body)
        assert (answer.status, visit.store.wishes) == (400, [])
        assert fault in (await answer.json())["error"]

    visit(story)


def test_silences_need_a_token_and_have_a_bound() -> None:
    async def story(visit: Visit) -> None:
        assert (await visit.get("/api/silences")).status == 401
        assert (await visit.post("/api/silences", model="*", for_s=60, text="x")).status == 401
        for number in range(SILENCES_BUDGET):
            silence = Silence(name="", author="a", reason=str(number), starts_at=0.0, ends_at=9e9)
            visit.store.archive.silence(wished(silence), 1.0)
        answer = await visit.post("/api/silences", MAPS, model="*", for_s=60, text="x")
        assert answer.status == 409

    visit(story)


def test_a_silence_that_no_pager_has_folded_is_accepted_only() -> None:
    store = Store()
    store.is_folding = False

    async def story(visit: Visit) -> None:
        assert (await visit.post("/api/silences", MAPS, model="*", for_s=60, text="x")).status == 202
        assert [type(one) for one in store.wishes] == [SetSilence]

    visit(story, store=store)


def test_the_page_says_what_is_silenced_and_by_whom_and_escapes_it() -> None:
    silence = Silence(name="sil_1", author=EVIL, reason="ada's move", starts_at=0.0, ends_at=2_000.0)
    text = render(INCIDENT, {}, 1_000.0, silences=[silence])
    assert "What opens from now on is silenced until 1970-01-01 00:33:20 UTC" in text
    assert "<script>" not in text
    hushed = replace(INCIDENT, muted_by=silence.said, muted_until=2_000.0)
    text = render(hushed, {}, 1_000.0, silences=[silence])
    assert "nobody is told until 1970-01-01 00:33:20 UTC: silence sil_1, by" in text
    assert "What opens from now on" not in text


def test_the_document_knows_what_a_silence_may_be_about() -> None:
    asked = document()["paths"]["/api/silences"]["post"]["requestBody"]["content"]["application/json"][
        "schema"
    ]
    assert {*MATCHERS, "by", "text", "for_s", "owner", "after_s"} == set(asked["properties"])
