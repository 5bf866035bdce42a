"""Edge. A secret in the configuration: given as a value, in a file, or in an environment variable."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel, SecretStr

from stream.settings import read_secret


def reveal(table: BaseModel, stem: str, environ: Mapping[str, str]) -> str:
    """Return the secret of a table that has the fields ``stem``, ``stem_file`` and ``stem_env``.

    Raises:
        ValueError: not exactly one of them is given, or what it names is missing; never says the secret.
    """
    names = (stem, f"{stem}_file", f"{stem}_env")
    given = [(name, value) for name in names if (value := getattr(table, name)) is not None]
    if len(given) != 1:
        raise ValueError(f"want exactly one of {', '.join(names)}; got {len(given)} of them")
    name, value = given[0]
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, Path):
        return read_secret(name, value)
    if not environ.get(value):
        raise ValueError(f"{name} {value!r}: no such environment variable, or it is empty")
    return environ[value]
