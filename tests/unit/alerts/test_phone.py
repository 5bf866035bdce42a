"""The incident's page in the hands of people, of their browsers, and of programs that only look at links."""

from __future__ import annotations

import asyncio
import re
import time
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from alerts.api import Api
from alerts.badge import FORM_S, Badges, Failures
from alerts.console import CHECK
from alerts.links import Links
from tests.unit.alerts.store import Store
from tests.unit.alerts.test_api import ADMIN, INCIDENT, KEY, Visit, bearer, page_of, visit

PATH = f"/incidents/{INCIDENT.id}"


def soon() -> float:
    return time.time() + 60


async def form_on(visit: Visit) -> str:
    """Open the page; return the pass of its form."""
    text = await (await visit.get(page_of(visit.badges, INCIDENT, soon()))).text()
    (ticket,) = re.findall(r'name="pass" value="([^"]+)"', text)
    return str(ticket)


async def press(visit: Visit, ticket: str, by: str, **options: Any) -> Any:
    return await visit.client.post(f"{PATH}/acknowledge", data={"pass": ticket, "by": by}, **options)


def test_the_button_leads_back_to_the_page_so_that_opening_the_tab_again_asks_for_nothing() -> None:
    async def story(visit: Visit) -> None:
        pressed = await press(visit, await form_on(visit), "ada", allow_redirects=False)
        assert pressed.status == 303
        assert pressed.headers["Location"].startswith(f"../{INCIDENT.id}?pass=")
        assert pressed.headers["Cache-Control"] == "no-store"
        place = PATH.rsplit("/", 1)[0] + pressed.headers["Location"].removeprefix("..")
        for _ in range(2):
            shown = await visit.get(place)
            assert (shown.status, "ada has it" in await shown.text()) == (200, True)
        assert len(visit.store.commands) == 1

    visit(story, INCIDENT)


def test_behind_a_proxy_with_a_path_of_its_own_the_button_works() -> None:
    async def play() -> None:
        store = Store(INCIDENT)
        badges = Badges((ADMIN,), KEY)
        outer = web.Application()
        outer.add_subapp("/tidewatch", Api(store, badges, Failures(), Links()).build())
        async with TestClient(TestServer(outer)) as client:
            shown = await client.get(f"/tidewatch{page_of(badges, INCIDENT, soon())}")
            text = await shown.text()
            (action,) = re.findall(r'action="([^"]+)"', text)
            (ticket,) = re.findall(r'name="pass" value="([^"]+)"', text)
            place = shown.url.join(type(shown.url)(action)).path
            after = await client.post(place, data={"pass": ticket, "by": "ada"})
            assert (after.status, after.url.path) == (200, f"/tidewatch{PATH}")
            assert "ada has it" in await after.text()

    asyncio.run(play())


def test_two_people_who_press_at_once_are_both_told_who_has_it() -> None:
    async def story(visit: Visit) -> None:
        ticket, other = await form_on(visit), await form_on(visit)
        answers = await asyncio.gather(
            press(visit, ticket, "ada"), press(visit, other, "bob"), press(visit, ticket, "ada")
        )
        texts = [await answer.text() for answer in answers]
        assert all("ada has it" in text and "bob has it" not in text for text in texts)
        told = await (await visit.get(f"/api{PATH}", ADMIN)).json()
        assert [one["action"] for one in told["notifications"]].count("acknowledge") == 2

    visit(story, INCIDENT)


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
def test_whatever_only_looks_at_links_acknowledges_nothing(method: str) -> None:
    async def story(visit: Visit) -> None:
        ticket = visit.badges.sign("acknowledge", INCIDENT.id, soon())
        for path in (page_of(visit.badges, INCIDENT, soon()), f"{PATH}/acknowledge?pass={ticket}&by=bot"):
            await visit.client.request(method, path)
            await visit.client.request(method, path, headers=bearer(ADMIN))
        assert visit.store.commands == []

    visit(story, INCIDENT)


def test_a_page_that_was_left_open_says_that_nothing_was_done_and_what_to_do() -> None:
    async def story(visit: Visit) -> None:
        old = visit.badges.sign("acknowledge", INCIDENT.id, time.time() - 1)
        answer = await press(visit, old, "ada")
        said = "this page is older than an hour, so nothing was done: open it again from the notification"
        assert (answer.status, await answer.json()) == (403, {"error": said})
        assert visit.store.commands == []

    assert FORM_S == 3_600.0
    visit(story, INCIDENT)


def test_without_a_key_of_links_it_is_said_that_none_opens_anything() -> None:
    async def play() -> None:
        app = Api(Store(INCIDENT), Badges((ADMIN,), ""), Failures(), Links()).build()
        async with TestClient(TestServer(app)) as client:
            answer = await client.get(PATH)
            assert (answer.status, await answer.json()) == (
                403,
                {"error": "links open nothing here, as [api] has no link_key: want a bearer token"},
            )
            shown = await client.get(PATH, headers=bearer(ADMIN))
            assert "<form" not in await shown.text()
            pressed = await client.post(f"{PATH}/acknowledge", headers=bearer(ADMIN), data={"by": "ada"})
            assert pressed.status == 200

    asyncio.run(play())


def test_no_page_of_the_pager_is_shown_within_another_one() -> None:
    async def story(visit: Visit) -> None:
        for path in (page_of(visit.badges, INCIDENT, soon()), PATH, f"/api{PATH}", "/nowhere"):
            headers = (await visit.get(path)).headers
            assert headers["X-Frame-Options"] == "DENY"
            assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]

    visit(story, INCIDENT)


@pytest.mark.parametrize("kind", ["multipart/form-data; boundary=b", "application/x-www-form-urlencoded"])
def test_a_huge_form_is_refused(kind: str) -> None:
    async def story(visit: Visit) -> None:
        part = b'--b\r\nContent-Disposition: form-data; name="by"\r\n\r\n'
        body = (part if "multipart" in kind else b"by=") + b"x" * 3_000_000
        answer = await visit.client.post(
            f"{PATH}/acknowledge", data=BytesIO(body), headers={"Content-Type": kind}
        )
        assert answer.status == 413
        assert visit.store.commands == []

    visit(story, INCIDENT)


def test_validate_says_that_links_without_a_key_open_for_nobody(tmp_path: Path) -> None:
    path = tmp_path / "owners.toml"
    note = "note: [api] has no link_key: the pages that notifications link to open for nobody"
    text = '[links]\nincidents = "https://t.example/incidents"\n[default_owner]\nname = "ops"\n[api]\n'
    path.write_text(text, encoding="utf-8")
    assert note in CHECK.read(path)
    path.write_text(f'{text}link_key = "{KEY}"\n', encoding="utf-8")
    assert note not in CHECK.read(path)
