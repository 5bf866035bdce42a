"""``tidewatch check-events``: what a producer's developer reads about a file."""

import gzip
import io
import json
import shlex
import subprocess
import sys

import pytest
from click.testing import CliRunner

from stream import check
from stream.check import Check, check_events
from stream.contract import DOCS
from stream.correction import is_sound
from stream.entry import Codec
from stream.fields import EXAMPLES
from stream.lines import lines_of
from stream.series import task_of
from stream.wire import MAX_BYTES, Tolerance, decode_event

AT = 1_772_353_800.0
THEN = "2026-03-01T08:30:00Z"
GOOD = [example for name in ("rollout", "prediction", "outcome") for example in EXAMPLES[name]]


def prediction(number, **changes):
    fields = {"prediction_id": f"p{number}", "model": "m", "version": "1", "at": AT, "prediction": 1}
    return {"type": "prediction"} | fields | changes


def outcome(number, **changes):
    return {"type": "outcome", "prediction_id": f"p{number}", "model": "m", "at": AT, "outcome": 1} | changes


def text_of(*records):
    return "".join(f"{record if isinstance(record, str) else json.dumps(record)}\n" for record in records)


@pytest.fixture
def run(tmp_path):
    def run_on(text, *options):
        file = tmp_path / "events.jsonl"
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
        return CliRunner().invoke(check_events, [str(file), "--received-at", THEN, *options])

    return run_on


def test_a_clean_file_says_only_its_counts_and_exits_with_0(run):
    answer = run(text_of(*GOOD))
    assert answer.exit_code == 0
    assert answer.output == "5 lines: 3 predictions, 1 outcomes, 1 rollouts; faults: 0; warnings: 0\n"


def test_a_cloud_event_is_looked_at_by_its_data(run):
    good, bad = ({"specversion": "1.0", "data": prediction(1, **kind)} for kind in ({}, {"model": ""}))
    assert run(text_of(good)).output == run(text_of(prediction(1))).output
    assert run(text_of(bad)).output == run(text_of(prediction(1, model=""))).output
    broken = {"specversion": "1.0", "source": 5, "data": prediction(2)}
    told = run(text_of(broken, prediction(1, model=""))).output.splitlines()
    assert [one.partition(":")[0] for one in told[:2]] == ["line 1", "line 2"]
    assert "source" in told[0]
    named_like_one = prediction(1, features={"specversion": 1.0})
    assert run(text_of(named_like_one)).exit_code == 0


def test_each_fault_names_line_field_value_and_what_is_wanted_and_exits_with_1(run):
    answer = run(text_of(prediction(1), outcome(1, at="2026-13-01", model=""), "nonsense"))
    assert answer.exit_code == 1
    assert answer.output.splitlines() == [
        'line 2: model "": want text of 1 to 200 characters',
        'line 2: at "2026-13-01": want RFC 3339 with offset'
        " (2026-03-01T08:30:00Z), or epoch seconds or milliseconds",
        "line 3: value nonsense: want one JSON object in UTF-8 (Expecting value at character 1)",
        "3 lines: 1 predictions, 0 outcomes, 0 rollouts;"
        " faults: 3 (bad_json 1, out_of_range 1, wrong_type 1); warnings: 0",
    ]


@pytest.mark.parametrize(
    "text", ["", "\n \n", gzip.compress(b"", mtime=0)], ids=["empty", "blank", "gzipped"]
)
def test_a_file_without_events_is_a_fault(run, text):
    answer = run(text)
    assert answer.exit_code == 1
    assert answer.output.splitlines() == [
        "no events: want one JSON object a line",
        "0 lines: 0 predictions, 0 outcomes, 0 rollouts; faults: 1 (no_events 1); warnings: 0",
    ]


