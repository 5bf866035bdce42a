"""Core. What is wrong with settings, in words: which one, what it is, what is wanted."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import Any, get_args

from pydantic.fields import FieldInfo

from stream.variables import PREFIX, Sections, meant


def described(fault: Any, known: Mapping[str, FieldInfo]) -> str:
    """Return one of pydantic's faults as a line; ``known`` are the sections. Secrets are not shown."""
    where = ".".join(str(part) for part in fault["loc"]) or "settings"
    if fault["type"] == "extra_forbidden":
        if where.startswith(PREFIX):
            return f"settings: {where}: no such setting{meant(where, sections_of(known))}"
        return f"settings: {where}: no such setting; {_instead(fault['loc'], known)}"
    secret = "password" in where or isinstance(fault["input"], dict)
    wanted = fault["msg"].removeprefix("Value error, ")
    return f"settings: {where}{'' if secret else ' ' + repr(fault['input'])}: {wanted}"


def unparsed(fault: Exception, environ: Mapping[str, str]) -> str:
    """Return which variable of ``environ`` is no JSON though it must be, without what is in it."""
    given = getattr(fault.__cause__, "doc", None)
    names = [name for name, value in environ.items() if name.startswith(PREFIX) and value == given]
    return f"settings: {' or '.join(names) or fault}: want JSON, or a variable for each setting in it"


def sections_of(known: Mapping[str, FieldInfo]) -> Sections:
    """Return the names of the fields of each section."""
    return {name: list(_fields(section)) for name, section in known.items()}


def _fields(section: FieldInfo) -> Mapping[str, FieldInfo]:
    found = section.annotation
    fields: Mapping[str, FieldInfo] = getattr((*get_args(found), found)[0], "model_fields", {})
    return fields


def _instead(place: Sequence[Any], known: Mapping[str, FieldInfo]) -> str:
    """Return what was meant by a setting that does not exist, and what there is in its place."""
    for name in place[:-1]:
        if isinstance(name, str):  # a number is a place in a list
            known = _fields(known[name])
    near = difflib.get_close_matches(str(place[-1]), known, 1)
    guess = f'did you mean "{near[0]}"? ' if near else ""
    return f"{guess}want one of {', '.join(sorted(known))}"
