"""Bytes to facts: what is accepted, what is refused, and in which words."""

import json
import math
import re

import pytest
from aiokafka.partitioner import DefaultPartitioner
from hypothesis import given
from hypothesis import strategies as st

from stream.events import Finding, Instant, Outcome, Prediction, Rollout
from stream.fields import EVENT_FIELDS
from stream.instant import PATTERN
from stream.refusal import WANTED, DecodeError, Refusal
from stream.wire import (
    MAX_BYTES,
    Tolerance,
    decode_event,
    decode_told,
    encode,
    event_faults,
    partition_for,
    unwrap,
)

NOW = 1_772_353_800.0  # 2026-03-01T08:30:00Z
TOLERANCE = Tolerance(past_s=400 * 86_400.0, future_s=3_600.0)
OUTCOME = {"type": "outcome", "prediction_id": "p1", "model": "m", "at": NOW, "outcome": 1}
PREDICTION = {
    "type": "prediction",
    "prediction_id": "p1",
    "model": "m",
    "version": "1",
    "at": NOW,
    "prediction": 1,
}
ROLLOUT = {"type": "rollout", "model": "m", "version": "1", "at": NOW, "stage": "live"}
INSTANT = "RFC 3339 with offset (2026-03-01T08:30:00Z), or epoch seconds or milliseconds"
TEXT = "text of 1 to 200 characters"
WHOLE = "text without half a surrogate pair (was it cut within an emoji?)"


def line(base, **changes):
    return json.dumps({name: value for name, value in (base | changes).items() if value is not ...}).encode()


def decoded(value):
    return decode_event(value, NOW, TOLERANCE)


def raw(text):
    """An outcome whose ``outcome`` is this JSON text."""
    return line(OUTCOME, outcome="HERE").replace(b'"HERE"', text.encode())


