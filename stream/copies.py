"""Edge. What the copies of a topic and its settings allow: to write to it, and to lose nothing it took."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal, NamedTuple

IN_SYNC, UNCLEAN = "min.insync.replicas", "unclean.leader.election.enable"


class Risk(NamedTuple):
    """What is wrong, and the change of a setting that mends it."""

    what: str
    change: str
    severity: Literal["error", "warning"]


def risks(configuration: Mapping[str, str], copies: int) -> Iterator[Risk]:
    """Yield what is wrong with a topic of so many copies."""
    wanted, enough = int(configuration.get(IN_SYNC, "1")), max(1, copies - 1)
    if wanted > copies:
        what = f"{IN_SYNC} {wanted} with {copies} copies: want at most {enough}, else nothing can be written"
        yield Risk(what, f"{IN_SYNC}={enough}", "error")
    elif wanted == copies > 1:
        what = f"{IN_SYNC} {wanted} with {copies} copies: want at most {enough}, else one broker that is away"
        yield Risk(f"{what} stops all writing", f"{IN_SYNC}={enough}", "warning")
    if configuration.get(UNCLEAN) == "true":
        what = (
            f"{UNCLEAN} true: want false, else a broker that has not all of it may lead, and the rest is lost"
        )
        yield Risk(what, f"{UNCLEAN}=false", "warning")
