"""Edge. The file of references that ``tidewatch reference build`` writes and ``monitor.reference`` names."""

from __future__ import annotations

from pathlib import Path

import msgspec

from stream.judge.known import Known, References
from stream.settings import FileCheck, SettingsError


def read_references(path: Path | None) -> References:
    """Return the references of a file; empty without one.

    Raises:
        SettingsError: the file can't be read, or is no file of references.
    """
    if path is None:
        return {}
    try:
        found = msgspec.json.decode(path.read_bytes(), type=dict[str, dict[str, Known]])
    except (OSError, msgspec.DecodeError) as fault:
        wanted = "want a file that tidewatch reference build wrote"
        raise SettingsError(f"settings: monitor.reference {str(path)!r}: {fault}; {wanted}") from None
    for model, slices in found.items():
        each = [(name, one) for name, known in slices.items() for one in (known, *known.beside.values())]
        for name, one in each:
            if not (0 <= one.lost <= one.losses and one.losses > 0 and one.inflation >= 1.0):
                raise SettingsError(
                    f"settings: monitor.reference {str(path)!r}: {model}, {name}: lost {one.lost} of {one.losses},"
                    f" inflation {one.inflation}; want 0 <= lost <= losses, losses > 0, inflation >= 1"
                )
    return found


def write_references(references: References) -> bytes:
    """Return the file's bytes, the same for the same references."""
    ordered = {model: dict(sorted(slices.items())) for model, slices in sorted(references.items())}
    return msgspec.json.format(msgspec.json.encode(ordered), indent=1) + b"\n"


def _checked(path: Path) -> list[str]:
    found = read_references(path)
    return [f"{path}: references of {len(found)} models"]


CHECK = FileCheck((), _checked)
"""For ``tidewatch validate``."""
