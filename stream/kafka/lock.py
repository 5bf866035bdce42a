"""Core. The lock file of the embedded Kafka: which jars, with which sha256, and what differs from it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

_LINE = re.compile(r"(?P<sha256>[0-9a-f]{64})  (?P<coordinate>[^\s:]+:[^\s:]+:[^\s:]+(?::[^\s:]+)?)")


class Jar(NamedTuple):
    """One locked jar."""

    sha256: str
    group: str
    artifact: str
    version: str
    classifier: str = ""

    @property
    def coordinate(self) -> str:
        """Return ``group:artifact:version[:classifier]``."""
        return ":".join(part for part in self[1:] if part)

    @property
    def filename(self) -> str:
        """Return the jar's file name, the same in every repository."""
        return "-".join(part for part in self[2:] if part) + ".jar"


def parse(text: str) -> tuple[Jar, ...]:
    """Read lock lines ``sha256  group:artifact:version[:classifier]``; ``#`` starts a comment line.

    Raises:
        ValueError: a line has another shape, a file name is there twice, or there is no line at all.
    """
    jars = [_jar(number, line) for number, line in enumerate(text.splitlines(), 1) if _meant(line)]
    names = [jar.filename for jar in jars]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"kafka.lock: {', '.join(twice)}: want each jar once")
    if not jars:
        raise ValueError("kafka.lock: empty: want at least one jar")
    return tuple(jars)


def render(jars: Iterable[Jar], header: str) -> str:
    """Return the lock file's text, sorted by coordinate; ``header`` lines become comments."""
    comments = [f"# {line}" for line in header.splitlines()]
    lines = [f"{jar.sha256}  {jar.coordinate}" for jar in sorted(jars, key=lambda jar: jar.coordinate)]
    return "\n".join([*comments, *lines]) + "\n"


def differences(jars: Iterable[Jar], found: Mapping[str, str]) -> list[str]:
    """Return what differs between the lock and the jars found (file name → sha256); empty = all as locked."""
    wanted = {jar.filename: jar for jar in jars}
    missing = [
        f"{name}: missing: want {wanted[name].coordinate}" for name in sorted(wanted.keys() - found.keys())
    ]
    extra = [f"{name}: not in kafka.lock: want no other jar" for name in sorted(found.keys() - wanted.keys())]
    wrong = [
        f"{name}: sha256 {found[name]}: want {wanted[name].sha256}"
        for name in sorted(wanted.keys() & found.keys())
        if found[name] != wanted[name].sha256
    ]
    return missing + extra + wrong


def _meant(line: str) -> bool:
    return bool(line.strip()) and not line.startswith("#")


def _jar(number: int, line: str) -> Jar:
    match = _LINE.fullmatch(line)
    if match is None:
        raise ValueError(
            f"kafka.lock: line {number} {line!r}: want 'sha256  group:artifact:version[:classifier]'"
        )
    return Jar(match["sha256"], *match["coordinate"].split(":"))
