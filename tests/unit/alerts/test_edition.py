"""The owners file and the rotas' files, changed while the pager runs as people and machines do it."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from alerts.config import load
from alerts.edition import Edition
from alerts.feed import FETCHED, NO_CALENDAR, UNREADABLE, Feed
from alerts.ical import SureRota, read
from alerts.telemetry import Telemetry
from tests.unit.alerts.test_feed import NOON, calendar, fetch

RIGHT = '[default_owner]\nname = "ops"\n'
OTHER = '[default_owner]\nname = "platform"\n'
WRONG = '[default_owner]\nname = "ops"\nreceivers = ["gone"]\n'
CHANGED, UNUSABLE = "tidewatch_owners_file_changed", "tidewatch_owners_file_unusable"


class Watched:
    """An owners file that a pager has read."""

    def __init__(self, path: Path, content: str = RIGHT) -> None:
        self.path = path
        path.write_text(content, encoding="utf-8")
        self.registry = CollectorRegistry()
        telemetry = Telemetry(self.registry, ())
        self.edition = Edition(path, load(path, {}).edition, partial(load, path, {}), telemetry)

    def looks(self, times: int = 2) -> list[str]:
        """Look so often; return what was logged."""
        with capture_logs() as logs:
            for _ in range(times):
                self.edition.look()
        return [str(line["event"]) + "".join(line.get("faults", [])) for line in logs]

    def shown(self) -> tuple[float | None, float | None]:
        return self.registry.get_sample_value(CHANGED), self.registry.get_sample_value(UNUSABLE)


@pytest.fixture
def watched(tmp_path: Path) -> Watched:
    return Watched(tmp_path / "owners.toml")


def test_a_file_that_stays_is_told_of_never(watched: Watched) -> None:
    watched.path.touch()
    assert (watched.looks(), watched.shown()) == ([], (0.0, 0.0))


def test_another_file_is_told_of_once_and_is_no_more_when_the_first_is_back(watched: Watched) -> None:
    watched.path.write_text(OTHER, encoding="utf-8")
    assert watched.looks(5) == [
        "owners file or a secret was changed: what was read is in use until the next start"
    ]
    assert watched.shown() == (1.0, 0.0)
    watched.path.write_text(RIGHT, encoding="utf-8")
    assert watched.looks() == ["owners file and secrets are again those in use"]
    assert watched.shown() == (0.0, 0.0)


def test_a_file_that_is_being_written_is_not_told_of(watched: Watched) -> None:
    watched.path.write_text(OTHER[:10], encoding="utf-8")
    assert watched.looks(1) == []
    watched.path.write_text(OTHER, encoding="utf-8")
    (told,) = watched.looks()
    assert "was changed" in told


def _gone(path: Path) -> None:
    path.unlink()


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (lambda path: path.write_text(WRONG, encoding="utf-8"), "default_owner.receivers 'gone'"),
        (lambda path: path.write_text("[default_owner", encoding="utf-8"), "owners.toml"),
        (lambda path: path.write_bytes(b"\xff"), "owners.toml"),
        (_gone, "No such file"),
        (_folder, "Is a directory"),
    ],
)
def test_a_file_that_no_pager_would_start_with_is_told_of(
    watched: Watched, change: Callable[[Path], object], fault: str
) -> None:
    change(watched.path)
    (told,) = watched.looks(4)
    assert told.startswith("owners file can't be used: a pager that starts now pages nobody")
    assert fault in told
    assert watched.shown() == (1.0, 1.0)


def test_a_fault_that_nobody_thought_of_ends_no_pager(watched: Watched) -> None:
    def broken() -> None:
        raise RuntimeError

    watched.edition._check = broken
    watched.path.write_text(OTHER, encoding="utf-8")
    (told,) = watched.looks()
    assert told.endswith("RuntimeError")


def test_a_secret_that_was_changed_is_told_of_and_never_said(tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text("k" * 32, encoding="utf-8")
    receiver = f'[[receiver]]\nname = "pd"\nkind = "pagerduty"\nrouting_key_file = "{key}"\n{RIGHT}'
    watched = Watched(tmp_path / "owners.toml", receiver)
    assert watched.looks() == []
    key.write_text("n" * 32, encoding="utf-8")
    (told,) = watched.looks()
    assert "a secret was changed" in told
    key.write_text("too short", encoding="utf-8")
    (told,) = watched.looks()
    assert "routing_key: want the 32 characters" in told
    assert "too short" not in told
    assert watched.shown() == (1.0, 1.0)


def mounted(tmp_path: Path, name: str, content: bytes) -> Path:
    """A file as Kubernetes mounts those of a ConfigMap; called again it swaps ``..data`` as Kubernetes does."""
    version = tmp_path / f"..{len(list(tmp_path.iterdir()))}"
    version.mkdir()
    (version / name).write_bytes(content)
    (tmp_path / "..new").symlink_to(version.name)
    os.replace(tmp_path / "..new", tmp_path / "..data")
    if not (tmp_path / name).is_symlink():
        (tmp_path / name).symlink_to(f"..data/{name}")
    return tmp_path / name


def test_a_config_map_that_is_swapped_is_told_of(tmp_path: Path) -> None:
    watched = Watched(mounted(tmp_path, "owners.toml", b""))
    mounted(tmp_path, "owners.toml", OTHER.encode())
    assert len(watched.looks()) == 1
    assert watched.shown() == (1.0, 0.0)


def rota(path: Path) -> Feed:
    return Feed("maps", "", 60.0, path, SureRota({"ada", "bob"}, ("boss",), read(path)))


def test_a_rota_of_a_file_is_read_again_and_what_is_wrong_leaves_the_last_good_one(tmp_path: Path) -> None:
    path = mounted(tmp_path, "maps.ics", calendar())
    feed = rota(path)
    mounted(tmp_path, "maps.ics", calendar("bob"))
    assert (fetch(feed), feed.rota.at(NOON)) == ((FETCHED, ()), ("bob",))
    for content, reason in ((calendar("ada")[:150], NO_CALENDAR), (b"", NO_CALENDAR)):
        mounted(tmp_path, "maps.ics", content)
        assert (fetch(feed), feed.rota.at(NOON)) == ((reason, ()), ("bob",))
    path.unlink()
    assert (fetch(feed), feed.rota.at(NOON)) == ((UNREADABLE, ()), ("bob",))
    path.write_bytes(calendar("ada"))
    assert (fetch(feed), feed.rota.at(NOON)) == ((FETCHED, ()), ("ada",))


def test_whoever_has_left_has_no_turn_and_is_named(tmp_path: Path) -> None:
    path = tmp_path / "maps.ics"
    path.write_bytes(calendar())
    feed = rota(path)
    path.write_bytes(calendar("eve"))
    assert (fetch(feed), feed.rota.at(NOON)) == ((FETCHED, ("eve",)), ("boss",))


def test_the_rotas_of_files_are_followed_too(tmp_path: Path) -> None:
    (tmp_path / "maps.ics").write_bytes(calendar())
    owners = tmp_path / "owners.toml"
    owners.write_text(
        f"""
        [[receiver]]
        name = "ada"
        kind = "pagerduty"
        routing_key = "{"0" * 32}"
        [[rota]]
        name = "maps"
        file = "{tmp_path}/maps.ics"
        otherwise = ["ada"]
        [default_owner]
        name = "maps"
        receivers = ["rota:maps"]
        """,
        encoding="utf-8",
    )
    (feed,) = load(owners, {}).feeds
    assert (feed.name, feed.url, feed.copy) == ("maps", "", tmp_path / "maps.ics")


def test_a_rotas_file_that_no_pager_would_start_with_is_told_of_and_a_new_turn_is_not(tmp_path: Path) -> None:
    (tmp_path / "maps.ics").write_bytes(calendar())
    names = "".join(
        f'[[receiver]]\nname = "{name}"\nkind = "pagerduty"\nrouting_key = "{"0" * 32}"\n'
        for name in ("ada", "bob")
    )
    table = f'[[rota]]\nname = "maps"\nfile = "{tmp_path}/maps.ics"\notherwise = ["ada"]\n'
    watched = Watched(tmp_path / "owners.toml", f"{names}{table}{RIGHT}")
    (tmp_path / "maps.ics").write_bytes(calendar("bob"))
    assert (watched.looks(), watched.shown()) == ([], (0.0, 0.0))
    for broken in (b"BEGIN:VCALENDAR", calendar("eve")):
        (tmp_path / "maps.ics").write_bytes(broken)
        (told,) = watched.looks()
        assert told.startswith("owners file can't be used")
        assert watched.shown() == (0.0, 1.0)
    (tmp_path / "maps.ics").write_bytes(calendar("ada"))
    assert watched.looks() == ["owners file and secrets are again those in use"]
    assert watched.shown() == (0.0, 0.0)
