"""What a calendar of turns may cost: it is refused by what its rules say, and looked into once a day."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
import recurring_ical_events
from hypothesis import given
from hypothesis import strategies as st
from icalendar import Calendar

from alerts.expense import TURNS, TooCostly
from alerts.feed import FETCHED, TOO_COSTLY, Feed
from alerts.ical import DAY_S, IcalRota, SureRota, parsed, read
from tests.unit.alerts.test_feed import NOON, calendar, feed_of
from tests.unit.alerts.test_telling import WEEKS

ALL_HOURS = ",".join(str(hour) for hour in range(24))
HALVES = "RRULE:FREQ=DAILY;BYHOUR=0,12"


def of_events(*events: tuple[str, str, str]) -> bytes:
    """Return a calendar of events with these starts, durations and rules."""
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:x"]
    for number, (start, lasts, rule) in enumerate(events):
        lines += ["BEGIN:VEVENT", f"UID:{number}", f"DTSTART{start}", f"DURATION:{lasts}"]
        lines += [f"SUMMARY:{'ada' if number % 2 else 'bob'}", *([rule] if rule else []), "END:VEVENT"]
    return "\r\n".join([*lines, "END:VCALENDAR"]).encode()


@pytest.mark.parametrize(
    ("rule", "start"),
    [
        (f"RRULE:FREQ=DAILY;BYHOUR={ALL_HOURS};BYMINUTE=0,30", "20260301T000000Z"),
        ("RRULE:FREQ=WEEKLY;BYSECOND=" + ",".join(str(second) for second in range(60)), "20260301T000000Z"),
        ("RRULE:FREQ=YEARLY;BYYEARDAY=" + ",".join(str(day) for day in range(1, 102)), "20260301T000000Z"),
        (f"RRULE:FREQ=DAILY;BYHOUR={ALL_HOURS}", "20100101T000000Z"),
        ("RRULE:FREQ=DAILY", "00010101T000000Z"),
        ("RRULE:FREQ=DAILY;BYMONTH=2;BYMONTHDAY=31", "20260301T000000Z"),
        ("RRULE:FREQ=WEEKLY;BYMONTH=2;BYMONTHDAY=31", "20260301T000000Z"),
        ("RRULE:FREQ=MONTHLY;BYMONTH=2;BYMONTHDAY=31", "20260301T000000Z"),
        ("RRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=31", "20260301T000000Z"),
        ("RRULE:FREQ=DAILY;BYSETPOS=2", "20260301T000000Z"),
        ("RRULE:FREQ=DAILY;INTERVAL=0", "20260301T000000Z"),
        ("RRULE:FREQ=DAILY;INTERVAL=0;BYMONTH=2;BYMONTHDAY=31", "20260301T000000Z"),
    ],
)
def test_rules_that_take_long_to_look_into_are_refused_and_the_last_good_ones_count(
    rule: str, start: str, tmp_path: Path
) -> None:
    feed = feed_of(tmp_path)
    assert feed.take(calendar()) == (FETCHED, ())
    assert feed.take(calendar("bob", rule, start)) == (TOO_COSTLY, ())
    assert feed.rota.at(NOON) == ("ada",)
    assert feed.copy.read_bytes() == calendar()


def test_the_owners_file_says_what_is_wrong_with_such_a_calendar(tmp_path: Path) -> None:
    (tmp_path / "rota.ics").write_bytes(calendar(start="00010101T000000Z"))
    with pytest.raises(
        ValueError, match=r"rota\.ics'?: RRULE: want rules that begin later, or end \(UNTIL\)"
    ):
        read(tmp_path / "rota.ics")


def test_the_rules_of_all_events_count_together() -> None:
    daily = (":20100101T000000Z", "PT24H", "RRULE:FREQ=DAILY")
    many = TURNS // ((datetime.now(UTC) - datetime(2010, 1, 1, tzinfo=UTC)).days) + 1
    parsed(of_events(*[daily] * (many // 2)))
    with pytest.raises(TooCostly):
        parsed(of_events(*[daily] * many))


def test_calendars_of_people_are_well_within_the_bound() -> None:
    weekly = (":20150101T000000Z", "P7D", "RRULE:FREQ=WEEKLY;INTERVAL=6")
    shifts = (":20160101T000000Z", "PT8H", "RRULE:FREQ=DAILY;BYHOUR=0,8,16")
    monthly = (";VALUE=DATE:20150131", "P1D", "RRULE:FREQ=MONTHLY;BYMONTHDAY=31")
    yearly = (";VALUE=DATE:19720229", "P1D", "RRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29")
    parsed(of_events(*[weekly] * 24, *[shifts] * 3, *[monthly] * 4, *[yearly] * 4))


LOCAL = ";TZID=Europe/Berlin:20260301T090000"
MIXED = of_events(
    (":20260301T000000Z", "PT12H", HALVES),
    (LOCAL, "PT36H", "RRULE:FREQ=WEEKLY;BYDAY=MO,SA"),
    (":20260302T093000", "PT45M", "RRULE:FREQ=DAILY;INTERVAL=3;COUNT=20"),
    (";VALUE=DATE:20260303", "P2D", "RRULE:FREQ=MONTHLY;BYMONTHDAY=3,-1"),
    (":20260304T120000Z", "PT0S", "RRULE:FREQ=DAILY;UNTIL=20260401T120000Z"),
    (":20260310T000000Z", "P20D", ""),
)
CALENDARS = [MIXED, WEEKS.replace("\n", "\r\n").encode(), calendar()]
INSTANTS = st.integers(int(NOON) - 3 * DAY_S, int(NOON) + 60 * DAY_S)


@given(
    content=st.sampled_from(CALENDARS),
    instants=st.lists(INSTANTS | INSTANTS.map(lambda at: at // 1_800 * 1_800), min_size=1, max_size=8),
)
def test_whose_turn_it_is_is_what_the_library_says_of_the_instant(
    content: bytes, instants: list[int]
) -> None:
    rota, library = parsed(content), recurring_ical_events.of(Calendar.from_ical(content))
    for at in instants:
        found = library.at(datetime.fromtimestamp(at, UTC))
        assert rota.at(at) == tuple(sorted({str(one["SUMMARY"]) for one in found}))


class Series:
    """A series of turns that counts how often it is gone through."""

    def __init__(self, series: object) -> None:
        self._between = series.between  # type: ignore[attr-defined]
        self.passes = 0

    def between(self, starts: datetime, ends: datetime) -> object:
        self.passes += 1
        return self._between(starts, ends)


def test_the_rules_are_gone_through_once_for_all_look_ups_of_a_day() -> None:
    rota = parsed(MIXED)
    counted = rota._series = [Series(one) for one in rota._series]
    for at in range(int(NOON), int(NOON) + DAY_S // 2, 60):
        assert rota.at(at)
    assert [one.passes for one in counted] == [1] * len(counted)


def test_what_is_fetched_is_gone_through_beside_the_loop_for_now_and_tomorrow(tmp_path: Path) -> None:
    feed: Feed = feed_of(tmp_path)
    feed.take(calendar())
    rota = feed.rota.rota
    assert isinstance(rota, IcalRota)
    rota._series = []
    now = datetime.now(UTC).timestamp()
    assert feed.rota.at(now) == feed.rota.at(now + DAY_S / 2) == ("ada",)


def test_a_look_up_that_would_cost_too_much_is_nobodys_turn_and_not_tried_again() -> None:
    rota = parsed(calendar(start="20260301T000000Z", rule=HALVES))
    counted = rota._series = [Series(one) for one in rota._series]
    far = datetime(2900, 1, 1, tzinfo=UTC).timestamp()
    sure = SureRota({"ada"}, ("boss",), rota)
    with pytest.raises(TooCostly):
        rota.at(far)
    assert (sure.at(far), sure.at(far + 1)) == (("boss",), ("boss",))
    assert counted[0].passes == 1
