"""Edge. The file of references that ``tidewatch reference build`` writes and ``monitor.reference`` names."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec

from stream.aspect_known import is_name
from stream.judge.known import Known, References
from stream.reference_known import input_faults
from stream.settings import FileCheck, SettingsError


def read_references(path: Path | None) -> References:
    """Return the references of a file; empty without one.

    Raises:
        SettingsError: the file can't be read, or is no file of references; lists all that is wrong in it.
    """
    if path is None:
        return {}
    try:
        found = msgspec.json.decode(path.read_bytes(), type=dict[str, dict[str, Known]])
    except (OSError, msgspec.DecodeError) as fault:
        wanted = "want a file that tidewatch reference build wrote"
        raise SettingsError(f"settings: monitor.reference {str(path)!r}: {fault}; {wanted}") from None
    faults = [
        f"settings: monitor.reference {str(path)!r}: {model}, {name}: {fault}"
        for model, slices in found.items()
        for name, one in slices.items()
        for fault in _faults(one)
    ]
    if faults:
        raise SettingsError("\n".join(faults))
    return found


def _faults(known: Known) -> Iterator[str]:
    if not (0 <= known.lost <= known.losses and known.losses > 0 and known.inflation >= 1.0):
        yield (
            f"lost {known.lost} of {known.losses}, inflation {known.inflation};"
            " want 0 <= lost <= losses, losses > 0, inflation >= 1"
        )
    for name, one in known.beside.items():
        if not is_name(name, known.task) or one.task != known.task:
            yield f"beside {name!r} of a {one.task}; want what is judged beside the errors of a {known.task}"
        yield from (f"beside {name!r}: {fault}" for fault in _faults(one))
        if one.beside or one.inputs:
            yield f"beside {name!r}: has a beside or inputs of its own; want none"
    for name, values in known.inputs.items():
        yield from (f"input {name!r}: {fault}" for fault in input_faults(values))


def write_references(references: References) -> bytes:
    """Return the file's bytes, the same for the same references."""
    ordered = {model: dict(sorted(slices.items())) for model, slices in sorted(references.items())}
    return msgspec.json.format(msgspec.json.encode(ordered), indent=1) + b"\n"


def _checked(path: Path) -> list[str]:
    found = read_references(path)
    return [f"{path}: references of {len(found)} models"]


CHECK = FileCheck((), _checked, opening="{")
"""For ``tidewatch validate``."""
