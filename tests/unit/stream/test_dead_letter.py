"""A refused record keeps what it had, and always fits the topic for it."""

from dataclasses import replace

import pytest

from stream.dead_letter import HEADERS_BYTES, LETTER_BYTES, dead_letter, headers_bytes
from stream.fields import CUT_HEADERS, DEAD_LETTER_HEADERS
from stream.fold import InputFold
from stream.pending import MemoryStore
from stream.refusal import DecodeError, Refusal
from stream.wire import partition_for
from tests.laws.lives import RULES, Life, Logged

FAULT = DecodeError(Refusal.WRONG_TYPE, "at", "true", "a time")
KAFKAS_DEFAULT = 1_048_588
"""The largest record that a producer can send as it is."""


def letter(value, key=b"m", headers=()):
    return dead_letter(Logged("t.outcomes", 42, 0, value, 3, key, headers), FAULT, "dead")


def size(out):
    return len(out.key or b"") + len(out.value) + headers_bytes(out.headers)


def test_a_dead_letter_keeps_the_record_and_says_why_and_where_from():
    out = letter(b"{}", headers=(("ce_id", b"7"),))
    assert (out.topic, out.key, out.value) == ("dead", b"m", b"{}")
    assert out.headers == [
        ("ce_id", b"7"),
        ("tidewatch_reason", b"wrong_type"),
        ("tidewatch_error", b"at true: want a time"),
        ("tidewatch_source", b"t.outcomes/3/42"),
    ]


def test_our_own_headers_outdo_those_that_the_record_brought():
    out = letter(b"{}", headers=(("tidewatch_reason", b"none"),))
    assert dict(out.headers)["tidewatch_reason"] == b"wrong_type"


def test_null_is_kept_as_no_bytes():
    assert letter(None, key=None).value == b""
    assert letter(None, key=None).key is None


def test_the_largest_record_that_is_sent_as_it_is_stays_whole():
    value = b"x" * KAFKAS_DEFAULT
    out = letter(value)
    assert out.value == value
    assert [name for name, _ in out.headers] == list(DEAD_LETTER_HEADERS)


@pytest.mark.parametrize(
    ("key", "headers", "value"),
    [
        (b"m", [], b"x" * 9_000_000),
        (b"k" * 9_000_000, [], b"{}"),
        (b"m", [("h", b"y" * 9_000_000)], b"{}"),
        (b"m", [(f"h{number}", b"") for number in range(200_000)], b"{}"),
        (b"k" * 9_000_000, [("h", b"y" * 500_000)], b"x" * 9_000_000),
    ],
)
def test_what_is_too_large_is_cut_and_says_what_it_had(key, headers, value):
    out = letter(value, key, headers)
    assert size(out) < LETTER_BYTES - 1_000
    assert key.startswith(out.key)
    assert value.startswith(out.value)
    (name,) = CUT_HEADERS
    told = {name: b"%d/%d/%d" % (len(key), headers_bytes(headers), len(value))}
    assert told.items() <= dict(out.headers).items()
    assert headers[: len(out.headers) - 4] == out.headers[:-4]


def test_a_forward_that_its_topic_would_not_take_is_a_dead_letter():
    rules = replace(RULES, partitions=2)
    model = next(name for name in "abcdef" if partition_for(name, 2) == 1)
    value = b'{"type":"outcome","prediction_id":"1","model":"%b","at":1000000,"outcome":"x"}' % model.encode()
    fold = InputFold(0, rules, Life({}), MemoryStore())
    for number, headers in enumerate(([("h", b"y" * 1_000)], [("h", b"y" * HEADERS_BYTES)])):
        fold.apply([Logged("outcomes", number, 1_000_000_000, value, headers=headers)])
    forwarded, refused = fold.freeze({}).outputs
    assert (forwarded.topic, forwarded.partition) == ("outcomes", 1)
    assert (refused.topic, dict(refused.headers)["tidewatch_reason"]) == ("dead-letters", b"oversize")


def test_a_dead_letter_can_be_sent_again_as_the_page_for_producers_says():
    event = (
        b'{"type":"prediction","prediction_id":"1","model":"m","version":"1","at":1000000,"prediction":"x"}'
    )
    envelope = b'{"specversion":"1.0","source":"/rides","data":' + event + b"}"
    headers = (("content-type", b"application/cloudevents+json"),)
    fold = InputFold(0, RULES, Life({}), MemoryStore())
    fold.apply([Logged("predictions", 7, -1, envelope, headers=headers)])
    (letter,) = fold.freeze({}).outputs
    why = dict(letter.headers)
    assert (why["tidewatch_reason"], why["tidewatch_source"]) == (b"absurd_time", b"predictions/0/7")
    own = tuple(one for one in letter.headers if not one[0].startswith("tidewatch_"))
    assert (letter.value, own) == (envelope, headers)
    fold.apply([Logged("predictions", 8, 1_000_000_000, letter.value, 0, letter.key, own)])
    assert fold.freeze({}).outputs == []
    assert "m" in fold.monitors


def test_a_fold_knows_how_much_its_next_checkpoint_writes_of_what_was_refused():
    fold = InputFold(0, RULES, Life({}), MemoryStore())
    for number in range(3):
        fold.apply([Logged("outcomes", number, 0, b"x" * 1_000_000, headers=[("h", b"y" * 1_000)])])
    assert fold.waiting_bytes == sum(out.size for out in fold.freeze({}).outputs) > 3 * 1_001_000
    assert fold.waiting_bytes == 0
