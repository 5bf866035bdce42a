"""Edge. A secret in the configuration: given as a value, in a file, or in an environment variable."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from pydantic import BaseModel, SecretStr

from stream.settings import read_secret

STEMS = ("secret", "previous_secret", "routing_key", "token", "password", "link_key", "url")
FILES = frozenset(f"{stem}_file" for stem in STEMS)


def secret_files(said: object) -> Iterator[Path]:
    """Yield every file of a secret that is named anywhere in what a configuration file says."""
    if isinstance(said, list):
        for one in said:
            yield from secret_files(one)
    for name, value in said.items() if isinstance(said, dict) else ():
        if name in FILES and isinstance(value, str):
            yield Path(value)
        else:
            yield from secret_files(value)


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
