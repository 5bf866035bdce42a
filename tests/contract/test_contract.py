"""The documents in docs/contract/ say what the types say, and what the decoder does."""

import json
import re
from datetime import datetime
from typing import Annotated

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator, FormatChecker
from pydantic import StringConstraints, TypeAdapter

from stream import contract
from stream.aspects import chances_of
from stream.contract import RECORDS, WORDS
from stream.correction import is_sound
from stream.entry import Codec
from stream.fields import CUT_HEADERS, DEAD_LETTER_HEADERS, EVENT_FIELDS, EXAMPLES
from stream.instant import PATTERN
from stream.refusal import DecodeError, Refusal
from stream.series import task_of
from stream.settings import TopicSettings
from stream.wire import Tolerance, decode_event, decode_told

ANY_TIME = Tolerance(float("inf"), float("inf"))
EVENT_NAMES = ("prediction", "outcome", "rollout")
FORMATS = FormatChecker(formats=())


@FORMATS.checks("date-time", raises=ValueError)
def _is_a_real_date(value):
    """The format asserts what the pattern can't: that the month has this day."""
    return not isinstance(value, str) or bool(datetime.fromisoformat(value))


VALIDATORS = {name: Draft202012Validator(contract.schema(name), format_checker=FORMATS) for name in RECORDS}


def decoder_accepts(record):
    try:
        decode_event(json.dumps(record).encode(), 0.0, ANY_TIME)
    except DecodeError:
        return False
    return True


def test_the_committed_documents_are_what_the_types_say():
    assert contract.drift() == [], "run: python -m stream.contract"


def test_a_changed_or_missing_document_is_named(tmp_path):
    (tmp_path / "contract").mkdir()
    for path, text in contract.documents().items():
        (tmp_path / path).write_text(text, encoding="utf-8")
    assert contract.drift(tmp_path) == []
    (tmp_path / "contract" / "outcome.schema.json").write_text("{}", encoding="utf-8")
    (tmp_path / "contract" / "asyncapi.json").unlink()
    prose = (tmp_path / "producers.md").read_text(encoding="utf-8")
    (tmp_path / "producers.md").write_text(prose.replace("| `stage` |", "| `phase` |"), encoding="utf-8")
    assert contract.drift(tmp_path) == [
        "contract/outcome.schema.json",
        "contract/asyncapi.json",
        "producers.md",
    ]


def test_the_page_for_producers_has_a_table_for_each_event():
    page = contract.documents()["producers.md"]
    assert all(contract.field_table(name) in page for name in EVENT_NAMES)


def test_the_first_events_on_the_page_for_producers_are_accepted():
    block = contract.documents()["producers.md"].split("```")[1]
    lines = [line.split(maxsplit=1) for line in block.strip().splitlines()]
    assert [topic for topic, _ in lines] == list(TopicSettings.model_validate({}).inputs())
    for _, text in lines:
        assert decode_event(text.encode(), 0.0, ANY_TIME)
        assert VALIDATORS[json.loads(text)["type"]].is_valid(json.loads(text))


def test_whatever_a_model_says_as_the_page_for_producers_shows_can_be_judged():
    page = contract.documents()["producers.md"]
    table = page.partition("## What a model says")[2].partition("\n- ")[0]
    rows = [line.split("|")[2:5] for line in table.strip().splitlines()[2:]]
    assert len(rows) >= 6
    for cells in rows:
        shown = [re.match(r" `([^`]*)`", cell) for cell in cells]
        said, scores, happened = (found and json.loads(found[1]) for found in shown)
        event = EXAMPLES["prediction"][0] | {"prediction": said, "scores": scores}
        served = Codec().serve(decode_event(json.dumps(event).encode(), 0.0, ANY_TIME))
        assert is_sound(task_of(served), served, happened), cells
        if scores is not None:
            assert chances_of(scores, said, happened) is not None, cells


def test_the_page_for_producers_names_every_reason():
    page = contract.documents()["producers.md"]
    assert all(f"`{reason}`" in page for reason in (*Refusal, *DEAD_LETTER_HEADERS, *CUT_HEADERS))


def test_check_passes_on_the_committed_documents():
    assert CliRunner().invoke(contract.main, ["--check"]).exit_code == 0


