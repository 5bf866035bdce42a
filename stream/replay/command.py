"""Shell. ``tidewatch replay``, ``replay diff`` and ``reference build``."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import msgspec

from stream.app import rules_of
from stream.digits import in_digits
from stream.figures.windows import ROLLOUT
from stream.joined import Reason
from stream.references import write_references
from stream.refusal import Refusal
from stream.replay.build import History
from stream.replay.reading import EXISTING, Source, source
from stream.replay.run import Replay, row
from stream.replay.source import FOREVER
from stream.rules import Rules
from stream.settings import WorkerSettings, load
from stream.wire import Tolerance


class Unnamed(click.Command):
    """A subcommand that is what its group does without one: the usage shows the group's name."""

    def format_usage(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the usage as it is typed."""
        assert ctx.parent is not None
        formatter.write_usage(ctx.parent.command_path, " ".join(self.collect_usage_pieces(ctx)))


class Replaying(click.Group):
    """``replay FILE...`` runs; ``replay diff`` compares: the first word decides."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put ``run`` in front of what is no subcommand."""
        return super().parse_args(ctx, args if args[:1] in (["diff"], ["run"]) else ["run", *args])


@click.group(cls=Replaying)
def replay() -> None:
    """Judge event files as the worker would, without Kafka and without sending anything."""


@replay.command("run", cls=Unnamed)
@source
@click.option("--config", type=EXISTING, help="Settings file; the environment comes first.")
@click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON object a line; the last one is the summary."
)
def run(of: Source, config: Path | None, as_json: bool) -> None:
    """Judge FILE... (JSON lines, may be gzipped, or Parquet) or what is in Kafka; see also `replay diff`."""
    replayed = Replay(_rules(config, of))
    say = _say_json if as_json else _say_text
    with of.reading(config) as found:
        for finding in replayed.findings(found):
            say(row(finding))
    say(replayed.summary())


@replay.command("diff")
@click.argument("first", type=EXISTING)
@click.argument("second", type=EXISTING)
@source
def diff(of: Source, first: Path, second: Path) -> None:
    """Say what SECOND's settings would have found that FIRST's did not, and the other way round."""
    of = of.repeatable(time.time())
    found: list[dict[tuple[str, str], dict[str, Any]]] = []
    for config in (first, second):
        with of.reading(first) as read:
            rows = map(row, Replay(_rules(config, of)).findings(read))
            found.append({(one["id"], one["state"]): one for one in rows})
    before, after = found
    counts = {"removed": 0, "added": 0, "changed": 0, "same": 0}
    for key in (*before, *(key for key in after if key not in before)):
        old, new = before.get(key), after.get(key)
        change = "same" if old == new else "removed" if new is None else "added" if old is None else "changed"
        counts[change] += 1
        if change != "same":
            _say_json({"kind": "change", "change": change, "before": old, "after": new})
    _say_json({"kind": "summary", **counts})


@click.group()
def reference() -> None:
    """References made beforehand."""


@reference.command()
@source
@click.option("--config", type=EXISTING, help="Settings file; the environment comes first.")
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), help="[default: standard output]")
@click.option(
    "--fewest", type=click.IntRange(min=1), default=250, show_default=True, help="Losses a series needs."
)
def build(of: Source, config: Path | None, output: Path | None, fewest: int) -> None:
    """Make the references of all models and slices in FILE... or in Kafka, for monitor.reference."""
    if output is not None and not output.parent.is_dir():
        raise click.UsageError(f"--output {output}: there is no folder {output.parent}")
    own = load(config).worker
    history = History(own.label_horizon_s, _tolerance(of, own))
    with of.reading(config) as found:
        history.read(found)
    references = history.references(fewest)
    few = [f"{model} {name} ({count:,})" for model, name, count in history.series() if count < fewest]
    if few:
        click.echo(f"left out, fewer than {fewest} losses: {', '.join(sorted(few)[:10])}", err=True)
    if history.refused:
        click.echo(f"lines that are no events: {history.refused:,}; see tidewatch check-events", err=True)
    if not references:
        raise click.ClickException(f"no series with {fewest} losses: want predictions and their outcomes")
    written = write_references(references)
    if output is None:
        click.echo(written, nl=False)
        return
    try:
        output.write_bytes(written)
    except OSError as fault:
        raise click.ClickException(f"--output {output}: {fault.strerror}") from None


def _rules(config: Path | None, of: Source) -> Rules:
    settings = load(config)
    rules, tolerance = rules_of(settings), _tolerance(of, settings.worker)
    models = rules.model_budget * rules.partitions
    return replace(rules, tolerance=tolerance, model_budget=models, partitions=1)


def _tolerance(of: Source, own: WorkerSettings) -> Tolerance:
    """Return the worker's, by which it judged records as Kafka got them; when a file's lines came nobody knows."""
    return FOREVER if of.within is None else own.tolerance


def _say_json(said: dict[str, Any]) -> None:
    click.echo(msgspec.json.encode(said))


def _say_text(said: dict[str, Any]) -> None:
    if said["kind"] == "finding":
        click.echo(f"{said['state']:6} {said['severity']}  {said['summary']}")
        return
    for model, versions in said["models"].items():
        for version, one in versions.items():
            click.echo(f"{model} {version}: {_in_words(one['windows'].get(ROLLOUT, {}))}")
    for what in ("events", "joined", "refused"):
        click.echo(
            f"{what}: {', '.join(f'{count:,} {name}' for name, count in said[what].items()) or 'none'}"
        )
    if said["refused"]:
        click.echo("what was refused: see tidewatch check-events")
    if said["refused"].get(Refusal.TOO_MANY_MODELS, 0):
        click.echo("too many models: is model a name, not an id? Else raise worker.model_budget")
    if said["joined"].get(Reason.UNMATCHED_OUTCOME, 0):
        click.echo("outcomes met no prediction: are the lines in the order of arrival? Else see --order at")
    click.echo(f"{said['pages']} pages, {said['tickets']} tickets")


def _in_words(figures: dict[str, Any]) -> str:
    """Say the figures of the whole; those of single classes are in the JSON."""
    found = [
        f"{name} {in_digits(one['value'], 4)} ({in_digits(one['lower'], 4)} to {in_digits(one['upper'], 4)})"
        for name, one in figures.items()
        if "[" not in name
    ]
    return ", ".join(found) or "no outcomes"
