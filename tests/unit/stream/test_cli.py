import os
import signal
import subprocess
import sys
import time
import tomllib
from importlib.metadata import EntryPoint
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from stream.cli import EX_CONFIG, SUMMARIES, group
from stream.settings import SettingsError, load

ROOT = Path(__file__).parents[3]
DECLARED = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"][
    "tidewatch.commands"
]


def entry(name: str, value: str) -> dict[str, EntryPoint]:
    return {name: EntryPoint(name, value, "tidewatch.commands")}


@click.command()
def unusable() -> None:
    """Read settings that can't be used."""
    raise SettingsError(
        "settings: kafka.brokers '': want at least one\nsettings: topics.partitions 0: want 1 or more"
    )


@click.command()
def show() -> None:
    """Say which broker the settings name."""
    click.echo(",".join(load().kafka.brokers))


NOT_A_COMMAND = 1


def test_every_declared_command_has_a_summary():
    assert DECLARED.keys() == SUMMARIES.keys()


@pytest.mark.parametrize("name", DECLARED)
def test_every_declared_command_can_be_loaded_and_helps(name):
    result = CliRunner().invoke(group(entry(name, DECLARED[name])), [name, "--help"])
    assert result.exit_code == 0, result.output
    assert result.output.startswith("Usage: tidewatch")


def test_help_lists_the_commands_without_importing_any():
    entries = {name: EntryPoint(name, "no.such.module:command", "tidewatch.commands") for name in DECLARED}
    result = CliRunner().invoke(group(entries), ["--help"])
    assert result.exit_code == 0
    assert all(name in result.output for name in DECLARED)


def test_help_imports_neither_faust_nor_aiokafka():
    program = (
        "import sys\n"
        "from importlib.metadata import EntryPoint\n"
        "from stream.cli import group\n"
        f"entries = {{n: EntryPoint(n, v, 'tidewatch.commands') for n, v in {DECLARED!r}.items()}}\n"
        "try: group(entries)(['--help'])\n"
        "except SystemExit as end: assert end.code == 0\n"
        "else: raise AssertionError\n"
        "print(sorted({'faust', 'aiokafka', 'river'} & sys.modules.keys()))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert done.stdout.splitlines()[-1] == "[]", done.stderr


def test_unusable_settings_end_with_all_faults_and_no_traceback():
    result = CliRunner().invoke(group(entry("x", f"{__name__}:unusable")), ["x"])
    assert result.exit_code == EX_CONFIG == 78
    assert "kafka.brokers" in result.output
    assert "topics.partitions" in result.output
    assert "Traceback" not in result.output


def test_an_unknown_command_is_a_usage_error():
    assert CliRunner().invoke(group({}), ["nonsense"]).exit_code == 2


def test_an_entry_point_that_is_no_command_is_named():
    result = CliRunner().invoke(group(entry("x", f"{__name__}:NOT_A_COMMAND")), ["x"])
    assert result.exit_code == 1
    assert "want a click command" in result.output


def test_config_names_the_settings_file(tmp_path, monkeypatch):
    monkeypatch.setenv("TIDEWATCH_CONFIG", "")
    monkeypatch.delenv("TIDEWATCH_KAFKA_BROKERS", raising=False)
    file = tmp_path / "tidewatch.toml"
    file.write_text('[kafka]\nbrokers = ["far:9092"]\n')
    result = CliRunner().invoke(group(entry("x", f"{__name__}:show")), ["--config", str(file), "x"])
    assert result.output == "far:9092\n"


@pytest.mark.parametrize(
    "words", [("figures",), ("rehearse", "m"), ("replay", "--kafka"), ("reference", "build", "--kafka")]
)
def test_a_kafka_that_does_not_answer_ends_a_command_in_one_line(words):
    nowhere = {
        "TIDEWATCH_CONFIG": "",
        "TIDEWATCH_KAFKA_BROKERS": "127.0.0.1:1",
        "TIDEWATCH_KAFKA_STARTUP_TIMEOUT_S": "0",
    }
    result = CliRunner().invoke(group(entry(words[0], DECLARED[words[0]])), words, env=nowhere)
    assert result.exit_code == 1
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    assert line.startswith("Error: kafka.brokers '127.0.0.1:1', PLAINTEXT: ")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("rehearse", ""), "Expected `str` of length >= 1"),
        (("rehearse", "m" * 201), "Expected `str` of length <= 200"),
        (("demo", "--brokers", "localhost:port"), "'localhost:port': want hosts and their ports"),
        (("demo", "--timeout", "0"), "0.0 is not in the range x>=1"),
    ],
)
def test_a_wrong_word_is_told_before_anything_starts(words, said):
    result = CliRunner().invoke(group(entry(words[0], DECLARED[words[0]])), words)
    assert result.exit_code == 2
    assert said in result.stderr


@click.command()
def wait() -> None:
    """Be told to end while still starting."""
    try:
        os.kill(os.getpid(), signal.SIGTERM)
    finally:
        time.sleep(60)  # as a producer that a quota holds back does when it is closed


def test_sigterm_ends_a_command_that_has_no_handler_yet_also_as_process_1():
    program = (
        "import sys; sys.path.insert(0, 'tests/unit/stream')\n"
        "import test_cli\n"
        "test_cli.group(test_cli.entry('wait', 'test_cli:wait'))(['wait'])"
    )
    ended = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, timeout=30)
    assert ended.returncode == 128 + signal.SIGTERM, (
        ended
    )  # -SIGTERM: the kernel did it, and would not to process 1
    assert ended.stderr == b""