REFUSED = [
    (None, "null_value", "value null: want a JSON object; nothing is deleted by a null here"),
    (b" " * (MAX_BYTES + 1), "oversize", "value of 262145 bytes: want at most 262144 bytes"),
    (b"", "bad_json", "value (empty): want one JSON object in UTF-8 (Expecting value at character 1)"),
    (
        b"{",
        "bad_json",
        "value {: want one JSON object in UTF-8"
        " (Expecting property name enclosed in double quotes at character 2)",
    ),
    (
        line(ROLLOUT) + b"x",
        "bad_json",
        'value {"type": "rollout", "model": "m", "version": "1", "at": 1772353800.0, "stage": …:'
        " want one JSON object in UTF-8 (Extra data at character 87)",
    ),
    (
        b'{"type":"\xff"}',
        "bad_json",
        'value {"type":"\\\\xff"}: want one JSON object in UTF-8 '
        "('utf-8' codec can't decode byte 0xff in position 9: invalid start byte)",
    ),
    (
        b"[" * 100_000 + b"]" * 100_000,
        "bad_json",
        f"value {'[' * 79}…: want one JSON object in UTF-8 (nested too deep)",
    ),
    (
        b'{"type": "rollout\n"}',
        "bad_json",
        'value {"type": "rollout\\n"}: want one JSON object in UTF-8 (Invalid control character at character 18)',
    ),
    (raw('"ab\\ud83d"'), "bad_json", f'outcome "ab\\ud83d": want {WHOLE}'),
    (
        line(PREDICTION, features={"note": "ab\ud83d"}),
        "bad_json",
        f'features.note "ab\\ud83d": want {WHOLE}',
    ),
    (line(PREDICTION, slices={"\ude00": 1}), "bad_json", f"slices.\\ude00 1: want {WHOLE}"),
    (
        line(OUTCOME, more=["x", {"y": "\ude00\ud83d"}]),
        "bad_json",
        f'more.1.y "\\ude00\\ud83d": want {WHOLE}',
    ),
    (b"null", "wrong_type", "value null: want a JSON object"),
    (b"[1]", "wrong_type", "value [1]: want a JSON object"),
    (b"NaN", "not_a_number", "value NaN: want a finite number"),
    (raw("NaN"), "not_a_number", "outcome NaN: want a finite number"),
    (raw("-Infinity"), "not_a_number", "outcome -Infinity: want a finite number"),
    (raw("1e999"), "not_a_number", "outcome 1e999: want a finite number"),
    (raw("9" * 400), "not_a_number", f"outcome {'9' * 79}…: want a finite number"),
    (raw("9" * 5_000), "not_a_number", f"outcome {'9' * 79}…: want a finite number"),
    (raw('1, "more": [0, {"x": NaN}]'), "not_a_number", "more.1.x NaN: want a finite number"),
    (
        line(PREDICTION, features={"a": "HERE"}).replace(b'"HERE"', b"1e400"),
        "not_a_number",
        "features.a 1e400: want a finite number",
    ),
    (line({}), "missing_field", 'type missing: want "prediction" or "outcome" or "rollout"'),
    (line(OUTCOME, type="x"), "unknown_type", 'type "x": want "prediction" or "outcome" or "rollout"'),
    (
        line(OUTCOME, type="finding"),
        "unknown_type",
        'type "finding": want "prediction" or "outcome" or "rollout"',
    ),
    (line(OUTCOME, type=1), "wrong_type", 'type 1: want "prediction" or "outcome" or "rollout"'),
    (line(OUTCOME, model=...), "missing_field", f"model missing: want {TEXT}"),
    (line(ROLLOUT, at=...), "missing_field", f"at missing: want {INSTANT}"),
    (line(OUTCOME, prediction_id=""), "out_of_range", f'prediction_id "": want {TEXT}'),
    (line(OUTCOME, prediction_id=7), "wrong_type", f"prediction_id 7: want {TEXT}"),
    (line(OUTCOME, model="m" * 201), "out_of_range", f'model "{"m" * 78}…: want {TEXT}'),
    (line(OUTCOME, at="2026-13-01"), "wrong_type", f'at "2026-13-01": want {INSTANT}'),
    (line(OUTCOME, at=True), "wrong_type", f"at true: want {INSTANT}"),
    (line(OUTCOME, at=None), "wrong_type", f"at null: want {INSTANT}"),
    (
        line(OUTCOME, at="2026-03-01T08:30:00"),
        "wrong_type",
        f'at "2026-03-01T08:30:00": want {INSTANT}; this has no offset',
    ),
    (
        line(OUTCOME, at="2026-02-30T08:30:00Z"),
        "wrong_type",
        f'at "2026-02-30T08:30:00Z": want {INSTANT}; day is out of range for month',
    ),
    (
        line(OUTCOME, at=NOW + 3_601),
        "absurd_time",
        "at 1772357401.0: want a time within 400 days before and 3600 seconds after"
        " 2026-03-01T08:30:00.000+00:00, when the record reached Kafka",
    ),
    (
        line(OUTCOME, at="1971-03-01T08:30:00Z"),
        "absurd_time",
        'at "1971-03-01T08:30:00Z": want a time within 400 days before and 3600 seconds after'
        " 2026-03-01T08:30:00.000+00:00, when the record reached Kafka",
    ),
    *(
        (
            line(OUTCOME, at=int(NOW) * finer),
            "absurd_time",
            f"at {int(NOW) * finer}: want a time within 400 days before and 3600 seconds after"
            " 2026-03-01T08:30:00.000+00:00, when the record reached Kafka;"
            " a number so large is micro- or nanoseconds",
        )
        for finer in (10**6, 10**9)
    ),
    (
        line(OUTCOME, at="9999-03-01T08:30:00Z"),
        "absurd_time",
        'at "9999-03-01T08:30:00Z": want a time within 400 days before and 3600 seconds after'
        " 2026-03-01T08:30:00.000+00:00, when the record reached Kafka",
    ),
    (
        line(ROLLOUT, trained_until=int(NOW) * 10**6),
        "absurd_time",
        f"trained_until {int(NOW) * 10**6}: want a time at most 3600 seconds after"
        " 2026-03-01T08:30:00.000+00:00, when the record reached Kafka;"
        " a number so large is micro- or nanoseconds",
    ),
    (
        line(ROLLOUT, trained_until="2026-03-01T09:30:01Z"),
        "absurd_time",
        'trained_until "2026-03-01T09:30:01Z": want a time at most 3600 seconds after'
        " 2026-03-01T08:30:00.000+00:00, when the record reached Kafka",
    ),
    (line(OUTCOME, outcome=None), "wrong_type", f"outcome null: want {WANTED['outcome']}"),
    (line(OUTCOME, outcome=[1]), "wrong_type", f"outcome [1]: want {WANTED['outcome']}"),
    (
        line(OUTCOME, outcome="x" * 257),
        "out_of_range",
        f'outcome "{"x" * 78}…: want {WANTED["outcome"]}',
    ),
    (line(PREDICTION, scores=1.5), "out_of_range", f"scores 1.5: want {WANTED['scores']}"),
    (line(PREDICTION, scores=True), "wrong_type", f"scores true: want {WANTED['scores']}"),
    (
        line(PREDICTION, scores={"a": 0.5, "b": -0.1}),
        "out_of_range",
        f"scores.b -0.1: want {WANTED['scores.*']}",
    ),
    (
        line(PREDICTION, slices={"country": "pt", "tier": 1.5}),
        "wrong_type",
        f"slices.tier 1.5: want {WANTED['slices.*']}",
    ),
    (
        line(PREDICTION, slices={"tier": 2**63}),
        "out_of_range",
        f"slices.tier 9223372036854775808: want {WANTED['slices.*']}",
    ),
    (
        line(PREDICTION, slices={str(number): 1 for number in range(17)}),
        "out_of_range",
        'slices {"0": 1, "1": 1, "2": 1, "3": 1, "4": 1, "5": 1, "6": 1, "7": 1, "8": 1, "9": 1…:'
        f" want {WANTED['slices']}",
    ),
    (
        line(PREDICTION, slices={"tier": "x", "a=b": "c"}),
        "out_of_range",
        f'slices.a=b "c": want {WANTED["slices.*"]}',
    ),
    (line(PREDICTION, slices=None), "wrong_type", f"slices null: want {WANTED['slices']}"),
    (line(PREDICTION, features={"a": []}), "wrong_type", f"features.a []: want {WANTED['features.*']}"),
    (line(ROLLOUT, stage="beta"), "out_of_range", f'stage "beta": want {WANTED["stage"]}'),
    (line(ROLLOUT, stage=1), "wrong_type", f"stage 1: want {WANTED['stage']}"),
    (line(ROLLOUT, traffic_share=2), "out_of_range", f"traffic_share 2: want {WANTED['traffic_share']}"),
    (line(ROLLOUT, trained_until="soon"), "wrong_type", f'trained_until "soon": want {INSTANT}'),
]


