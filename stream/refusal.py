"""Edge. Why bytes are not a fact: every fault with its field, the value found and what is wanted.

Only refused bytes come here, so this may take its time; the fast way is in ``stream.wire``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from enum import StrEnum
from functools import lru_cache
from typing import Any, Final, Literal, get_args, get_origin

import msgspec
from msgspec import Struct

from stream.instant import WANTED as INSTANT_WANTED

SHOWN_CHARACTERS = 80
"""How much of a refused value an error quotes."""

_TEXT = "text of 1 to 200 characters"
_LABEL = "a class label (text of at most 256 characters, true, false or a number) or a value (number)"
_WHOLE = "text without half a surrogate pair (was it cut within an emoji?)"
_fields = lru_cache(msgspec.structs.fields)
WANTED: Final[Mapping[str, str]] = {
    "prediction_id": _TEXT,
    "model": _TEXT,
    "version": _TEXT,
    "at": INSTANT_WANTED,
    "trained_until": INSTANT_WANTED,
    "prediction": _LABEL,
    "outcome": _LABEL,
    "scores": "a probability within 0..1, or an object with one for each class (at most 1000)",
    "scores.*": "a probability within 0..1, under a class name of at most 256 characters",
    "slices": "an object of at most 16 slices",
    "slices.*": "text of at most 128 characters, a 64-bit whole number, true or false,"
    ' under a name of 1 to 64 characters without "="',
    "features": "an object of at most 500 features",
    "features.*": "a number, text of at most 256 characters, true, false or null,"
    " under a name of 1 to 64 characters",
    "stage": '"shadow", "canary", "live" or "retired"',
    "traffic_share": "a share within 0..1",
}
"""What each field of an event wants, in words; ``.*`` stands for the entries of an object."""


class Refusal(StrEnum):
    """Why bytes are not a fact, in one word: header of the dead letter and label of the metric."""

    NULL_VALUE = "null_value"
    OVERSIZE = "oversize"
    BAD_JSON = "bad_json"
    NOT_A_NUMBER = "not_a_number"
    UNKNOWN_TYPE = "unknown_type"
    MISSING_FIELD = "missing_field"
    WRONG_TYPE = "wrong_type"
    OUT_OF_RANGE = "out_of_range"
    ABSURD_TIME = "absurd_time"
    TOO_MANY_MODELS = "too_many_models"


class DecodeError(Exception):
    """Bytes that are not a fact. Send them to the dead letters; the producer has to mend them.

    ``value`` is JSON text, shortened, or the word ``missing``.
    """

    __slots__ = ("field", "reason", "value", "wanted")

    def __init__(self, reason: Refusal, field: str, value: str, wanted: str) -> None:
        super().__init__(reason, field, value, wanted)
        self.reason = reason
        self.field = encodable(field)
        self.value = encodable(value)
        self.wanted = wanted

    def __str__(self) -> str:
        return f"{self.field} {self.value}: want {self.wanted}"


class _NotANumber(str):
    """The text of a JSON number that no double can hold, or of NaN and Infinity."""

    __slots__ = ()


def encodable(text: str) -> str:
    """Return text that can be written as UTF-8: half a surrogate pair, as JSON may spell it, is escaped."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def shown(value: object) -> str:
    """Return a value as JSON text of at most ``SHOWN_CHARACTERS``."""
    if isinstance(value, _NotANumber):
        text = str(value)
    else:
        cut = value[: SHOWN_CHARACTERS + 1] if isinstance(value, str) else value
        text = json.dumps(cut, ensure_ascii=False)
    return text if len(text) <= SHOWN_CHARACTERS else text[: SHOWN_CHARACTERS - 1] + "…"


Kinds = Mapping[str, type[Struct]] | type[Struct]
"""Records by the value of ``type``, or the one record that it must be."""


def faults(value: bytes, kinds: Kinds, hook: Any, fault: Exception) -> list[DecodeError]:
    """Return every fault of refused bytes, in the order of the fields; never empty.

    ``hook`` is the msgspec ``dec_hook``, and ``fault`` what the fast decoder said, which answers when nothing
    better is found.
    """
    try:
        tree = _parse(value)
    except (ValueError, RecursionError) as broken:
        return [
            DecodeError(
                Refusal.BAD_JSON, "value", _excerpt(value), f"one JSON object in UTF-8 ({_brief(broken)})"
            )
        ]
    try:
        record = kinds if isinstance(kinds, type) else _record(tree, kinds)
        found = list(_field_faults(_object(tree), record, hook)) or list(_unreadable(tree))
    except DecodeError as known:
        return [known]
    return found or [_unexplained(value, fault)]


def _object(tree: Any) -> dict[str, Any]:
    if isinstance(tree, _NotANumber):
        raise _not_a_number("value", tree)
    if not isinstance(tree, dict):
        raise DecodeError(Refusal.WRONG_TYPE, "value", shown(tree), "a JSON object")
    return tree


