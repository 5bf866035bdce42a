"""Shell. The ``tidewatch`` command: finds its commands by entry point, imports only the one that runs."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import EntryPoint, entry_points
from typing import Any, NoReturn

import click

from stream.settings import SettingsError
from stream.variables import FILE

EX_CONFIG = 78
"""The exit code of a configuration fault, as in ``sysexits.h``."""

SUMMARIES = {
    "worker": "Join and judge the events of a share of the partitions.",
    "pager": "Turn findings into incidents and notify their owners.",
    "topics": "Create the topics of a cluster, or check them.",
    "check-events": "Say line by line what is wrong with a file of events.",
    "demo": "Watch a ride-hailing company's model get worse, and the page.",
    "rehearse": "Send a model that gets worse to your own Kafka, and see its owner paged.",
    "figures": "Print the counts and figures that the checkpoints hold.",
    "verdict": "Say if a version may be promoted, is to be held or rolled back.",
    "routes": "Say who would be told of a finding, when, and why.",
    "alert": "Render a notification, or send one marked DRILL.",
    "replay": "Judge event files as the worker would, without Kafka.",
    "reference": "Make references from history.",
    "validate": "Report all faults of settings, owners and references.",
    "kafka": "Run an embedded Kafka for development.",
}
"""One line a command, so that ``--help`` need not import Faust."""


def installed() -> dict[str, EntryPoint]:
    """Return the commands of all installed packages by name."""
    return {entry.name: entry for entry in entry_points(group="tidewatch.commands")}


class Commands(click.Group):
    """A group whose commands are entry points, loaded when they run."""

    def __init__(self, entries: Mapping[str, EntryPoint] | None = None, **options: Any) -> None:
        super().__init__(**options)
        self._entries = installed() if entries is None else entries

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in alphabetical order."""
        return sorted(self._entries)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the command; ``None`` if there is no such one."""
        entry = self._entries.get(cmd_name)
        if entry is None:
            return None
        command = entry.load()
        if not isinstance(command, click.Command):
            raise click.ClickException(f"entry point {cmd_name} = {entry.value}: want a click command")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the names and summaries without importing any command."""
        rows = [(name, SUMMARIES.get(name, "")) for name in self.list_commands(ctx)]
        with formatter.section("Commands"):
            if rows:
                formatter.write_dl(rows)
            else:
                formatter.write_text("none: the tidewatch package is not installed (pip install -e .)")

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; unusable settings end it with their faults and without a traceback."""
        try:
            with _heard():
                return super().invoke(ctx)
        except SettingsError as faults:
            refusal = click.ClickException(str(faults))
            refusal.exit_code = EX_CONFIG
            raise refusal from None


@contextmanager
def _heard() -> Iterator[None]:
    """Let SIGTERM end any command, until that has a handler of its own.

    The kernel keeps from process 1, which a container's command is, every signal that has no handler: one
    that came while a worker started would be lost, and the worker killed half a minute later.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, _end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _end(number: int, _frame: Any) -> NoReturn:
    os._exit(128 + number)  # at once, as the kernel would: what is unwound may wait for a slow Kafka


def _use_file(_context: click.Context, _option: click.Parameter, path: str | None) -> None:
    if path is not None:
        os.environ[FILE] = path  # child processes read the same file


def group(entries: Mapping[str, EntryPoint] | None = None) -> Commands:
    """Return the ``tidewatch`` group over ``entries``, or over what is installed."""
    return Commands(
        entries,
        name="tidewatch",
        help="Streaming monitoring of machine-learning models.\n\n"
        "Settings come from TIDEWATCH_* variables, then from a file.",
        params=[
            click.Option(
                ["--config"],
                metavar="FILE",
                expose_value=False,
                callback=_use_file,
                help="The settings file (TOML).",
            ),
        ],
    )


main = click.version_option(package_name="tidewatch", prog_name="tidewatch")(group())
"""The installed program."""
