"""The commands that try the pager before trouble does."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner, Result

from alerts.console import alert, routes
from stream.settings import SettingsError
from stream.validate import validate
from tests.unit.alerts.samples import ROUTING_KEY, SECRET, HookServer, hook_server

FILE = """
[network]
allow = ["127.0.0.0/8"]
[[receiver]]
name = "hook"
kind = "webhook"
url = "{url}"
secret = "SECRET"
[[receiver]]
name = "pd"
kind = "pagerduty"
routing_key = "KEY"
[[receiver]]
name = "mail"
kind = "email"
to = "ops@maps.example"
sender = "pager@t.example"
host = "mail.example"
[[owner]]
name = "maps"
models = ["eta.*"]
receivers = ["hook"]
repeat_s = 36000
[[owner.escalation]]
after_s = 600
receivers = ["pd"]
[[silence]]
name = "move"
author = "ada"
reason = "the data centre moves"
starts_at = 2026-11-24T00:00:00Z
ends_at = 2026-11-24T06:00:00Z
slice = "country=CH"
[default_owner]
name = "platform"
""".replace("SECRET", SECRET).replace("KEY", ROUTING_KEY)


@pytest.fixture
def owners(tmp_path: Path) -> Path:
    path = tmp_path / "owners.toml"
    with hook_server() as nowhere:
        path.write_text(FILE.format(url=nowhere.url), encoding="utf-8")
    return path


def run(command: object, *words: object) -> Result:
    return CliRunner().invoke(command, [str(word) for word in words])  # type: ignore[arg-type]


def test_right_files_are_called_right_and_deaf_owners_named(owners: Path) -> None:
    result = run(validate, owners)
    assert result.exit_code == 0
    assert "2 owners, 3 receivers" in result.output
    assert "note: owner platform has no receivers" in result.output


def test_faults_of_both_files_are_told_at_once(owners: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIDEWATCH_PAGER_PORT", "99999")
    owners.write_text(
        FILE.replace("after_s = 600", "after_s = -1")
        .replace("06:00:00Z", "06:00:00")
        .replace('["pd"]', '["pdd"]'),
        encoding="utf-8",
    )
    settings = owners.with_name("settings.toml")
    settings.write_text(f"[monitor]\nwarmup = 1\n[pager]\nowners = '{owners}'\n", encoding="utf-8")
    monkeypatch.setenv("TIDEWATCH_CONFIG", str(settings))
    result = run(validate, settings)
    assert isinstance(result.exception, SettingsError)
    said = str(result.exception)
    for part in (
        "pager.port",
        "monitor.warmup",
        "owner[0].escalation.0.after_s",
        "silence[0].ends_at",
        "owner[0].receivers 'pdd'",
    ):
        assert part in said
    assert SECRET not in said


def test_route_says_who_when_and_why(owners: Path) -> None:
    result = run(
        routes, "test", "--owners", owners, "--at", "2026-11-24T05:00:00+00:00", "model=eta.city", "slice=all"
    )
    assert result.output.splitlines() == [
        "2026-11-24T05:00:00.000Z  eta.city is maps's: opened",
        "2026-11-24T05:00:00.000Z  maps: hook is told",
        "2026-11-24T05:10:00.000Z  maps: pd is told",
        "2026-11-24T15:00:00.000Z  maps: hook is told",
        "2026-11-24T15:00:00.000Z  maps: pd is told",
        "2026-11-25T01:00:00.000Z  maps: hook is told",
        "2026-11-25T01:00:00.000Z  maps: pd is told",
    ]


def test_route_through_a_silence_says_until_when(owners: Path) -> None:
    at = "2026-11-24T05:00:00+00:00"
    result = run(routes, "test", "--owners", owners, "--at", at, "model=eta.city", "slice=country=CH")
    assert result.output.splitlines() == [
        "2026-11-24T05:00:00.000Z  eta.city is maps's: opened, silenced",
        "2026-11-24T05:00:00.000Z  maps: quiet until 2026-11-24T06:00:00.000Z, by silence move, by ada: "
        "the data centre moves",
        "2026-11-24T06:00:00.000Z  maps: hook is told",
        "2026-11-24T06:10:00.000Z  maps: pd is told",
        "2026-11-24T16:00:00.000Z  maps: hook is told",
        "2026-11-24T16:00:00.000Z  maps: pd is told",
        "2026-11-25T02:00:00.000Z  maps: hook is told",
        "2026-11-25T02:00:00.000Z  maps: pd is told",
    ]


@pytest.mark.parametrize(
    ("wrong", "severity", "told"),
    [(0.2, "page", "maps: hook is told"), (0.02, "ticket", "maps: nobody is told")],
)
def test_route_of_a_model_with_an_objective_says_what_it_makes_of_the_harm(
    owners: Path, wrong: float, severity: str, told: str
) -> None:
    objective = "[[owner.objective]]\naccuracy = 0.99\n[[owner.escalation]]"
    owners.write_text(
        owners.read_text(encoding="utf-8").replace("[[owner.escalation]]", objective), encoding="utf-8"
    )
    result = run(routes, "test", "--owners", owners, "--wrong", wrong, "model=eta.city", "slice=all")
    assert (
        f"a {severity}: accuracy 0.99 over 30 days: errors come {100 * wrong:g} times as fast"
        in result.output
    )
    assert told in result.output


def test_route_of_nobodys_model_says_that_nobody_is_told(owners: Path) -> None:
    result = run(routes, "test", "--owners", owners, "model=fraud")
    assert "fraud is platform's: opened, no_receivers" in result.output
    assert "platform: nobody is told" in result.output


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["colour=red"], "colour: want one of model, version"),
        (["metric=loss"], "metric"),
        (["model=a", "--at", "soon"], "--at 'soon': want an instant"),
    ],
)
def test_wrong_words_are_named(owners: Path, words: list[str], said: str) -> None:
    result = run(routes, "test", "--owners", owners, *words)
    assert result.exit_code == 2
    assert said in result.output


@pytest.mark.parametrize("receiver", ["hook", "pd", "mail"])
def test_render_shows_the_message_and_no_secret(owners: Path, receiver: str) -> None:
    result = run(alert, "render", "--owners", owners, receiver, "model=eta.city", "version=9")
    assert result.exit_code == 0
    assert "eta.city 9" in result.output.replace("=20", " ")
    assert SECRET not in result.output
    assert ROUTING_KEY not in result.output


def test_render_of_an_unknown_receiver_names_the_known_ones(owners: Path) -> None:
    assert "hook, pd, mail" in run(alert, "render", "--owners", owners, "nobody").output


def test_drill_is_a_real_send_that_says_so_and_ends(owners: Path, hook: HookServer) -> None:
    owners.write_text(FILE.format(url=hook.url), encoding="utf-8")
    result = run(alert, "drill", "--owners", owners, "hook", "model=eta.city")
    assert result.output.splitlines() == ["trigger: accepted", "resolve: accepted"]
    opened, resolved = (msgspec.json.decode(got.body) for got in hook.got)
    assert opened["data"]["summary"].startswith("DRILL, nothing is wrong: ")
    assert (opened["type"], resolved["type"]) == ("incident.opened", "incident.resolved")
    assert opened["data"]["dedup_key"] == resolved["data"]["dedup_key"]


def test_drill_that_is_refused_ends_with_1(owners: Path, hook: HookServer) -> None:
    hook.answer = lambda got: (404, {})
    owners.write_text(FILE.format(url=hook.url), encoding="utf-8")
    result = run(alert, "drill", "--owners", owners, "hook")
    assert result.exit_code == 1
    assert result.output.splitlines() == ["trigger: http_404"]