@pytest.mark.parametrize("name", RECORDS)
def test_each_schema_is_valid_json_schema_2020_12(name):
    Draft202012Validator.check_schema(contract.schema(name))


def _patterns(node):
    if isinstance(node, dict):
        yield from (value for key, value in node.items() if key == "pattern" and isinstance(value, str))
        node = [*node.values()]
    for inner in node if isinstance(node, list) else ():
        yield from _patterns(inner)


@pytest.mark.parametrize("name", EVENT_NAMES)
def test_each_pattern_is_read_by_engines_without_look_around_as_those_of_go_and_rust_are(name):
    patterns = {*_patterns(contract.schema(name))}
    assert PATTERN in patterns
    for pattern in patterns:
        TypeAdapter(Annotated[str, StringConstraints(pattern=pattern)])  # compiled by Rust's regex


@pytest.mark.parametrize("text", ["a\ud83d", "\ude00"])
@pytest.mark.parametrize("field", ["prediction_id", "outcome", "unknown"])
def test_half_a_surrogate_pair_is_a_text_to_the_schema_only(field, text):
    record = _merged(EXAMPLES["outcome"][0], {field: text}, ())
    assert VALIDATORS["outcome"].is_valid(record)
    assert not decoder_accepts(record)
    said = (contract.DOCS / "contract" / "README.md").read_text(encoding="utf-8")
    assert "half a surrogate pair" in said.partition("can't say it all")[2]


@pytest.mark.parametrize("name", RECORDS)
def test_each_field_is_described_and_no_other(name):
    words = WORDS.get(name, EVENT_FIELDS)
    for field, content in contract.schema(name)["properties"].items():
        assert content["description"] == words[field]
    described = {field for name in EVENT_NAMES for field in contract.schema(name)["properties"]}
    assert described == set(EVENT_FIELDS)
    for told, known in WORDS.items():
        assert set(contract.schema(told)["properties"]) == set(known)


@pytest.mark.parametrize("name", RECORDS)
def test_each_example_is_accepted_by_schema_and_decoder(name):
    for example in EXAMPLES[name]:
        VALIDATORS[name].validate(example)
        value = json.dumps(example).encode()
        assert decode_told(value) if name in WORDS else decode_event(value, 0.0, ANY_TIME)


NUMBERS = st.integers(-(10**25), 10**25) | st.floats(allow_nan=False, allow_infinity=False)
SCALARS = st.none() | st.booleans() | NUMBERS | st.text(max_size=4) | st.text(min_size=255, max_size=258)
ODD = SCALARS | st.lists(SCALARS, max_size=1) | st.dictionaries(st.text(max_size=2), SCALARS, max_size=2)
IDS = st.text(max_size=3) | st.sampled_from(["x" * 200, "x" * 201])
INSTANTS = (
    NUMBERS
    | st.from_regex(PATTERN, fullmatch=True).filter(lambda text: not text.endswith("\n"))
    | st.sampled_from(["2026-03-01T08:30:00", "2026-02-30T00:00:00Z", "0000-01-01T00:00:00Z", "2026-03-01"])
)
NAMES = st.text(max_size=2) | st.sampled_from(["n" * 64, "n" * 65])
# 1.0 is an integer to JSON Schema and no whole number to the decoder: docs/contract/README.md says so
SLICE_VALUES = SCALARS.filter(lambda value: not (isinstance(value, float) and value.is_integer()))
SHARES = st.sampled_from([0, 1, 0.5, 1.5, -0.1, True]) | st.none()
FIELDS = {
    "prediction_id": IDS,
    "model": IDS,
    "version": IDS,
    "at": INSTANTS,
    "prediction": SCALARS,
    "outcome": SCALARS,
    "scores": SHARES | st.dictionaries(st.text(max_size=2), SHARES, max_size=3),
    "slices": st.dictionaries(NAMES | st.just("a=b"), SLICE_VALUES, max_size=3)
    | st.integers(15, 18).map(lambda count: dict.fromkeys(map(str, range(count)), 1)),
    "features": st.dictionaries(NAMES, SCALARS, max_size=3)
    | st.integers(499, 502).map(lambda count: dict.fromkeys(map(str, range(count)), None)),
    "stage": st.sampled_from(["shadow", "canary", "live", "retired", "beta", "", 1]),
    "trained_until": INSTANTS | st.none(),
    "traffic_share": SHARES,
    "unknown": ODD,
}


