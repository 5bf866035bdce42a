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
from pydantic import ValidationError

from stream.engine.connection import client_options
from stream.setting_sources import located
from stream.settings import (
    FileCheck,
    Settings,
    SettingsError,
    TopicSettings,
    WorkerSettings,
    load,
    strangers,
)
from stream.shapes import settings_faults
from stream.variables import FILE

GROUP = "tidewatch.checks"
KEPT_BY = ("topics.retention_s", "worker.label_horizon_s", "worker.future_tolerance_s")
"""The settings that how long inputs are kept is judged by."""


@click.command()
@click.argument(
    "path", metavar="[FILE]", required=False, type=click.Path(exists=True, dir_okay=False, path_type=Path)
)
def validate(path: Path | None) -> None:
    """Report all faults at once: of a settings FILE (default: the one in use) and the files that it names.

    FILE may also be one of those, an owners file say: what is in it tells.
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
    said = strangers()
    try:
        client_options(load(path).kafka)  # reads the certificates
    except SettingsError as fault:
        faults.append(str(fault))
    file = environ.get(FILE, "")
    raw = _tables(Path(file))
    faults += _kept_too_short(raw, environ)
    for setting, check in sorted(checks.items()):
        named = _named(setting, raw, environ, file)
        try:
            said += [] if named is None else check.read(named)
        except SettingsError as fault:
            faults.append(str(fault))
    if faults:
        raise SettingsError("\n".join(faults))
    return [*said, f"{path or 'settings'}: no faults"]


def _kind(path: Path, checks: Mapping[str, FileCheck]) -> FileCheck | None:
    """Return the check whose file this is by its tables or its beginning, ``None`` for settings."""
    found, text = _tables(path).keys(), _text(path).lstrip()
    for check in checks.values():
        if not found.isdisjoint(check.tables) or (check.opening and text.startswith(check.opening)):
            return check
    return None


def _text(path: Path) -> str:
    """Return a file's text; empty when it is none, which its reader says better."""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""


def _tables(path: Path) -> Mapping[str, Any]:
    """Return a TOML file's content; empty when it is none, which its reader says better."""
    try:
        return tomllib.loads(_text(path))
    except tomllib.TOMLDecodeError:
        return {}


def _given(name: str, raw: Mapping[str, Any], environ: Mapping[str, str]) -> tuple[Any, bool]:
    """Return a setting as it is given, also when others are wrong, and whether the file gives it."""
    section, _, field = name.partition(".")
    given = environ.get(f"TIDEWATCH_{section}_{field}".upper())
    table = raw.get(section)
    return (given, False) if given else (table.get(field) if isinstance(table, dict) else None, True)


def _named(name: str, raw: Mapping[str, Any], environ: Mapping[str, str], file: str) -> Path | None:
    """Return the path that a setting names; a reference may lie beside the settings ``file``."""
    given, is_in_file = _given(name, raw, environ)
    if not given or not isinstance(given, str):
        return None
    return Path(located(given, file) if is_in_file and name == "monitor.reference" else given)


def _kept_too_short(raw: Mapping[str, Any], environ: Mapping[str, str]) -> list[str]:
    """Return what is wrong about how long inputs are kept, unless those settings are wrong themselves."""
    given: dict[str, dict[str, Any]] = {"topics": {}, "worker": {}}
    for name in KEPT_BY:
        section, _, field = name.partition(".")
        value, _ = _given(name, raw, environ)
        given[section] |= {} if value is None else {field: value}
    try:
        topics, worker = TopicSettings(**given["topics"]), WorkerSettings(**given["worker"])
    except ValidationError:
        return []
    found = settings_faults(Settings.model_construct(topics=topics, worker=worker))
    return [f"settings: {fault.what}; {fault.mend}" for fault in found]
