"""The owners file: every fault at once, with its place and what is wanted, and never a secret."""

from __future__ import annotations

from pathlib import Path

import pytest

from alerts.app import configured
from alerts.config import OwnersError, Roster, load
from alerts.grouping import Grouping, Upstream
from alerts.lane import Limit
from alerts.owners import RollbackHook
from stream.settings import SettingsError
from tests.unit.alerts.samples import ROUTING_KEY, SECRET

GOOD = f"""
[[receiver]]
name = "maps-hook"
kind = "webhook"
url = "http://127.0.0.1:9000/hook"
secret = "{SECRET}"

[[receiver]]
name = "maps-pd"
kind = "pagerduty"
routing_key_env = "MAPS_PD"

[[owner]]
name = "maps"
models = ["eta.*", "route-*"]
receivers = ["maps-hook", "maps-pd"]

[default_owner]
name = "ml-platform"
receivers = ["maps-hook"]
"""


def read(tmp_path: Path, text: str, environ: dict[str, str] | None = None) -> Roster:
    path = tmp_path / "owners.toml"
    path.write_text(text, encoding="utf-8")
    return load(path, {"MAPS_PD": ROUTING_KEY} if environ is None else environ)


def faults(tmp_path: Path, text: str, environ: dict[str, str] | None = None) -> list[str]:
    with pytest.raises(OwnersError) as caught:
        read(tmp_path, text, environ)
    return str(caught.value).splitlines()


def test_good_file_gives_owners_and_receivers(tmp_path: Path) -> None:
    roster = read(tmp_path, GOOD)
    assert list(roster.receivers) == ["maps-hook", "maps-pd"]
    assert roster.owners.of("route-bike").receivers == ("maps-hook", "maps-pd")
    assert roster.owners.of("fraud").name == "ml-platform"


HOOK = f"""
[[rollback]]
name = "maps-deploy"
url = "http://127.0.0.1:9000/rollback"
secret = "{SECRET}"
"""


def test_owner_gets_its_rollback_hook(tmp_path: Path) -> None:
    text = GOOD.replace('models = ["eta', 'rollback = "maps-deploy"\nmodels = ["eta')
    roster = read(tmp_path, f"{text}{HOOK}automatic = true\nfresh_s = 600\n")
    assert roster.owners.of("eta.city").rollback == RollbackHook(
        name="maps-deploy", automatic=True, fresh_s=600.0
    )
    assert roster.owners.of("fraud").rollback is None
    assert "maps-deploy" in roster.receivers


def test_every_fault_of_a_rollback_hook_is_named(tmp_path: Path) -> None:
    text = GOOD.replace('models = ["eta', 'rollback = "maps-pd"\nmodels = ["eta')
    wrong = HOOK.replace("maps-deploy", "maps-hook") + 'fresh_s = 7200\nfallback = "maps-pd"\n'
    said = faults(tmp_path, text + wrong)
    assert len(said) == 3
    assert any("rollback[0].fresh_s" in one for one in said)
    assert "owners.toml: owner[0].rollback 'maps-pd': want the name of a [[rollback]]" in said
    assert "owners.toml: rollback.name 'maps-hook': want another name than that of a [[receiver]]" in said
    alone = faults(tmp_path, f'{GOOD}{HOOK}fallback = "maps-pd"\n')
    assert alone == ["owners.toml: rollback[0]: fallback: a rollback has none; want it left out"]
    shown = "\n".join(said + alone)
    assert SECRET not in shown


def test_without_a_file_the_default_owner_is_told_nothing() -> None:
    roster = load(None, {})
    assert roster.owners.of("any").receivers == ()
    assert roster.receivers == {}


def test_secret_may_come_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(SECRET + "\n", encoding="utf-8")
    text = GOOD.replace(f'secret = "{SECRET}"', f'secret_file = "{tmp_path}/secret"')
    assert list(read(tmp_path, text).receivers) == ["maps-hook", "maps-pd"]