def _record(tree: Any, kinds: Mapping[str, type[Struct]]) -> type[Struct]:
    """Return the record that ``type`` names; refuse any other ``type``."""
    wanted = " or ".join(json.dumps(name) for name in kinds)
    if "type" not in _object(tree):
        raise DecodeError(Refusal.MISSING_FIELD, "type", "missing", wanted)
    kind = tree["type"]
    if not isinstance(kind, str) or isinstance(kind, _NotANumber):
        raise DecodeError(Refusal.WRONG_TYPE, "type", shown(kind), wanted)
    if kind not in kinds:
        raise DecodeError(Refusal.UNKNOWN_TYPE, "type", shown(kind), wanted)
    return kinds[kind]


def _parse(value: bytes) -> Any:
    def number(text: str) -> float | _NotANumber:
        return _NotANumber(text) if abs(float(text)) == float("inf") else float(text)

    def whole(text: str) -> int | _NotANumber:
        return _NotANumber(text) if abs(float(text)) == float("inf") else int(text)

    return json.loads(value.decode("utf-8"), parse_constant=_NotANumber, parse_float=number, parse_int=whole)


def _brief(fault: Exception) -> str:
    if isinstance(fault, json.JSONDecodeError):
        return f"{fault.msg.rstrip(': ').removesuffix(' at')} at character {fault.pos + 1}"
    return "nested too deep" if isinstance(fault, RecursionError) else str(fault)


def _excerpt(value: bytes) -> str:
    text = value[: SHOWN_CHARACTERS + 1].decode("utf-8", "backslashreplace")
    visible = json.dumps(text, ensure_ascii=False)[1:-1].replace('\\"', '"')
    return _short(visible) or "(empty)"


def _field_faults(tree: dict[str, Any], record: type[Struct], hook: Any) -> Iterator[DecodeError]:
    for field in _fields(record):
        name = field.encode_name
        if name not in tree:
            if field.required:
                yield DecodeError(Refusal.MISSING_FIELD, name, "missing", WANTED.get(name, "a value"))
            continue
        inner = list(_entry_faults(name, tree[name], field.type, hook))
        yield from inner or _value_faults(name, name, tree[name], field.type, hook)


def _entry_faults(name: str, value: Any, kind: Any, hook: Any) -> Iterator[DecodeError]:
    """Try an object's entries one by one, so that the fault names the entry."""
    if not isinstance(value, dict) or f"{name}.*" not in WANTED:
        return
    for key, entry in value.items():
        path = f"{name}.{_short(key)}"
        if isinstance(entry, _NotANumber):
            yield _not_a_number(path, entry)
        elif name == "slices" and "=" in key:
            yield DecodeError(Refusal.OUT_OF_RANGE, path, shown(entry), WANTED["slices.*"])
        else:
            yield from _value_faults(path, f"{name}.*", {key: entry}, kind, hook)


def _short(key: str) -> str:
    return key if len(key) <= SHOWN_CHARACTERS else key[: SHOWN_CHARACTERS - 1] + "…"


def _not_a_number(path: str, value: _NotANumber) -> DecodeError:
    return DecodeError(Refusal.NOT_A_NUMBER, path, shown(value), "a finite number")


def _value_faults(path: str, rule: str, value: Any, kind: Any, hook: Any) -> Iterator[DecodeError]:
    """Yield the fault of one value against its type, as the decoder sees it."""
    if isinstance(value, _NotANumber):
        yield _not_a_number(path, value)
        return
    try:
        msgspec.json.decode(json.dumps(value, default=str), type=kind, dec_hook=hook)
    except msgspec.ValidationError as fault:
        text = str(fault).partition(" - at ")[0]
        limits = "of length" in text or " <= " in text or " >= " in text or text.startswith("Invalid enum")
        entry = next(iter(value.values())) if rule.endswith(".*") else value
        yield DecodeError(
            Refusal.OUT_OF_RANGE if limits else Refusal.WRONG_TYPE,
            path,
            shown(entry),
            _wanted(rule, kind, text),
        )
    except (ValueError, RecursionError):
        return


def _wanted(rule: str, kind: Any, text: str) -> str:
    """Return what a field wants: in our words, else as its type has it."""
    if text.startswith(INSTANT_WANTED):
        return text
    if rule in WANTED:
        return WANTED[rule]
    if get_origin(kind) is Literal:
        return " or ".join(json.dumps(choice) for choice in get_args(kind))
    plain = text.removeprefix("Expected ").partition(", got")[0].replace("`", "")
    return plain.replace("float", "number").replace("int", "whole number").replace("str", "text")


def _unreadable(tree: dict[str, Any]) -> Iterator[DecodeError]:
    """Yield NaN, Infinity and halves of surrogate pairs anywhere, also in fields that nobody reads."""
    rest: list[tuple[str, Any]] = list(tree.items())
    while rest:
        path, value = rest.pop()
        if isinstance(value, _NotANumber):
            yield _not_a_number(path, value)
        if any(text != encodable(text) for text in (path, value) if isinstance(text, str)):
            yield DecodeError(Refusal.BAD_JSON, path, shown(value), _WHOLE)
        entries = (
            value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
        )
        rest.extend((f"{path}.{_short(str(key))}", entry) for key, entry in entries)


def _unexplained(value: bytes, fault: Exception) -> DecodeError:
    reason = Refusal.WRONG_TYPE if isinstance(fault, msgspec.ValidationError) else Refusal.BAD_JSON
    return DecodeError(reason, "value", _excerpt(value), f"a valid record ({_brief(fault)})")
