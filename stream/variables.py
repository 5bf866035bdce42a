"""Core. Variables that begin with ``TIDEWATCH_``: which may be settings, and what a slip meant."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Mapping
from typing import TypeVar

PREFIX = "TIDEWATCH_"
FILE = "TIDEWATCH_CONFIG"
"""Names the settings file."""
SLIP = 0.88
"""A name as like a setting's as this (difflib's ratio) is refused: a letter or two are wrong."""
NEAR = 0.6
"""A setting's name as like one as this is named as what may have been meant."""
_OURS = re.compile(
    r"TIDEWATCH_(CACHE|FAULT|REQUIRE|TEST_\w+|\w*IMAGE|(HEALTH|PROMETHEUS)_URL|OWNERS_FILE|GRAFANA_PASSWORD"
    r"|PROMETHEUS_RETENTION|KAFKA_HEAP|(KAFKA|PROMETHEUS|ALERTMANAGER|GRAFANA)_PORT)"
)
"""What Compose, the images, the tests and the embedded Kafka read."""
_LINK = re.compile(
    r"TIDEWATCH_(\w+_)?(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)"
)
"""What Kubernetes tells every pod of a Service whose name begins with ``tidewatch``; its ``…_PORT`` is a URL."""
_URL = re.compile(r"(tcp|udp|sctp)://")
Sections = Mapping[str, Collection[str]]
"""The fields of each section of the settings."""
_Value = TypeVar("_Value", str, str | None)


def without_others(environ: Mapping[str, _Value]) -> dict[str, _Value]:
    """Return an environment without what begins with ``TIDEWATCH_`` but is no setting by design."""
    return {name: value for name, value in environ.items() if not _is_of_others(name.upper(), value or "")}


def without_settings(environ: Mapping[str, str]) -> dict[str, str]:
    """Return an environment without any settings, for a process that is told all of its own."""
    ours = {name for name in without_others(environ) if name.upper().startswith(PREFIX)}
    return {name: value for name, value in environ.items() if name not in ours}


def slips(environ: Mapping[str, str | None], sections: Sections) -> list[str]:
    """Return the variables that are almost settings: passed over, they would leave a default in force."""
    return [name for name in _strangers(environ, sections) if _near(name, sections, SLIP)]


def passed_over(environ: Mapping[str, str], sections: Sections) -> list[str]:
    """Return a warning of each variable that is like no setting: somebody else's, or one that does not exist."""
    return [
        f"warning: {name}: no such setting, passed over{meant(name, sections)}"
        for name in _strangers(environ, sections)
        if not _near(name, sections, SLIP)
    ]


def meant(name: str, sections: Sections) -> str:
    """Return which setting's variable this may have been meant to be, to end a sentence; empty: none."""
    near = _near(name, sections, NEAR)
    return f"; did you mean {near[0]}?" if near else ""


def _strangers(environ: Mapping[str, str | None], sections: Sections) -> list[str]:
    """Return what names no section; the fields of a section are checked when it is read."""
    known = tuple(f"{PREFIX}{section}_".upper() for section in sections)
    return [
        name
        for name in sorted(without_others(environ))
        if name.upper().startswith(PREFIX)
        and name.upper() != FILE
        and not f"{name}_".upper().startswith(known)
    ]


def _near(name: str, sections: Sections, ratio: float) -> list[str]:
    """Return the setting's variable that is most like this name, if any is enough."""
    known = [
        FILE,
        *(f"{PREFIX}{one}_{field}".upper() for one, fields in sections.items() for field in fields),
    ]
    bare = {one.removeprefix(PREFIX): one for one in known}
    found = difflib.get_close_matches(name.upper().removeprefix(PREFIX), bare, 1, ratio)
    return [bare[one] for one in found]


def _is_of_others(name: str, value: str) -> bool:
    if not name.startswith(PREFIX):
        return False
    is_link = _LINK.fullmatch(name) or (name.endswith("_PORT") and _URL.match(value))
    return bool(is_link or _OURS.fullmatch(name))
