"""Edge. What it costs to look into a calendar: the library goes through a rule from its beginning, each time.

A rule that never comes true is looked for until the year 9999, and one of INTERVAL=0 without end. So the steps of
all rules are counted while they are taken.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from icalendar.cal import Component

TURNS = 100_000
"""Turns of all rules of a calendar, from where they begin until now, at most: half a second."""
TURN = 25
STEP = 400, 45, 15, 10
"""What a step of a yearly, monthly, weekly and daily rule costs beside its turns: all its days are looked at."""
VALUES = 100
"""Values that the parts of a rule have together at most."""
TIMES = 24
"""Times of a day that a rule has at most."""
TOO_OFTEN = frozenset({"SECONDLY", "MINUTELY", "HOURLY"})


class TooCostly(ValueError):
    """A calendar that takes too long to look into."""


class Budget:
    """What a look-up may still cost."""

    def __init__(self) -> None:
        self.left = 0
        self.refill()

    def refill(self) -> None:
        """Let the next look-up cost as much as any."""
        self.left = TURNS * TURN

    def spend(self, cost: int) -> None:
        """Take a part.

        Raises:
            TooCostly: there is not enough left.
        """
        self.left -= cost
        if self.left < 0:
            raise TooCostly(
                f"RRULE: want rules that begin later, or end (UNTIL): about {TURNS:,} turns of a calendar from"
                " DTSTART until now at most, and none that are looked for in vain"
            )


class Interval(int):
    """A rule's INTERVAL, which is added to a date at each step: so it knows how many there were."""

    _budget: Budget
    _cost: int

    @classmethod
    def of(cls, rule: Any, budget: Budget) -> Interval:
        """Return the interval of a rule of dateutil, whose steps are paid from this budget."""
        counted = cls(rule._interval)
        counted._budget, counted._cost = budget, STEP[rule._freq]
        return counted

    def __radd__(self, other: int) -> int:
        self._budget.spend(self._cost)
        return other + int(self)

    def __mul__(self, other: int) -> int:
        self._budget.spend(self._cost)
        return int(self) * other


def refuse_costly_rules(events: Iterable[Component]) -> None:
    """Look at the rules as they are written.

    Raises:
        TooCostly: one recurs more often than daily, or has too many parts.
    """
    for event in events:
        found = event.get("RRULE", [])
        for rule in found if isinstance(found, list) else [found]:
            if TOO_OFTEN & {str(often).upper() for often in rule.get("FREQ", [])}:
                raise TooCostly("RRULE: want turns that recur daily or more rarely")
            sizes = {name: len(values) for name, values in rule.items() if isinstance(values, list)}
            times = sizes.get("BYHOUR", 1) * sizes.get("BYMINUTE", 1) * sizes.get("BYSECOND", 1)
            if times > TIMES or sum(sizes.values()) > VALUES:
                raise TooCostly(f"RRULE: want at most {TIMES} turns a day, and {VALUES} values in a rule")


def count(series: Iterable[Any], budget: Budget, now: float) -> None:
    """Go through all rules of the library's series until ``now``, epoch seconds; the library keeps what comes.

    Raises:
        TooCostly: there is too much of it.
    """
    until = datetime.fromtimestamp(now, UTC)
    for one in series:
        for rule in getattr(one.recurrence, "rrules", ()):  # an exception without its event has none
            if hasattr(rule, "_interval"):  # the set of single dates has none
                rule._interval = Interval.of(rule, budget)
            for start in rule:
                budget.spend(TURN)
                if (start if start.tzinfo else start.replace(tzinfo=UTC)) > until:
                    break
