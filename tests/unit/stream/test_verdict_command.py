"""``tidewatch verdict``: what it prints, and what it refuses."""

import re
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from msgspec import json
from msgspec.structs import replace

from stream.events import ALL
from stream.verdict.command import EXIT_CODES, SAID, UNITS, Unknown, _duration, _lines, _verdict, command
from stream.verdict.verdict import DECISIONS, Decision, Reason
from tests.laws.versions import (
    BEGAN_AT,
    HOUR_S,
    before,
    harmed,
    in_slices,
    refer,
    served,
    staged,
    steady,
    summed,
)


def lines(monitor, against="v7"):
    return [*_lines(_verdict(monitor, "v8", against, 0.2))]


def test_a_verdict_in_words():
    monitor = staged(served(steady({"v7": 0.05, "v8": 0.1}, 4_000, HOUR_S)), v7="live", v8="canary")
    assert lines(monitor) == [
        "m v8 (canary) against v7 (live)",
        "ROLL BACK: it is worse",
        "  both served from 2026-09-24 00:30:00 UTC to 2026-09-24 01:00:00 UTC",
        "  accuracy 0.9 (0.874 to 0.926) of 2,000 labels of v8",
        "  accuracy 0.95 (0.927 to 0.973) of 2,000 labels of v7",
        "  difference -0.05 (-0.0819 to -0.0181); down to -0.01 is no worse",
    ]


def test_slices_mix_and_findings_are_told():
    monitor = served(in_slices({"nl": (0.3, 0.3), "de": (0.05, 0.05)}, 9_000, {"de": 0.05}))
    monitor.versions["v8"].series[ALL].finding = harmed().versions["v8"].series[ALL].finding
    said = lines(monitor)
    assert said[1] == "ROLL BACK: a finding of it is open that the other version has not"
    assert said[-3].startswith("  open since 2026-09-25 0")
    assert said[-2].startswith("  least well in country=")
    assert said[-1] == "  45% of the traffic differs by country: compared within country"


def test_a_version_that_stands_alone_has_no_figures():
    assert lines(summed([before("v8")]), None) == ["m v8", "HOLD: the model has no other version"]


def test_the_time_of_the_checkpoint_is_told():
    found = _verdict(summed([before("v8")]), "v8", None, 0.2)
    assert json.decode(json.encode(found))["known_at"] is None
    known = replace(found, known_at=BEGAN_AT)
    assert [*_lines(known)][-1] == "  as the checkpoint of 2026-09-24 00:00:00 UTC knows it"
    assert json.decode(json.encode(known))["known_at"] == BEGAN_AT


def test_as_json_what_is_not_known_is_null():
    found = json.decode(json.encode(_verdict(summed([before("v8")]), "v8", None, 0.2)))
    assert (found["kind"], found["decision"], found["reason"]) == ("verdict", "hold", "alone")
    assert found["other"] is None
    assert found["candidate"]["figure"] == {"value": None, "lower": None, "upper": None}


def test_an_unknown_version_is_told_with_those_that_are():
    monitor = refer(summed([before("v7"), before("v8")]))
    for version, against in (("v9", None), ("v8", "v9")):
        with pytest.raises(Unknown, match="version 'v9': has no predictions of m; those that have: v7, v8"):
            _verdict(monitor, version, against, 0.2)


def test_durations():
    assert [_duration(None, None, one) for one in ("0", "90s", "1.5m", "2h", "1d")] == [
        0,
        90,
        90,
        7_200,
        86_400,
    ]
    for wrong in ("", "2 h", "h", "-1s", "1w"):
        with pytest.raises(click.BadParameter, match="want a duration"):
            _duration(None, None, wrong)
    assert UNITS[""] == 1.0


def test_a_version_is_not_held_against_itself():
    done = CliRunner().invoke(command, ["m", "v8", "--against", "v8"])
    assert done.exit_code == 2
    assert "want another version" in done.output


def test_every_reason_is_said_and_every_decision_has_its_exit_code():
    assert set(SAID) == set(Reason)
    assert set(EXIT_CODES) == set(Decision)
    assert len(set(EXIT_CODES.values()) - {1, 2}) == len(Decision)


def test_the_docs_name_every_reason_under_its_exit_code_and_every_field():
    told = (Path(__file__).parents[3] / "docs" / "versions.md").read_text()
    rows, code = told.partition("| verdict | exit code |")[2].partition("\n\n")[0].splitlines(), ""
    named = {}
    for row in rows[2:]:
        _, _, its, reasons, *_ = (cell.strip() for cell in row.split("|"))
        code = its or code
        named |= dict.fromkeys(re.findall(r"`(\w+)`", reasons), int(code))
    assert named == {str(reason): EXIT_CODES[decision] for reason, decision in DECISIONS.items()}
    fields = told.partition("## As JSON")[2].partition("##")[0]
    for name in json.decode(json.encode(_verdict(summed([before("v8")]), "v8", None, 0.2))):
        assert f"`{name}`" in fields
