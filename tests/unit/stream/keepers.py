"""Keepers without a broker."""

from prometheus_client import CollectorRegistry

from stream.engine.custody import Custody
from stream.engine.keeper import Keeper
from stream.engine.probe import nothing
from stream.engine.telemetry import EngineTelemetry

FIELDS = {
    "options": {},
    "group": "g",
    "inputs": ("i",),
    "outputs": (),
    "checkpoints": "c",
    "factory": None,
    "interval_s": 1.0,
    "probe": nothing,
}


def keeper_of(registry=None, **fields):
    """Return a keeper that holds nothing yet, with these fields of its custody in place of the usual ones."""
    return Keeper(Custody(**(FIELDS | fields)), EngineTelemetry(registry or CollectorRegistry()))