@pytest.mark.parametrize(("value", "reason", "message"), REFUSED)
def test_malformed_bytes_are_refused_with_reason_field_value_and_wanted(value, reason, message):
    with pytest.raises(DecodeError) as refused:
        decoded(value)
    assert (refused.value.reason, str(refused.value)) == (reason, message)


def test_every_dead_letter_reason_is_shown_by_an_example():
    of_folds = {Refusal.TOO_MANY_MODELS}  # no bytes are refused for it
    assert {reason for _, reason, _ in REFUSED} == set(Refusal) - of_folds


def test_every_fault_of_a_record_is_told_in_the_order_of_the_fields():
    found = event_faults(line(OUTCOME, prediction_id="", at="x", outcome=...), NOW, TOLERANCE)
    assert [(fault.field, fault.reason) for fault in found] == [
        ("prediction_id", "out_of_range"),
        ("at", "wrong_type"),
        ("outcome", "missing_field"),
    ]
    assert event_faults(line(OUTCOME), NOW, TOLERANCE) == []


def test_every_event_field_says_what_it_wants():
    assert {name for name in WANTED if not name.endswith(".*")} == set(EVENT_FIELDS) - {"type"}


def test_bytes_that_nobody_reads_may_be_no_utf_8():
    junk = line(OUTCOME, at=0).replace(b"{", b'{"\x80": "\x80", ')
    with pytest.raises(DecodeError, match="at 0: want a time within") as refused:
        decoded(junk)
    assert refused.value.reason == "absurd_time"
    assert decode_event(junk, 0.0, TOLERANCE).at == 0


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (b'{"type": "\\ud800"}', 'type "\\ud800": want'),
        (line(PREDICTION, features={"\udfff": math.nan}), "features.\\udfff NaN: want"),
        (line(OUTCOME, model=["\ud800"]), 'model ["\\ud800"]: want'),
    ],
)
def test_half_a_surrogate_pair_is_quoted_so_that_it_can_be_written(value, message):
    with pytest.raises(DecodeError) as refused:
        decoded(value)
    assert str(refused.value).encode().startswith(message.encode())


