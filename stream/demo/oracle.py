"""Core. Whether the pages about a recorded stream were right, judged from the same predictions, after the fact.

The rules, stated before any run and knowing nothing of the stream or of how the worker judges:

1. A page is *backed* when the error rate from its onset until its detection is at least ``RISE`` times the error
   rate of the healthy time before: all answers of that slice before the onset, without those of earlier incidents.
2. A resolve is backed when the error rate of the ``NEWEST`` answers known by then is nearer to the healthy one
   than to that of the page.
3. A page without a resolve is right only if the newer half of the answers since its onset, at least ``NEWEST``,
   are not nearer to healthy: what was bad for a year is not well after a month.
4. There must be a page when the worst ``BLOCK_S`` of the stream have at least ``RISE`` times the error rate of the
   first, and it must come before that worst time is over. If no time is so bad, none must come.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from stream.demo.recording import Loss

RISE = 1.2
"""The worker's own threshold, ``monitor.minimum_increase`` 0.2, as a factor."""
NEWEST = 100
"""As many as the worker itself wants to see before it says that a model has recovered."""
BLOCK_S = 30 * 86_400.0


class Spell(NamedTuple):
    """One incident as it was told: the page's facts, and when it was resolved (``None``: not yet)."""

    told: Mapping[str, Any]
    resolved_at: float | None


class Backing(NamedTuple):
    """What the oracle found for one incident; error rates within 0..1, nan when there are no answers."""

    healthy: float
    sick: float
    last: float
    """Of the newest answers at the resolve, or of the newer half since the onset at the stream's end."""


def rate(losses: Sequence[Loss]) -> float:
    """Return the error rate; nan for none."""
    return sum(loss.wrong for loss in losses) / len(losses) if losses else float("nan")


def backing(losses: Sequence[Loss], spell: Spell, earlier: Sequence[Spell]) -> Backing:
    """Look up an incident's error rates in the stream."""
    told = spell.told
    mine = [loss for loss in losses if told["slice"] in loss.slices]
    onset_at, until = told["onset_at"], told["detected_at"]
    ill = [(one.told["onset_at"], one.resolved_at or float("inf")) for one in earlier]
    before = [loss for loss in mine if loss.at < onset_at and not any(a <= loss.at < b for a, b in ill)]
    during = [loss for loss in mine if loss.at >= onset_at and loss.known_at <= until]
    if spell.resolved_at is None:
        since = sum(loss.at >= onset_at for loss in mine)
        return Backing(rate(before), rate(during), rate(mine[-max(NEWEST, since // 2) :]))
    known = [loss for loss in mine if loss.known_at <= spell.resolved_at]
    return Backing(rate(before), rate(during), rate(known[-NEWEST:]))


def faults(found: Backing, spell: Spell) -> Iterator[str]:
    """Say what is not backed; nothing when all is."""
    told = spell.told
    what = f"page about {told['model']} in {told['slice']}"
    if not found.sick >= RISE * found.healthy:
        yield (
            f"{what} is not backed: its error rate was {found.healthy:.3f} before the onset"
            f" and {found.sick:.3f} after, want a rise to {RISE:g} times"
        )
    middle = (found.healthy + found.sick) / 2
    if spell.resolved_at is not None and not found.last <= middle:
        yield f"{what} was resolved at an error rate of {found.last:.3f}, want at most {middle:.3f}"
    if spell.resolved_at is None and not found.last >= middle:
        yield f"{what} was never resolved, though the last error rate is {found.last:.3f}, below {middle:.3f}"


class Harm(NamedTuple):
    """The worst block of the stream beside the first one: error rates, and when the worst ended."""

    first: float
    worst: float
    until: float

    @property
    def is_harm(self) -> bool:
        """Whether somebody must be told."""
        return self.worst >= RISE * self.first


def harm(losses: Sequence[Loss]) -> Harm:
    """Cut the stream into blocks and compare; a block of less than half the length is left out."""
    start = losses[0].at
    blocks: dict[int, list[Loss]] = {}
    for loss in losses:
        blocks.setdefault(int((loss.at - start) // BLOCK_S), []).append(loss)
    full = {number: block for number, block in blocks.items() if 2 * len(block) >= len(blocks[0])}
    worst = max(full, key=lambda number: rate(full[number]))
    return Harm(rate(blocks[0]), rate(full[worst]), start + (worst + 1) * BLOCK_S)


def missing(found: Harm, spells: Sequence[Spell]) -> Iterator[str]:
    """Say when pages came or did not come against rule 4."""
    rose = f"the error rate rose from {found.first:.3f} to {found.worst:.3f}"
    if not found.is_harm and spells:
        yield f"{len(spells)} pages came, though {rose} at most"
    elif found.is_harm and not spells:
        yield f"no page came, though {rose}"
    elif found.is_harm and min(one.told["detected_at"] for one in spells) > found.until:
        yield f"the first page came only after the worst time, when {rose}"
