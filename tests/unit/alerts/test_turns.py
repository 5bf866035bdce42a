"""Whose turn a calendar says it is, as people's calendar programs write them; and that nobody's is a fault."""

from __future__ import annotations

from datetime import datetime, timedelta
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


BERLIN = "TZID=Europe/Berlin"


def handover(zone: str, day: str, clock: str) -> bytes:
    """Ada until this local time of this day, Bob from then on."""
    noon = datetime.strptime(day, "%Y%m%d")
    before, after = (f"{noon + timedelta(days=days):%Y%m%d}T{clock}" for days in (-2, 3))
    return calendar(
        f"UID:1\r\nDTSTART;{zone}:{before}\r\nDTEND;{zone}:{day}T{clock}\r\nSUMMARY:ada\r\n",
        f"UID:2\r\nDTSTART;{zone}:{day}T{clock}\r\nDTEND;{zone}:{after}\r\nSUMMARY:bob\r\n",
    )


CHANGES = [
    ("Europe/Berlin", "20270328", "023000", "20271031"),
    ("America/New_York", "20270314", "023000", "20271107"),
    ("Australia/Lord_Howe", "20271003", "021500", "20270404"),
    ("Africa/Casablanca", "20270314", "023000", "20270207"),
]


@pytest.mark.parametrize(("zone", "gap", "clock", "back"), CHANGES)
def test_at_a_change_of_clocks_it_is_always_somebodys_turn_and_passes_on_once(
    zone: str, gap: str, clock: str, back: str
) -> None:
    for day in (gap, back):
        for head in ("", f"X-WR-TIMEZONE:{zone}\r\n"):
            content = handover(f"TZID={zone}", day, clock).replace(b"VERSION", head.encode() + b"VERSION")
            rota = parsed(content)
            noon = datetime.strptime(f"{day}12 +0000", "%Y%m%d%H %z").timestamp()
            turns = [rota.at(noon + minute * 60) for minute in range(-1_440, 1_441, 5)]
            assert {*turns} == {("ada",), ("bob",)}
            assert turns == sorted(turns), "back to whoever had it before"


def test_a_weekly_handover_in_the_gap_is_on_time_in_all_other_weeks() -> None:
    rule = "RRULE:FREQ=WEEKLY;INTERVAL=2\r\n"
    content = calendar(
        f"UID:1\r\nDTSTART;{BERLIN}:20270314T023000\r\nDTEND;{BERLIN}:20270321T023000\r\n{rule}SUMMARY:ada\r\n",
        f"UID:2\r\nDTSTART;{BERLIN}:20270321T023000\r\nDTEND;{BERLIN}:20270328T023000\r\n{rule}SUMMARY:bob\r\n",
    )
    for at, who in (
        ("2027-03-21T02:29:00+01:00", "ada"),
        ("2027-03-21T02:30:00+01:00", "bob"),
        ("2027-03-28T01:59:00+01:00", "bob"),
        ("2027-03-28T04:00:00+02:00", "ada"),
        ("2027-04-04T02:29:00+02:00", "ada"),
        ("2027-04-04T02:30:00+02:00", "bob"),
    ):
        assert turn(content, at) == (who,)


def zoned(name: str, offset: str) -> str:
    part = f"DTSTART:19700101T000000\r\nTZOFFSETFROM:{offset}\r\nTZOFFSETTO:{offset}\r\n"
    return f"BEGIN:VTIMEZONE\r\nTZID:{name}\r\nBEGIN:STANDARD\r\n{part}END:STANDARD\r\nEND:VTIMEZONE\r\n"


NINE = "UID:1\r\nDTSTART;TZID={0}:20261130T090000\r\nDTEND;TZID={0}:20261130T170000\r\nSUMMARY:ada\r\n"


def test_a_zone_that_two_calendars_call_by_one_name_is_each_ones_own() -> None:
    name = "Customized Time Zone"
    for offset in ("+0500", "-0800", "+0500"):
        content = calendar(NINE.format(f'"{name}"'), head=zoned(name, offset))
        at = f"2026-11-30T09:30:00{offset[:3]}:{offset[3:]}"
        assert turn(content, at) == ("ada",)
        assert turn(content, at.replace("09:30", "08:30")) == ()


@pytest.mark.parametrize("name", ["W. Europe Standard Time", "Europe/Berlin", "/Europe/Berlin"])
def test_zones_have_the_names_that_calendar_programs_give_them(name: str) -> None:
    content = calendar(NINE.format(name))
    assert turn(content, "2026-11-30T09:30:00+01:00") == ("ada",)
    assert turn(content, "2026-11-30T08:30:00+01:00") == ()


def test_a_zone_that_nobody_knows_is_a_fault_that_names_it() -> None:
    with pytest.raises(
        ValueError, match="TZID 'Our Office': want a zone of the IANA database, or its VTIMEZONE"
    ):
        parsed(calendar(NINE.format("Our Office")))
    with pytest.raises(ValueError, match="X-WR-TIMEZONE 'Our Office': want a zone"):
        parsed(calendar(ADA, head="X-WR-TIMEZONE:Our Office\r\n"))


def test_a_calendars_own_zone_may_have_a_name_of_windows() -> None:
    content = calendar(ADA, BOB, head="X-WR-TIMEZONE:New Zealand Standard Time\r\n")
    assert turn(content, "2026-11-30T00:00:00+13:00") == ("ada",)


def test_a_day_that_is_excepted_is_nobodys_and_the_moved_one_is_where_it_was_moved_to() -> None:
    daily = (
        f"UID:1\r\nDTSTART;{BERLIN}:20261130T090000\r\nDTEND;{BERLIN}:20261130T170000\r\nSUMMARY:ada\r\n"
        f"RRULE:FREQ=DAILY\r\nEXDATE;{BERLIN}:20261201T090000\r\n"
    )
    moved = (
        f"UID:1\r\nRECURRENCE-ID;{BERLIN}:20261202T090000\r\nDTSTART;{BERLIN}:20261202T200000\r\n"
        f"DTEND;{BERLIN}:20261202T220000\r\nSUMMARY:bob\r\n"
    )
    content = calendar(daily, moved)
    for at, who in (
        ("2026-11-30T10:00:00+01:00", ("ada",)),
        ("2026-12-01T10:00:00+01:00", ()),
        ("2026-12-02T10:00:00+01:00", ()),
        ("2026-12-02T21:00:00+01:00", ("bob",)),
        ("2026-12-03T10:00:00+01:00", ("ada",)),
    ):
        assert turn(content, at) == who
