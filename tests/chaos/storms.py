"""The storms: what is done to workers, disks and brokers, and after which share of the load."""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from tests.chaos import service
from tests.chaos.fleet import Fleet, Worker
from tests.chaos.nodes import Cluster
from tests.chaos.service import SESSION_S, STEPS


@dataclass
class Field:
    """Where a storm blows."""

    fleet: Fleet
    cluster: Cluster
    rng: random.Random
    zombies: list[tuple[Worker, int]] = field(default_factory=list)
    """Workers that were continued past their session, and how often they had said "fenced" before."""
    later: list[tuple[float, Callable[[], None]]] = field(default_factory=list)
    brokers_ended: int = 0

    def tick(self) -> None:
        """Do what is due."""
        due = [entry for entry in self.later if entry[0] <= time.monotonic()]
        for entry in due:
            self.later.remove(entry)
            entry[1]()

    def anyone(self) -> Worker:
        """Return a worker at work; one that is starting, if none is; never one that is stopped."""
        wanted = [worker for worker in self.fleet.wanted() if not worker.is_stopped]
        working = [worker for worker in wanted if worker.runs and service.owns(worker.port)]
        return self.rng.choice(working or wanted or self.fleet.wanted())


Act = Callable[[Field], None]


class Storm(NamedTuple):
    """``workers`` to begin with, the ``fault`` that the first one starts with, and acts by progress.

    ``acts`` holds (earliest, latest) shares of the load, between which the seed chooses, and what is done.
    """

    name: str
    workers: int
    acts: tuple[tuple[float, float, Act], ...] = ()
    fault: str = ""
    nodes: int = 1
    load: str = "plain"


class Weather:
    """A storm over its field; the field's seed has chosen when each act comes."""

    def __init__(self, storm: Storm, ground: Field) -> None:
        self._ground = ground
        ground.fleet.resize(storm.workers)
        ground.fleet.workers[0].next_fault = storm.fault
        moments = ((ground.rng.uniform(*act[:2]), number, act[2]) for number, act in enumerate(storm.acts))
        self._acts = sorted(moments)

    @property
    def is_over(self) -> bool:
        """Whether all acts are done, and what they have left for later too."""
        return not self._acts and not self._ground.later

    def blow(self, progress: float) -> None:
        """Do what is due when this share of the load was sent; start again what has ended."""
        self._ground.fleet.supervise()
        self._ground.tick()
        while self._acts and progress >= self._acts[0][0]:
            self._acts.pop(0)[2](self._ground)


def kill(field: Field) -> None:
    """Kill -9 a worker."""
    field.anyone().send(signal.SIGKILL)


def ask(field: Field) -> None:
    """SIGTERM a worker."""
    field.anyone().send(signal.SIGTERM)


def pause(field: Field) -> None:
    """SIGSTOP a worker until its session is over and another has its partitions, then SIGCONT."""
    worker = field.anyone()
    said = worker.said("fenced")
    worker.send(signal.SIGSTOP)

    def go_on() -> None:
        field.zombies.append((worker, said))
        worker.send(signal.SIGCONT)
        field.later.append((time.monotonic() + 5.0, lambda: None))  # time for what it still wants to write

    field.later.append((time.monotonic() + SESSION_S + 5.0, go_on))


def lose_disk(field: Field) -> None:
    """Kill -9 a worker and remove its disk."""
    field.anyone().lose_disk()


def resize(count: int) -> Act:
    """Return the act of having this many workers."""
    return lambda field: field.fleet.resize(count)


def break_at(fault: str) -> Act:
    """Return the act of starting a worker anew with a fault point."""

    def act(field: Field) -> None:
        worker = field.anyone()
        worker.send(signal.SIGKILL)
        worker.next_fault = fault

    return act


def broker(how: signal.Signals, away_s: float = 1.0) -> Act:
    """Return the act of ending a broker and starting it again on its disk."""

    def act(field: Field) -> None:
        node = field.rng.choice(field.cluster.nodes)
        node.end(how)
        field.brokers_ended += 1
        field.later.append((time.monotonic() + away_s, node.start))

    return act


def _spread(*acts: Act) -> tuple[tuple[float, float, Act], ...]:
    """Give each act its own part of the load, in order."""
    wide = 0.9 / len(acts)
    return tuple((0.05 + number * wide, 0.05 + (number + 0.9) * wide, act) for number, act in enumerate(acts))


CALM = Storm("calm", 1)
_KILL, _TERM = signal.SIGKILL, signal.SIGTERM
STORMS = (
    Storm("kill -9, one worker", 1, _spread(kill, kill, kill)),
    Storm("kill -9, two workers", 2, _spread(kill, kill, kill, kill)),
    Storm("SIGTERM, two workers", 2, _spread(ask, ask, ask, ask)),
    Storm("kill -9 and SIGTERM, three workers", 3, _spread(kill, ask, kill, ask, kill)),
    Storm("1 to 4 to 2 workers", 1, _spread(resize(4), resize(2))),
    Storm("1 to 4 to 2 workers with kills", 1, _spread(resize(4), kill, resize(2), kill)),
    Storm("zombie", 2, _spread(pause)),
    Storm("two zombies and a kill", 3, _spread(pause, kill, pause)),
    Storm("broker restarted", 2, _spread(broker(_TERM))),
    Storm("broker killed", 2, _spread(broker(_KILL), broker(_KILL))),
    Storm("broker and workers killed", 2, _spread(kill, broker(_KILL), kill)),
    Storm("slow broker", 2, _spread(break_at("delay:acknowledged:2"), kill), "delay:acknowledged:3"),
    *(
        Storm(f"crash at {step}", 2, _spread(break_at(f"kill:{step}:{3 + number}")), f"kill:{step}:5")
        for number, step in enumerate(STEPS)
    ),
    Storm("disk lost", 2, _spread(lose_disk, lose_disk)),
    Storm("disk lost while resizing", 1, _spread(resize(3), lose_disk, resize(1), lose_disk)),
    Storm("untidy input, kills", 2, _spread(kill, ask, kill), load="untidy"),
    Storm("everything", 3, _spread(kill, pause, broker(_KILL), ask, resize(2), lose_disk, resize(3), kill)),
)
THREE_NODES = Storm("one of three brokers lost", 2, _spread(broker(_KILL, 15.0), kill), nodes=3)
SHORT = (
    Storm(
        "kill -9, a zombie, SIGTERM and a crash in a checkpoint",
        2,
        _spread(kill, pause, ask),
        "kill:acknowledged:4",
    ),
    Storm("broker killed and a worker", 1, _spread(broker(_KILL), kill)),
)
"""For the build server."""

PAGER_STORMS = (
    Storm("pagers: kill -9, two", 2, _spread(kill, kill, kill)),
    Storm("pagers: SIGTERM, two", 2, _spread(ask, ask, ask)),
    Storm("pagers: 1 to 3 to 2 with kills", 1, _spread(resize(3), kill, ask, resize(2), kill)),
    Storm("pagers: zombie", 2, _spread(pause)),
    Storm("pagers: broker killed", 2, _spread(kill, broker(_KILL), ask)),
    *(
        Storm(f"pagers: crash at {step}", 2, _spread(break_at(f"kill:{step}:{5 + number}")), f"kill:{step}:9")
        for number, step in enumerate(STEPS)
    ),
)
PAGER_SHORT = Storm("pagers: kill -9, a zombie, a third, SIGTERM", 2, _spread(kill, pause, resize(3), ask))