@pytest.mark.parametrize("record", [prediction(1), [prediction(1)]])
def test_an_event_over_several_lines_gets_a_hint(run, record):
    answer = run(json.dumps(record, indent=2))
    assert answer.exit_code == 1
    hint = "line 1: note: one event over several lines? want one JSON object a line, as jq -c writes it"
    assert answer.output.splitlines().count(hint) == 1
    assert hint not in run(text_of(prediction(1), "{")).output


def test_an_unknown_field_is_a_warning_with_a_hint_told_once(run):
    odd = [prediction(number, slice={"country": "pt"}, zzz=1) for number in range(3)]
    answer = run(text_of(*odd))
    assert answer.exit_code == 0
    assert answer.output.splitlines() == [
        'line 1: warning: slice: no field of type prediction, passed over; did you mean "slices"?',
        "line 1: warning: zzz: no field of type prediction, passed over",
        "3 lines: 3 predictions, 0 outcomes, 0 rollouts; faults: 0; warnings: 6 (unknown_field 6)",
    ]


def test_a_misspelt_field_or_type_gets_a_hint_next_to_its_fault(run):
    record = outcome(1) | {"predictionId": "p1"}
    del record["prediction_id"]
    answer = run(text_of(record, prediction(1, type="Prediction")))
    assert answer.output.splitlines()[:3] == [
        "line 1: prediction_id missing: want text of 1 to 200 characters",
        'line 1: warning: predictionId: no field of type outcome, passed over; did you mean "prediction_id"?',
        'line 2: type "Prediction": want "prediction" or "outcome" or "rollout"; did you mean "prediction"?',
    ]


def test_a_prediction_seen_before_is_a_warning_but_another_models_is_not(run):
    answer = run(text_of(prediction(1), prediction(1, model="other"), prediction(1)))
    assert answer.exit_code == 0
    assert answer.output.startswith(
        'line 3: warning: prediction_id "p1": seen before; only the first one counts, of whichever version\n'
    )


TEXT, VALUE, CLASS = "text", "a number without scores", "true, false or a number with scores"


@pytest.mark.parametrize(
    ("said", "scores", "kind", "happened", "other"),
    [
        ("1", None, TEXT, 1, "a number"),
        (True, 0.8, CLASS, "true", "text"),
        (1, 0.8, CLASS, "1", "text"),
        (12.5, None, VALUE, "12.5", "text"),
        (1, None, VALUE, True, "true or false"),
    ],
)
def test_an_outcome_that_will_count_as_mismatched_is_a_warning_in_either_order(
    run, said, scores, kind, happened, other
):
    pair = prediction(1, prediction=said, scores=scores), outcome(1, outcome=happened)
    for records in (pair, reversed(pair)):
        answer = run(text_of(*records))
        assert answer.exit_code == 0
        assert answer.output.splitlines() == [
            f'line 2: warning: prediction_id "p1": its prediction is {kind}, its outcome {other};'
            " this counts as mismatched",
            "2 lines: 1 predictions, 1 outcomes, 0 rollouts; faults: 0; warnings: 1 (mismatched 1)",
        ]


def test_a_correction_is_held_against_the_prediction_too_and_a_repeated_prediction_is_not(run):
    answer = run(text_of(prediction(1), outcome(1), outcome(1, outcome="1"), prediction(1, prediction="1")))
    assert [line.partition(" prediction_id")[0] for line in answer.output.splitlines()[:2]] == [
        "line 3: warning:",
        "line 4: warning:",
    ]
    assert "warnings: 2 (duplicate_prediction 1, mismatched 1)" in answer.output


@pytest.mark.parametrize("happened", [True, False, 0, 1, 2.5, "", "1"])
@pytest.mark.parametrize("scores", [None, 0.5])
@pytest.mark.parametrize("said", [True, 1, 2.5, "yes"])
def test_the_warning_comes_exactly_where_the_worker_can_compare_nothing(run, said, scores, happened):
    record = prediction(1, prediction=said, scores=scores)
    served = Codec().serve(decode_event(json.dumps(record).encode(), AT, Tolerance(0, 0)))
    is_told = "mismatched" in run(text_of(record, outcome(1, outcome=happened))).output
    assert is_told != is_sound(task_of(served), served, happened)


