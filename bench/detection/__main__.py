"""Shell. Runs the benchmark of detection; the last line printed is one JSON object."""

from __future__ import annotations

import json
from collections.abc import Iterable
from itertools import chain
from math import isnan
from typing import Any

import click

from bench.detection import drifts, endings, figures, fleet, real, rivals, shapes
from bench.detection.figures import SHORT, WHOLE, Ratio
from stream.version import Judgement

WHOLE_FLEET, SHORT_FLEET = (2_000, 30.0), (24, 30.0)
"""Models and days."""
WHOLE_HARMED, SHORT_HARMED = (240, 30.0), (12, 30.0)
"""The same where all get worse: of one in a hundred there are too few to tell a share."""
WHOLE_SEEDS, SHORT_SEEDS = 20, 1
"""Lives of each shape."""
WHOLE_LIVES, SHORT_LIVES = 300, 20
"""Of each harm that stays, hovers or ends."""


def _table(title: str, rows: Iterable[Ratio]) -> dict[str, float]:
    click.echo(f"\n{title}")
    found = {}
    for row in rows:
        click.echo(str(row))
        found[row.key] = round(row.value, 4)
    return found


def _fleet(models: int, days: float, seed: int, harmed: int) -> dict[str, Any]:
    found = fleet.simulate(models, days, seed, harmed).report(Judgement().false_pages_per_week)
    click.echo(f"\nfleet of {models} models, one in {harmed} harmed")
    for name, value in found.items():
        click.echo(f"  {name}: {value}")
    return found


def _drifts(size: drifts.Size, seed: int) -> dict[str, float | None]:
    click.echo("\ndrift without labels")
    found: dict[str, float | None] = {}
    for row in drifts.rows(size, seed):
        click.echo(str(row))
        value = row.found if row.psi else row.ratio
        found[row.key] = None if isnan(value) else round(value, 4)
    return found


def _pages(seeds: int, seed: int, *, short: bool) -> dict[str, list[float]]:
    click.echo(f"\npages over {seeds} lives of one model, by the shape of its harm")
    found = {}
    for row in shapes.rows(seeds, seed, is_short=short):
        click.echo(str(row))
        found[row.name] = [row.fewest, round(row.mean, 4), row.most]
    return found


def _endings(lives: int, seed: int) -> dict[str, list[float | None]]:
    click.echo(f"\nharms called over, {lives} lives of each")
    found: dict[str, list[float | None]] = {}
    for row in endings.rows(lives, seed):
        click.echo(str(row))
        found[row.key] = [round(row.over, 4), None if isnan(row.losses) else row.losses]
    return found


def _real() -> dict[str, Any]:
    click.echo("\nreal streams")
    found = {}
    for name, pages in real.streams():
        click.echo(f"  {name:>12}  {pages if pages is not None else f'NOT SHOWN: no {real.DATA / name}'}")
        found[name] = pages
    return found


@click.command()
@click.option("--short", is_flag=True, help="A tenth of the lanes, and fewer cases: for the build server.")
@click.option("--seed", type=int, default=1, show_default=True)
def main(short: bool, seed: int) -> None:
    """Measure detection delay and false alarms, beside the exact limit and River's detectors."""
    size = SHORT if short else WHOLE
    report: dict[str, Any] = {
        "delay_ratio": {
            "known": _table("mean delay / limit, true bound", figures.delay_known(size, seed)),
            "ref5000": _table("mean delay / limit, bound of 5,000 labels", figures.delay_learned(size, seed)),
        },
        "false_alarm_ratio": {
            "iid": _table("false alarms / nominal, independent", figures.false_independent(size, seed)),
            "autocorrelated": _table(
                "false alarms / nominal, dependent", figures.false_dependent(size, seed)
            ),
            "learned": _table(
                "false alarms / nominal, bound of 5,000 labels",
                chain(figures.false_references(size, seed), figures.false_learned(size, seed)),
            ),
        },
        "fleet": _fleet(*(SHORT_FLEET if short else WHOLE_FLEET), seed, fleet.HARMED),
        "harmed": _fleet(*(SHORT_HARMED if short else WHOLE_HARMED), seed + 1, 1),
        "drift": _drifts(drifts.SHORT if short else drifts.WHOLE, seed),
        "pages": _pages(SHORT_SEEDS if short else WHOLE_SEEDS, seed, short=short),
        "endings": _endings(SHORT_LIVES if short else WHOLE_LIVES, seed),
        "real": _real(),
    }
    click.echo("\nRiver's detectors: false alarms per 1e6, mean delay after 10,000 clean losses (missed)")
    for row in rivals.rows(short, seed):
        click.echo(str(row))
    click.echo(json.dumps(report))


if __name__ == "__main__":
    main()