@given(st.binary())
def test_arbitrary_bytes_raise_nothing_but_a_decode_error_with_a_known_reason(value):
    with pytest.raises(DecodeError) as refused:
        decoded(value)
    assert refused.value.reason in Refusal


HALVES = st.text(st.characters(categories=["Cs"]), min_size=1, max_size=2)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | HALVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text() | HALVES, inner, max_size=4),
    max_leaves=12,
)


@given(
    st.sampled_from([OUTCOME, PREDICTION, ROLLOUT]),
    st.dictionaries(st.sampled_from(sorted(EVENT_FIELDS)), JSON, max_size=3),
    st.binary(max_size=3),
    st.integers(0, 400),
)
def test_a_damaged_event_raises_nothing_but_a_decode_error_and_tells_some_fault(
    base, changes, junk, position
):
    whole = json.dumps(base | changes).encode()
    value = whole[:position] + junk + whole[position:]
    found = event_faults(value, NOW, TOLERANCE)
    if not found:
        assert decoded(value)
        return
    with pytest.raises(DecodeError) as refused:
        decoded(value)
    assert refused.value.reason in Refusal
    assert str(refused.value) == str(found[0])
    assert all(str(fault).encode() for fault in found)


@pytest.mark.parametrize(
    "at",
    [
        NOW,
        int(NOW),
        NOW * 1000,
        "2026-03-01T08:30:00Z",
        "2026-03-01T08:30:00.000000000Z",
        "2026-03-01T10:00:00+01:30",
        "2026-03-01T00:30:00-08:00",
    ],
)
def test_an_instant_is_rfc_3339_or_epoch_seconds_or_milliseconds(at):
    event = decoded(line(OUTCOME, at=at))
    assert isinstance(event.at, Instant)
    assert event.at == NOW


@pytest.mark.parametrize(
    ("language", "at", "is_read"),
    [
        ("Java, Instant", "2026-03-01T08:30:00Z", True),
        ("Java, Instant", "2026-03-01T08:30:00.000000001Z", True),
        ("Java, Jackson's number of an Instant", NOW + 1e-9, True),
        ("Java, OffsetDateTime", "2026-03-01T08:30Z", False),
        ("Java, ZonedDateTime", "2026-03-01T09:30:00.5+01:00[Europe/Paris]", False),
        ("Java, LocalDateTime", "2026-03-01T08:30:00.5", False),
        ("Go, time.Time", "2026-03-01T09:30:00.12+01:00", True),
        ("Go, UnixMilli", int(NOW) * 1_000, True),
        ("Go, UnixMicro", int(NOW) * 1_000_000, False),
        ("JavaScript, Date", "2026-03-01T08:30:00.000Z", True),
        ("Python, isoformat", "2026-03-01T08:30:00.000001+00:00", True),
        ("Python, str", "2026-03-01 08:30:00+00:00", False),
        ("Python, utcnow", "2026-03-01T08:30:00.000001", False),
    ],
)
def test_an_instant_is_read_or_refused_as_the_page_for_producers_says_of_each_language(language, at, is_read):
    found = event_faults(line(OUTCOME, at=at), NOW, TOLERANCE)
    assert [fault.field for fault in found] == ([] if is_read else ["at"]), language