@pytest.mark.parametrize(
    ("first", "odd", "words"),
    [
        ({"prediction": "NaN"}, {"prediction": 12.5}, "a class"),
        ({"prediction": 12.5}, {"prediction": "NaN"}, "a number without scores"),
        ({"prediction": 1}, {"prediction": 1, "scores": 0.9}, "a number without scores"),
        ({"prediction": 1, "scores": {}}, {"prediction": 1}, "a class"),
    ],
)
def test_a_prediction_of_another_sort_than_its_versions_first_is_a_warning(run, first, odd, words):
    others = prediction(2, version="2", **odd), prediction(3, model="other", **odd), prediction(4, **first)
    answer = run(text_of(prediction(1, **first), *others, prediction(5, **odd)))
    assert answer.exit_code == 0
    assert answer.output.splitlines()[:-1] == [
        f'line 5: warning: prediction_id "p5": the first of version "1" was {words}: this counts as mismatched'
    ]


def test_an_outcome_without_a_prediction_is_a_note_wherever_the_prediction_stands(run):
    answer = run(text_of(outcome(1), outcome(2), prediction(1), outcome(1)))
    assert answer.exit_code == 0
    assert answer.output.splitlines()[0] == "note: outcomes without a prediction in this file: 1: p2 (line 2)"


def test_json_output_is_one_object_a_line_and_the_summary_last(run):
    answer = run(text_of(prediction(1, model=7), prediction(2), outcome(2), outcome(2)), "--json")
    fault, summary = [json.loads(line) for line in answer.output.splitlines()]
    assert fault == {
        "level": "fault",
        "line": 1,
        "reason": "wrong_type",
        "text": "model 7: want text of 1 to 200 characters",
        "field": "model",
        "value": "7",
        "wanted": "text of 1 to 200 characters",
    }
    assert summary == {
        "summary": {
            "lines": 4,
            "events": {"prediction": 1, "outcome": 2, "rollout": 0},
            "faults": {"wrong_type": 1},
            "warnings": {},
            "unknown_fields": {},
            "corrected_outcomes": 1,
            "predictions_without_outcome": 0,
            "unsaid": 0,
        }
    }


def test_past_the_maximum_remarks_are_counted_and_not_printed(run):
    answer = run(text_of(*["x"] * 5), "--max", "2")
    assert answer.exit_code == 1
    assert [line[:7] for line in answer.output.splitlines()] == ["line 1:", "line 2:", "... and", "5 lines"]
    assert "... and 3 more\n" in answer.output


def test_a_gzipped_file_is_read_whatever_its_name(run):
    assert run(gzip.compress(text_of(*GOOD).encode())).output.startswith("5 lines: 3 predictions")


def test_a_cut_gzip_file_exits_with_2(run):
    answer = run(gzip.compress(text_of(*GOOD).encode())[:60])
    assert answer.exit_code == 2
    assert "can't be read to its end" in answer.output


def test_a_file_that_is_not_there_exits_with_2():
    answer = CliRunner().invoke(check_events, ["/nowhere/events.jsonl"])
    assert answer.exit_code == 2
    assert "/nowhere/events.jsonl: No such file or directory" in answer.output


def test_a_time_to_judge_by_that_is_no_time_exits_with_2():
    answer = CliRunner().invoke(check_events, ["-", "--received-at", "yesterday"])
    assert answer.exit_code == 2
    assert '"yesterday": want RFC 3339 with offset' in answer.output


@pytest.mark.parametrize("then", ["1772353800", "1772353800250", "1772353800.25", THEN])
def test_the_time_to_judge_by_may_be_written_like_at(tmp_path, then):
    file = tmp_path / "events.jsonl"
    file.write_text(text_of(*GOOD))
    assert CliRunner().invoke(check_events, [str(file), "--received-at", then]).exit_code == 0


