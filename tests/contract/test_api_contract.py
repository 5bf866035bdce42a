"""The pager's API, asked by schemathesis over real HTTP for all that its OpenAPI document allows, and for more."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from aiohttp import web
from hypothesis import HealthCheck, settings
from schemathesis.config import SchemathesisConfig

from alerts.api import Api
from alerts.badge import Badges, Failures, Token
from alerts.links import Links
from alerts.openapi import document
from alerts.shown import brief, whole
from stream.events import RolledOut
from tests.unit.alerts.samples import HOOKED, finding, incident_of
from tests.unit.alerts.store import Store

ADMIN = Token("admin", "", "admin-admin-admin-admin-admin")
CASES = 60
ROLLOUT = RolledOut(version="7", stage="live", at=900.0)
INCIDENT = incident_of(
    finding("a", rollouts=(ROLLOUT,), causes=("rollout of 7 to live",)),
    finding("b", slice="country=DE"),
    owners=HOOKED,
)
CONFIG = SchemathesisConfig.from_dict({"auth": {"openapi": {"token": {"bearer": ADMIN.secret}}}})
schema = schemathesis.openapi.from_dict(document(), config=CONFIG)
asked = settings(
    max_examples=CASES,
    derandomize=True,
    database=None,
    suppress_health_check=[*HealthCheck],
)


@pytest.fixture(scope="module")
def base_url() -> Iterator[str]:
    """A running API; wrong tokens are part of what is asked, so the door never shuts."""
    ready, loop = threading.Event(), asyncio.new_event_loop()
    store = Store(INCIDENT)
    store.owners = HOOKED
    runner = web.AppRunner(Api(store, Badges((ADMIN,), "k" * 32), Failures(most=10**9), Links()).build())

    async def start() -> None:
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        ready.set()

    async def stop() -> None:
        await runner.cleanup()
        loop.stop()

    loop.create_task(start())
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    assert ready.wait(10)
    yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    asyncio.run_coroutine_threadsafe(stop(), loop)
    thread.join(10)
    loop.close()


# by pytest 9.2 the operation is in a test's id only when something else is: xdist runs one of those that share one
@schema.parametrize()
@pytest.mark.parametrize("incident", [None, INCIDENT.id], ids=["any", "known"])
@asked
def test_whatever_is_asked_the_answer_is_as_documented(
    case: schemathesis.Case, base_url: str, incident: str | None
) -> None:
    if incident is not None and "id" in case.path_parameters:
        case.path_parameters["id"] = incident
    case.call_and_validate(base_url=base_url)


@pytest.mark.parametrize(("name", "answer"), [("Brief", brief(INCIDENT)), ("Incident", whole(INCIDENT))])
def test_every_field_of_an_answer_is_documented_and_required(name: str, answer: dict[str, Any]) -> None:
    described = document()["components"]["schemas"][name]
    assert {*answer} == {*described["properties"]} == {*described["required"]}