def test_every_year_but_0000_can_be_told():
    years = [year for year in range(10_000) if re.fullmatch(PATTERN, f"{year:04}-03-01T08:30:00Z")]
    assert years == list(range(1, 10_000))


def test_a_number_of_1e11_or_more_is_milliseconds():
    forever = Tolerance(math.inf, math.inf)
    seconds = decode_event(line(OUTCOME, at=99_999_999_999), NOW, forever)
    milliseconds = decode_event(line(OUTCOME, at=100_000_000_000), NOW, forever)
    assert (seconds.at, milliseconds.at) == (99_999_999_999.0, 100_000_000.0)


def test_time_is_judged_against_the_kafka_timestamp_and_both_ends_are_allowed():
    for at in (NOW - TOLERANCE.past_s, NOW + TOLERANCE.future_s):
        assert decoded(line(OUTCOME, at=at)).at == at
    later = decode_event(line(OUTCOME, at=NOW + 3_601), NOW + 1, TOLERANCE)
    assert later.at == NOW + 3_601


@pytest.mark.parametrize("at", [0.0, NOW, NOW + TOLERANCE.future_s])
def test_a_version_may_be_trained_on_what_was_known_at_any_time_until_now(at):
    assert decoded(line(ROLLOUT, trained_until=at)).trained_until == at


def test_a_record_without_a_timestamp_is_refused_since_nothing_bounds_its_time():
    with pytest.raises(DecodeError, match="timestamp -1: want the record's own Kafka timestamp") as refused:
        decode_event(line(OUTCOME, at=5), -0.001, TOLERANCE)
    assert refused.value.reason == "absurd_time"


@pytest.mark.parametrize("label", [True, False, 0, 1, -7, 2.5, "", "yes", 2**63 - 1, -(2**63)])
def test_a_label_keeps_its_value_and_its_type(label):
    kept = decoded(line(OUTCOME, outcome=label)).outcome
    assert (kept, type(kept)) == (label, type(label))


@pytest.mark.parametrize("label", [2**63, -(2**63) - 1, 10**300])
def test_a_whole_number_beyond_64_bits_becomes_a_float(label):
    outcome = decoded(line(OUTCOME, outcome=label)).outcome
    prediction = decoded(line(PREDICTION, prediction=label)).prediction
    assert outcome == prediction == float(label)
    assert type(outcome) is type(prediction) is float


def test_fields_of_a_later_contract_are_passed_over():
    assert decoded(line(OUTCOME, colour="blue", deep={"a": [1]})) == decoded(line(OUTCOME))


def test_the_type_may_stand_anywhere_in_the_object():
    reordered = dict(reversed(OUTCOME.items()))
    assert decoded(line(reordered)) == decoded(line(OUTCOME))


@pytest.mark.parametrize(
    "fact",
    [
        Prediction(
            prediction_id="p",
            model="m",
            version="1",
            at=Instant(NOW),
            prediction="a",
            scores={"b": 0.25, "a": 0.75},
            slices={"z": 1, "a": True, "m": "x"},
            features={"f": None, "e": 1.5, "d": "x"},
        ),
        Outcome(prediction_id="p", model="m", at=Instant(NOW + 0.25), outcome=2.5),
        Rollout(model="m", version="2", at=Instant(NOW), stage="canary", trained_until=Instant(NOW - 86_400)),
    ],
)
def test_an_event_survives_encoding(fact):
    assert decoded(encode(fact)) == fact


def test_equal_facts_are_equal_bytes():
    one = decoded(line(PREDICTION, slices={"a": 1, "b": 2}, features={"x": 1, "y": None}))
    other = decoded(line(PREDICTION, features={"y": None, "x": 1.0}, slices={"b": 2, "a": 1}))
    assert encode(one) == encode(other)


FINDING = Finding(
    id="i",
    state="open",
    severity="page",
    model="m",
    version="1",
    slice="all",
    metric="accuracy",
    direction="worse",
    before=0.9,
    after=0.5,
    before_count=100,
    after_count=10,
    onset_at=NOW,
    detected_at=NOW + 5,
    events_since_onset=10,
    episode=1,
    examples=("p1", "p2"),
)


