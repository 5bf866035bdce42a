"""Edge. Where settings come from: the environment, and a TOML file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic_settings import BaseSettings, EnvSettingsSource, TomlConfigSettingsSource

from stream.setting_faults import sections_of
from stream.variables import slips, without_others


class Environment(EnvSettingsSource):
    """The variables; one that is almost a setting is handed on by its own name, to be refused with all else."""

    def __init__(self, settings_cls: type[BaseSettings]) -> None:
        super().__init__(settings_cls)
        self.env_vars = without_others(self.env_vars)

    def __call__(self) -> dict[str, Any]:
        """Return the sections that variables speak of."""
        wrong = slips(self.env_vars, sections_of(self.settings_cls.model_fields))
        return super().__call__() | {name.upper(): None for name in wrong}


class File(TomlConfigSettingsSource):
    """The settings file."""

    def __init__(self, settings_cls: type[BaseSettings], path: str) -> None:
        self._path = path
        super().__init__(settings_cls, path)

    def __call__(self) -> dict[str, Any]:
        """Return its tables, with the path of the reference that is meant."""
        found = super().__call__()
        monitor = found.get("monitor")
        if isinstance(monitor, dict) and isinstance(given := monitor.get("reference"), str):
            found = found | {"monitor": monitor | {"reference": located(given, self._path)}}
        return found


def located(given: str, file: str) -> str:
    """Return the path that a settings ``file`` gives: as it is if there is such a file, else beside ``file``."""
    beside = Path(file).parent / given
    return str(beside) if not Path(given).exists() and beside.exists() else given