def test_all_faults_are_reported_at_once(tmp_path: Path) -> None:
    text = """
    colour = "red"
    [[receiver]]
    name = "a"
    kind = "slak"
    [[receiver]]
    name = "b b"
    kind = "webhook"
    url = "ftp://x"
    secret = "whsec_short"
    [[receiver]]
    name = "c"
    kind = "webhook"
    url = "https://example.test/"
    secret = "whsec_c2hvcnQ="
    [[receiver]]
    name = "c"
    kind = "pagerduty"
    routing_key_env = "NOT_SET"
    [[owner]]
    name = "maps"
    models = []
    receivers = ["nobody"]
    """
    found = faults(tmp_path, text)
    for part in (
        "colour: unknown",
        "receiver[0].kind 'slak': want one of webhook, pagerduty",
        "receiver[1].name 'b b'",
        "receiver[1].url",
        'receiver[2]: secret: want "whsec_"',
        "receiver[3]: routing_key_env 'NOT_SET': no such environment variable",
        "owner[0].models",
        "owner[0].receivers 'nobody': want the name of a [[receiver]]",
        "default_owner.name",
        "receiver.name 'c': given 2 times",
    ):
        assert any(part in line for line in found), part
    assert all(line.startswith("owners.toml: ") for line in found)
    assert len(found) == 10


@pytest.mark.parametrize(
    ("old", "new", "environ"),
    [
        (SECRET, "whsec_dG9wLXNlY3JldA==", None),
        (f'secret = "{SECRET}"', f'secret = "{SECRET}"\nsecret_env = "X"', None),
        ("http://127.0.0.1:9000/hook", "nonsense://token-top-secret@x", None),
        ('kind = "webhook"', f'kind = "webhook"\nsecrets = "{SECRET}"', None),
        ("", "", {"MAPS_PD": "top-secret-but-short"}),
    ],
)
def test_no_message_holds_a_secret(
    tmp_path: Path, old: str, new: str, environ: dict[str, str] | None
) -> None:
    found = "\n".join(faults(tmp_path, GOOD.replace(old, new, 1), environ))
    for secret in (SECRET, "dG9wLXNlY3JldA", "top-secret"):
        assert secret not in found


def test_receivers_do_not_show_their_secrets(tmp_path: Path) -> None:
    shown = repr(read(tmp_path, GOOD))
    assert SECRET not in shown
    assert ROUTING_KEY not in shown


MAIL = '[[receiver]]\nname = "mail"\nkind = "email"\nhost = "mx.example"\nto = "team@maps.example"\n'


@pytest.mark.parametrize(
    ("more", "fault"),
    [
        (f'{MAIL}sender = "a..b@maps.example"\n', "receiver[2].sender: want a mail address such as"),
        (f'{MAIL}sender = "a@maps.example."\n', "receiver[2].sender: want a mail address such as"),
        (
            '[[receiver]]\nname = "am"\nkind = "alertmanager"\nurl = "http://am.example"\ntoken = "tökèn"\n',
            "receiver[2]: token: want printable ASCII",
        ),
        (
            '[[default_owner.quiet]]\nstart = "22:00:00+01:00"\nend = 06:00:00\n',
            "start: want a local time without",
        ),
        ("[grouping]\ninhibit_s = inf\n", "grouping.inhibit_s: Input should be a finite number"),
        (
            "[[default_owner.quiet]]\nstart = 22:00:00\nend = 22:00:00\n",
            "default_owner.quiet.0: end: want another time than start, or fewer days: nobody would ever be told",
        ),
        (
            '[[owner]]\nname = "ml-platform"\nmodels = ["fraud.*"]\nreceivers = ["maps-pd"]\n',
            "default_owner.name 'ml-platform': want another name than that of an [[owner]]",
        ),
    ],
)
def test_what_would_fail_at_the_first_page_is_a_fault(tmp_path: Path, more: str, fault: str) -> None:
    assert [fault in line for line in faults(tmp_path, GOOD + more)] == [True]


def test_whole_days_may_be_quiet(tmp_path: Path) -> None:
    weekend = '[[default_owner.quiet]]\nstart = 00:00:00\nend = 00:00:00\ndays = ["sat", "sun"]\n'
    (quiet,) = read(tmp_path, GOOD + weekend).owners.default.quiet
    assert quiet.until(2.5 * 86_400.0) == 3 * 86_400.0  # 1970 began on a Thursday