def test_a_finding_survives_encoding():
    assert decode_told(encode(FINDING)) == FINDING


@pytest.mark.parametrize(
    ("value", "reason", "message"),
    [
        (None, "null_value", "value null: want a JSON object; nothing is deleted by a null here"),
        (line(OUTCOME), "unknown_type", 'type "outcome": want "finding" or "errors" or "rollout"'),
        (
            encode(FINDING).replace(b'"page"', b'"shout"'),
            "out_of_range",
            'severity "shout": want "page" or "ticket"',
        ),
        (encode(FINDING).replace(b"0.9", b"null"), "wrong_type", "before null: want number"),
        (encode(FINDING).replace(b"0.9", b"NaN"), "not_a_number", "before NaN: want a finite number"),
    ],
)
def test_a_malformed_finding_is_refused_with_a_reason(value, reason, message):
    with pytest.raises(DecodeError) as refused:
        decode_told(value)
    assert (refused.value.reason, str(refused.value)) == (reason, message)


def test_a_cloud_events_source_is_read_in_binary_mode():
    headers = [("ce_id", b"1"), ("ce_source", b"/rides"), ("ce_type", b"x.y"), ("ce_new", b"")]
    assert unwrap(b"{}", headers) == (b"{}", "/rides")


def test_a_record_without_cloud_events_headers_has_no_source():
    assert unwrap(b"{}", []) == (b"{}", "")
    assert unwrap(b"{}", [("trace", b"1")]) == (b"{}", "")


def test_headers_that_are_no_text_break_nothing():
    assert unwrap(b"{}", [("content-type", None), ("ce_source", b"\xff")]) == (b"{}", "�")
    assert unwrap(b"{}", [("ce_source", None)]) == (b"{}", "")


STRUCTURED = [("content-type", b"application/cloudevents+json; charset=UTF-8")]


def test_an_event_in_a_cloud_events_envelope_is_unwrapped():
    envelope = {"specversion": "1.0", "id": "1", "source": "/rides", "type": "x", "data": OUTCOME}
    value, source = unwrap(json.dumps(envelope).encode(), STRUCTURED)
    assert decoded(value) == decoded(line(OUTCOME))
    assert source == "/rides"


@pytest.mark.parametrize(
    ("value", "reason", "field"),
    [
        (b"{", "bad_json", "value"),
        (b'{"id": "1"}', "missing_field", "data"),
        (b'{"source": 1, "data": {}}', "wrong_type", "source"),
        (None, "null_value", "value"),
    ],
)
def test_a_broken_envelope_is_refused_by_its_field(value, reason, field):
    with pytest.raises(DecodeError) as refused:
        unwrap(value, STRUCTURED)
    assert (refused.value.reason, refused.value.field) == (reason, field)


@given(st.binary())
def test_any_envelope_raises_nothing_but_a_decode_error(value):
    with pytest.raises(DecodeError):
        unwrap(value, STRUCTURED)


def test_a_model_has_one_partition_within_bounds():
    assert {partition_for(f"model-{number}", 8) for number in range(200)} == set(range(8))
    assert partition_for("any", 1) == 0
    with pytest.raises(ValueError, match="partitions 0: want at least 1"):
        partition_for("any", 0)


def test_partitions_agree_with_the_java_client():
    """Hashes from the test table of Kafka's own ``Utils.murmur2``: 21, foobar, a-little-bit-long-string."""
    for key, hashed in (("21", -973932308), ("foobar", -790332482), ("a-little-bit-long-string", -985981536)):
        assert partition_for(key, 1_000) == (hashed & 0x7FFFFFFF) % 1_000


@given(st.text(min_size=1), st.integers(1, 64))
def test_partitions_agree_with_aiokafkas_default_partitioner(model, partitions):
    numbers = list(range(partitions))
    assert partition_for(model, partitions) == DefaultPartitioner()(model.encode(), numbers, numbers)