def changed(name):
    """A valid example with some fields replaced, some odd, and some left out."""
    odd = {field: values | st.just(...) for field, values in FIELDS.items() if field != "slices"}
    odd["slices"] = FIELDS["slices"] | st.just(...)
    return st.tuples(
        st.sampled_from(EXAMPLES[name]),
        st.fixed_dictionaries({}, optional=odd),
        st.sets(st.sampled_from(sorted(FIELDS)), max_size=10),
    ).map(lambda parts: _merged(*parts))


def _merged(example, changes, kept):
    """``kept`` keeps most fields as the example has them, so that a good share of the events is valid."""
    merged = example | {field: value for field, value in changes.items() if field not in kept}
    return {field: value for field, value in merged.items() if value is not ...}


@given(st.sampled_from(EVENT_NAMES).flatmap(lambda name: st.tuples(st.just(name), changed(name))))
def test_the_decoder_accepts_exactly_what_the_schema_accepts(case):
    name, record = case
    assert decoder_accepts(record) == VALIDATORS[name].is_valid(record)


@pytest.mark.parametrize("name", EVENT_NAMES)
@pytest.mark.parametrize("field", FIELDS)
def test_decoder_and_schema_agree_on_each_field_alone(name, field):
    seen = set()

    @given(FIELDS[field] | st.just(...))
    def agree(value):
        record = _merged(EXAMPLES[name][0], {field: value}, ())
        accepted = decoder_accepts(record)
        seen.add(accepted)
        assert accepted == VALIDATORS[name].is_valid(record)

    agree()
    known = field in contract.schema(name)["properties"]
    assert seen == ({True, False} if known else {True}), "each field was seen accepted and refused"


@pytest.mark.parametrize("value", [None, [], 7, "text", {}, {"type": "finding"}, {"type": None}])
def test_what_is_no_event_is_refused_by_both(value):
    assert not decoder_accepts(value)
    assert not any(VALIDATORS[name].is_valid(value) for name in EVENT_NAMES)


@pytest.mark.parametrize("name", WORDS)
def test_what_the_pager_is_told_is_refused_by_both_when_a_field_is_missing_or_odd(name):
    example = EXAMPLES[name][0]
    for field in contract.schema(name)["required"]:
        for record in (_merged(example, {field: ...}, ()), _merged(example, {field: {}}, ())):
            assert not VALIDATORS[name].is_valid(record)
            with pytest.raises(DecodeError):
                decode_told(json.dumps(record).encode())


def _references(node):
    if isinstance(node, dict):
        if "$ref" in node:
            yield node["$ref"]
        for value in node.values():
            yield from _references(value)
    elif isinstance(node, list):
        for value in node:
            yield from _references(value)


def test_every_reference_of_the_asyncapi_document_leads_somewhere():
    document = contract.asyncapi()
    references = list(_references(document))
    assert len(references) >= 14
    for reference in references:
        node = document
        for step in reference.removeprefix("#/").split("/"):
            node = node[step]
        assert node


def test_every_topic_has_a_channel_an_operation_and_a_key():
    document = contract.asyncapi()
    topics = TopicSettings.model_validate({})
    public = {*topics.inputs(), topics.findings, topics.dead_letters}
    channels = document["channels"]
    assert {channel["address"] for channel in channels.values()} == public
    assert {channel["bindings"]["kafka"]["topic"] for channel in channels.values()} == public
    used = {operation["channel"]["$ref"] for operation in document["operations"].values()}
    assert used == {f"#/channels/{name}" for name in channels}
    for message in document["components"]["messages"].values():
        assert message["bindings"]["kafka"]["key"]["type"] == "string"


def test_the_dead_letter_reasons_are_those_that_the_worker_counts():
    headers = contract.asyncapi()["components"]["messages"]["deadLetter"]["headers"]
    assert headers["properties"]["tidewatch_reason"]["enum"] == list(Refusal)
