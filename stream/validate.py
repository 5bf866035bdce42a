"""Shell. ``tidewatch validate``: every fault of the settings and of the files that they name, at once.

Whoever reads a kind of file checks it: a ``FileCheck`` is an entry point of the group ``tidewatch.checks``, named
after the setting that names the file.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import click

from stream.settings import FileCheck, SettingsError, load

GROUP = "tidewatch.checks"


@click.command()
@click.argument(
    "path", metavar="[FILE]", required=False, type=click.Path(exists=True, dir_okay=False, path_type=Path)
)
def validate(path: Path | None) -> None:
    """Report all faults at once: of a settings FILE (default: the one in use) and the files that it names.

    FILE may also be one of those, an owners file say: its tables tell.
    """
    checks = {entry.name: entry.load() for entry in entry_points(group=GROUP)}
    for line in checked(path, checks, os.environ):
        click.echo(line)


def checked(path: Path | None, checks: Mapping[str, FileCheck], environ: Mapping[str, str]) -> list[str]:
    """Return what there is to say of right files, the verdict last.

    Raises:
        SettingsError: anything is wrong; lists all of it.
    """
    own = None if path is None else _kind(path, checks)
    if path is not None and own is not None:
        return [*own.read(path), f"{path}: no faults"]
    faults: list[str] = []
    said: list[str] = []
    try:
        load(path)
    except SettingsError as fault:
        faults.append(str(fault))
    raw = _tables(Path(environ.get("TIDEWATCH_CONFIG", "")))
    for setting, check in sorted(checks.items()):
        named = _setting(setting, raw, environ)
        try:
            said += [] if named is None else check.read(named)
        except SettingsError as fault:
            faults.append(str(fault))
    if faults:
        raise SettingsError("\n".join(faults))
    return [*said, f"{path or 'settings'}: no faults"]


def _kind(path: Path, checks: Mapping[str, FileCheck]) -> FileCheck | None:
    """Return the check whose tables the file has, ``None`` for settings."""
    found = _tables(path).keys()
    return next((check for check in checks.values() if not found.isdisjoint(check.tables)), None)


def _tables(path: Path) -> Mapping[str, Any]:
    """Return a TOML file's content; empty when it is none, which its reader says better."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError):
        return {}


def _setting(name: str, raw: Mapping[str, Any], environ: Mapping[str, str]) -> Path | None:
    """Return the path that a setting names, also when other settings are wrong."""
    section, _, field = name.partition(".")
    given = environ.get(f"TIDEWATCH_{section}_{field}".upper())
    table = raw.get(section)
    given = given or (table.get(field) if isinstance(table, dict) else None)
    return Path(given) if given and isinstance(given, str) else None
