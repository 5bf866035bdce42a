"""Our signatures pass the libraries that receivers check them with: Standard Webhooks' own for node and Python.

We sign with the one for Python, so the one for node is the independent witness.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace
from standardwebhooks import Webhook, WebhookVerificationError

from alerts.receivers.request import Request
from alerts.receivers.webhook import WebhookReceiver
from tests import npm
from tests.unit.alerts.samples import SECRET, finding, incident_of, notice

NEXT_SECRET = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
SCRIPT = """
const { Webhook } = require("standardwebhooks");
const { secret, body, headers } = JSON.parse(require("fs").readFileSync(0, "utf8"));
let told;
try { told = new Webhook(secret).verify(body, headers); } catch (fault) { told = fault.constructor.name; }
console.log(JSON.stringify(told));
"""
REFUSED = "WebhookVerificationError"


def by_node(request: Request, secret: str) -> Any:
    asked = {"secret": secret, "body": request.body.decode(), "headers": dict(request.headers)}
    return npm.run(SCRIPT, asked)


def by_python(request: Request, secret: str) -> Any:
    try:
        return Webhook(secret).verify(request.body, dict(request.headers))
    except WebhookVerificationError:
        return REFUSED


def sent(at: float, action: str = "trigger", **options: Any) -> Request:
    incident = replace(incident_of(finding("a", slice="city=Zürich ☃")), acknowledged_by="ada")
    receiver = WebhookReceiver("http://127.0.0.1/", [NEXT_SECRET, SECRET], **options)
    return receiver.message(incident, notice(incident, action), at)


Check = Callable[[Request, str], Any]
checks = pytest.mark.parametrize("verify", [by_node, by_python])


@checks
@pytest.mark.parametrize("secret", [SECRET, NEXT_SECRET])
def test_either_secret_of_a_rotation_verifies(verify: Check, secret: str) -> None:
    assert verify(sent(time.time()), secret)["data"]["slice"] == "city=Zürich ☃"


@checks
@pytest.mark.parametrize("action", ["acknowledge", "resolve"])
def test_every_kind_of_message_verifies_bare_and_in_an_envelope(verify: Check, action: str) -> None:
    assert verify(sent(time.time(), action), SECRET)["type"].startswith("incident.")
    enveloped = verify(sent(time.time(), action, envelope="cloudevents"), SECRET)
    assert enveloped["type"].startswith("tidewatch.incident.")


@checks
@pytest.mark.parametrize(
    "changed",
    [
        lambda request: request._replace(body=request.body + b" "),
        lambda request: request._replace(headers={**request.headers, "webhook-id": "ntf_other"}),
        lambda request: request._replace(
            headers={**request.headers, "webhook-timestamp": str(int(time.time()) - 1)}
        ),
    ],
    ids=["body", "id", "timestamp"],
)
def test_what_was_changed_on_the_way_is_refused(verify: Check, changed: Callable[[Request], Request]) -> None:
    assert verify(changed(sent(time.time())), SECRET) == REFUSED


@checks
def test_an_old_message_sent_again_is_refused(verify: Check) -> None:
    assert verify(sent(time.time() - 3_600), SECRET) == REFUSED