def test_names_that_are_no_texts_are_faults(tmp_path: Path) -> None:
    wrong = GOOD.replace('kind = "webhook"', 'kind = "webhook"\nfallback = ["maps-pd"]')
    wrong = wrong.replace('models = ["eta.*", "route-*"]', 'models = ["eta.*"]\nrollback = ["a"]')
    wrong = wrong.replace('receivers = ["maps-hook"]', 'receivers = [["maps-hook"]]')
    wrong += '[[upstream]]\nname = "feed"\nowner = ["maps"]\nmodels = ["eta.*"]\n'
    found = faults(tmp_path, wrong)
    for place in (
        "receiver[0].fallback",
        "owner[0].rollback",
        "default_owner.receivers.0",
        "upstream[0].owner",
    ):
        assert any(line.startswith(f"owners.toml: {place}") for line in found), found


@pytest.mark.parametrize(
    ("text", "said"),
    [("[[owner", "owners.toml"), ("owner = 3\n", "owner: want tables, written [[owner]]")],
)
def test_file_that_is_not_even_right_toml_is_named(tmp_path: Path, text: str, said: str) -> None:
    assert any(said in line for line in faults(tmp_path, text))


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(OwnersError, match=r"nowhere\.toml: No such file"):
        load(tmp_path / "nowhere.toml", {})


def test_missing_secret_file_is_named(tmp_path: Path) -> None:
    text = GOOD.replace(f'secret = "{SECRET}"', 'secret_file = "/nowhere/secret"')
    assert any("secret_file '/nowhere/secret': No such file" in line for line in faults(tmp_path, text))


def test_faults_of_the_settings_and_of_the_owners_file_are_told_at_once(tmp_path, monkeypatch):
    missing = tmp_path / "none.toml"
    monkeypatch.setenv("TIDEWATCH_PAGER_PORT", "many")
    with pytest.raises(SettingsError) as faults:
        configured(None, {"TIDEWATCH_PAGER_OWNERS": str(missing)})
    assert "pager.port 'many'" in str(faults.value)
    assert f"owners file {missing}: No such file or directory" in str(faults.value)
    with pytest.raises(SettingsError) as alone:
        configured(None, {})
    assert "owners" not in str(alone.value)


def test_fallback_limit_and_heartbeat_are_read(tmp_path: Path) -> None:
    text = GOOD.replace('kind = "pagerduty"', 'kind = "pagerduty"\nfallback = "maps-hook"\nper_minute = 30')
    roster = read(tmp_path, text + '[heartbeat]\nurl = "https://beat.example/top-secret"\nevery_s = 30\n')
    assert roster.fallbacks == {"maps-pd": "maps-hook"}
    assert roster.limits["maps-pd"] == Limit(per_s=0.5, burst=1.0)
    assert roster.heartbeat is not None
    assert roster.heartbeat.every_s == 30
    assert "top-secret" not in repr(roster)


@pytest.mark.parametrize("fallback", ["nobody", "maps-hook"])
def test_fallback_is_another_receiver(tmp_path: Path, fallback: str) -> None:
    (found,) = faults(
        tmp_path, GOOD.replace('kind = "webhook"', f'kind = "webhook"\nfallback = "{fallback}"')
    )
    assert f"receiver[0].fallback '{fallback}': want the name of another [[receiver]]" in found


def test_heartbeat_of_no_url_is_named_without_it(tmp_path: Path) -> None:
    (found,) = faults(tmp_path, GOOD + '[heartbeat]\nurl = "ftp://top-secret"\n')
    assert "heartbeat: url: want an http or https URL" in found
    assert "top-secret" not in found


def test_upstreams_and_grouping_are_read(tmp_path: Path) -> None:
    text = GOOD + '[[upstream]]\nname = "geo"\nowner = "maps"\nmodels = ["eta.*"]\n[grouping]\nhold_s = 60\n'
    owners = read(tmp_path, text).owners
    assert owners.upstream_of("eta.city") == Upstream(name="geo", owner="maps", models=("eta.*",))
    assert owners.grouping == Grouping(hold_s=60.0)


def test_upstream_belongs_to_an_owner(tmp_path: Path) -> None:
    (found,) = faults(tmp_path, GOOD + '[[upstream]]\nname = "geo"\nowner = "nobody"\nmodels = ["*"]\n')
    assert "upstream[0].owner 'nobody': want the name of an [[owner]]" in found
