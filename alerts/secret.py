"""Edge. A secret in the configuration: given as a value, in a file, or in an environment variable."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from pydantic import BaseModel, SecretStr

from stream.settings import read_secret

STEMS = ("secret", "previous_secret", "routing_key", "token", "password", "link_key", "url")
SECRETS = frozenset(f"{stem}_file" for stem in STEMS)
"""The fields that name a secret's file."""


def named_files(said: object, fields: Collection[str]) -> Iterator[Path]:
    """Yield every file that one of these fields names, anywhere in what a configuration file says."""
    if isinstance(said, list):
        for one in said:
            yield from named_files(one, fields)
    for name, value in said.items() if isinstance(said, dict) else ():
        if name in fields and isinstance(value, str):
            yield Path(value)
        else:
            yield from named_files(value, fields)


def reveal(table: BaseModel, stem: str, environ: Mapping[str, str]) -> str:
    """Return the secret of a table that has the fields ``stem``, ``stem_file`` and ``stem_env``.

    Raises:
        ValueError: not exactly one of them is given, or what it names is missing; never says the secret.
    """
    given = _given(table, stem)
    if len(given) != 1:
        raise ValueError(f"want exactly one of {', '.join(_names(stem))}; got {len(given)} of them")
    return _value(*given[0], environ)


def reveal_if_given(table: BaseModel, stem: str, environ: Mapping[str, str]) -> str:
    """Return the secret like ``reveal``, or an empty string when no field is given.

    Raises:
        ValueError: more than one is given, or what it names is missing.
    """
    given = _given(table, stem)
    if len(given) > 1:
        raise ValueError(f"want at most one of {', '.join(_names(stem))}; got {len(given)} of them")
    return _value(*given[0], environ) if given else ""


def _names(stem: str) -> tuple[str, ...]:
    return stem, f"{stem}_file", f"{stem}_env"


def _given(table: BaseModel, stem: str) -> list[tuple[str, SecretStr | Path | str]]:
    return [(name, value) for name in _names(stem) if (value := getattr(table, name)) is not None]


def _value(name: str, value: SecretStr | Path | str, environ: Mapping[str, str]) -> str:
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, Path):
        return read_secret(name, value)
    if not environ.get(value):
        raise ValueError(f"{name} {value!r}: no such environment variable, or it is empty")
    return environ[value]
