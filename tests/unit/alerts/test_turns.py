"""Whose turn a calendar says it is, as people's calendar programs write them; and that nobody's is a fault."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest

from alerts.config import OwnersError, load
from alerts.ical import parsed
from tests.unit.alerts.samples import ROUTING_KEY

ADA = "UID:1\r\nDTSTART;VALUE=DATE:20261130\r\nDTEND;VALUE=DATE:20261201\r\nSUMMARY:ada\r\n"
BOB = "UID:2\r\nDTSTART;VALUE=DATE:20261201\r\nDTEND;VALUE=DATE:20261202\r\nSUMMARY:bob\r\n"
DAILY = "UID:1\r\nDTSTART:20261130T090000Z\r\nDTEND:20261130T170000Z\r\nRRULE:FREQ=DAILY\r\nSUMMARY:ada\r\n"
CANCELLED = (
    "UID:1\r\nRECURRENCE-ID:20261201T090000Z\r\nDTSTART:20261201T090000Z\r\nDTEND:20261201T170000Z\r\n"
    "STATUS:CANCELLED\r\nSUMMARY:eve\r\n"
)


def calendar(*events: str, head: str = "") -> bytes:
    made = "".join(f"BEGIN:VEVENT\r\n{event}END:VEVENT\r\n" for event in events)
    return f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//t//EN\r\n{head}{made}END:VCALENDAR\r\n".encode()


def turn(content: bytes, at: str) -> tuple[str, ...]:
    return parsed(content).at(datetime.fromisoformat(at).timestamp())


@pytest.mark.parametrize(
    ("head", "at", "who"),
    [
        ("X-WR-TIMEZONE:America/Los_Angeles\r\n", "2026-11-30T00:00:00-08:00", ("ada",)),
        ("X-WR-TIMEZONE:America/Los_Angeles\r\n", "2026-11-30T23:59:00-08:00", ("ada",)),
        ("X-WR-TIMEZONE:America/Los_Angeles\r\n", "2026-12-01T00:00:00-08:00", ("bob",)),
        ("X-WR-TIMEZONE:Pacific/Auckland\r\n", "2026-11-30T00:00:00+13:00", ("ada",)),
        ("", "2026-11-30T23:59:00+00:00", ("ada",)),
        ("", "2026-12-01T00:00:00+00:00", ("bob",)),
    ],
)
def test_whole_days_are_those_of_the_calendars_own_zone(head: str, at: str, who: tuple[str, ...]) -> None:
    assert turn(calendar(ADA, BOB, head=head), at) == who


def test_a_turn_that_was_cancelled_is_nobodys() -> None:
    content = calendar(DAILY, CANCELLED)
    assert turn(content, "2026-11-30T10:00:00+00:00") == ("ada",)
    assert turn(content, "2026-12-01T10:00:00+00:00") == ()
    assert parsed(content).names == ("ada",)


def test_a_rota_of_a_file_says_who_is_told_when_it_is_nobodys_turn(tmp_path: Path) -> None:
    (tmp_path / "rota.ics").write_bytes(calendar(DAILY))
    text = f"""
        [[receiver]]
        name = "ada"
        kind = "pagerduty"
        routing_key = "{ROUTING_KEY}"
        [[rota]]
        name = "maps"
        file = "{tmp_path}/rota.ics"
        OTHERWISE
        [default_owner]
        name = "maps"
        receivers = ["rota:maps"]
    """
    path = tmp_path / "owners.toml"
    path.write_text(text.replace("OTHERWISE", ""), encoding="utf-8")
    with pytest.raises(
        OwnersError, match="otherwise: want at least one receiver, for when it is nobody's turn"
    ):
        load(path, {})
    path.write_text(text.replace("OTHERWISE", 'otherwise = ["ada"]'), encoding="utf-8")
    at = datetime.fromisoformat("2026-11-30T03:00:00+00:00").timestamp()
    assert load(path, {}).owners.on_duty(("rota:maps",), at) == ("ada",)