def test_time_is_judged_by_now_unless_told_otherwise(run, tmp_path):
    old = text_of(outcome(1, at="2001-01-01T00:00:00Z"))
    assert "faults: 1 (absurd_time 1)" in run(old).output
    (tmp_path / "old.jsonl").write_text(old)
    answer = CliRunner().invoke(check_events, [str(tmp_path / "old.jsonl")])
    assert "faults: 1 (absurd_time 1)" in answer.output
    options = ["--received-at", "2001-01-01T00:00:00Z"]
    assert CliRunner().invoke(check_events, [str(tmp_path / "old.jsonl"), *options]).exit_code == 0


def test_standard_input_is_read_plain_and_gzipped():
    command = [sys.executable, "-m", "stream.check", "-", "--received-at", THEN]
    for given in (text_of(*GOOD).encode(), gzip.compress(text_of(*GOOD).encode())):
        done = subprocess.run(command, input=given, capture_output=True, check=False)
        assert (done.returncode, done.stderr) == (0, b"")
        assert done.stdout.startswith(b"5 lines: 3 predictions")


def test_closed_standard_input_is_told_and_exits_with_2():
    command = f"{shlex.quote(sys.executable)} -m stream.check - <&-"
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.splitlines()[-1]) == (2, "Error: -: standard input is closed")


def test_an_oversize_line_is_refused_and_the_lines_after_it_are_read(run):
    huge = '{"type": "' + "x" * (3 * MAX_BYTES) + '"}'
    answer = run(text_of(huge, prediction(1)))
    assert (
        answer.output.splitlines()[0] == "line 1: value of more than 262144 bytes: want at most 262144 bytes"
    )
    assert "2 lines: 1 predictions" in answer.output


def test_a_long_line_is_never_held_whole():
    file = io.BytesIO(b"x" * (4 * MAX_BYTES) + b"\r\ny\n" + b"z" * MAX_BYTES + b"\r\nlast")
    assert [len(line) for line in lines_of(io.BufferedReader(file), "x")] == [MAX_BYTES + 2, 1, MAX_BYTES, 4]


def test_an_unknown_name_that_is_no_text_can_be_printed(run):
    answer = run(text_of(prediction(1, **{"\ud800": 1})))
    assert "line 1: warning: \\ud800: no field of type prediction, passed over\n" in answer.output


def test_blank_lines_are_passed_over_but_keep_the_numbers(run):
    assert run("\n\n \nx\n").output.startswith("line 4: ")


def looked(checked, records):
    for number, record in enumerate(records, 1):
        list(checked.look(number, json.dumps(record).encode()))


def test_past_the_id_budget_the_check_says_what_it_no_longer_sees():
    checked = Check(AT, id_budget=2)
    looked(checked, [prediction(1), outcome(2), prediction(3), outcome(4), prediction(1)])
    [note] = checked.notes()
    assert (note.line, note.reason) == (3, "id_budget")
    assert "the budget of 2 prediction ids is used up here" in note.text
    assert checked.warnings == {"duplicate_prediction": 1}, "ids within the budget are still looked for"
    assert checked.summary()["predictions_without_outcome"] is None


def test_unknown_names_have_a_budget_too():
    checked = Check(AT)
    many = [prediction(number, **{f"extra{number}": 1}) for number in range(check._NAME_BUDGET + 50)]
    looked(checked, many)
    assert len(checked.summary()["unknown_fields"]) == check._NAME_BUDGET
    assert checked.warnings["unknown_field"] == check._NAME_BUDGET + 50


def test_the_example_in_the_page_for_producers_is_what_the_command_says(run):
    record = outcome(1) | {"predictionId": "p1"}
    del record["prediction_id"]
    answer = run(text_of(prediction(1), record, outcome(1, at="2026-13-01")))
    page = (DOCS / "producers.md").read_text(encoding="utf-8")
    assert f"$ tidewatch check-events events.jsonl\n{answer.output}```" in page
