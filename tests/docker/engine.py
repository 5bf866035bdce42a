"""The Docker engine as the tests use it: its command line, and Compose in either of its two forms."""

import functools
import json
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any


class Unavailable(Exception):
    """What the Docker tests need is not here; the message says what, and what would bring it."""


def docker(*arguments: str, timeout_s: float = 600, stdin: Any = subprocess.DEVNULL) -> str:
    """Run ``docker`` and return its output.

    Raises:
        RuntimeError: it failed; ends with what it said.
    """
    return run(["docker", *arguments], timeout_s=timeout_s, stdin=stdin)


def run(
    command: Sequence[str],
    timeout_s: float = 600,
    stdin: Any = subprocess.DEVNULL,
    environment: Mapping[str, str] | None = None,
    directory: Path | None = None,
) -> str:
    """Run ``command`` and return its output.

    Raises:
        RuntimeError: it failed; ends with what it said.
    """
    ran = subprocess.run(
        command,
        stdin=stdin,
        capture_output=True,
        text=True,
        timeout=timeout_s,
        env=None if environment is None else {**os.environ, **environment},
        cwd=directory,
        check=False,
    )
    if ran.returncode:
        said = (ran.stdout + ran.stderr)[-6000:]
        raise RuntimeError(f"{' '.join(command[:4])} ... ended with {ran.returncode}:\n{said}")
    return ran.stdout


def require() -> None:
    """Return when an engine answers.

    Raises:
        Unavailable: there is no engine.
    """
    if shutil.which("docker") is None:
        raise Unavailable("no docker on PATH")
    try:
        docker("version", timeout_s=30)
    except RuntimeError as fault:
        raise Unavailable(f"no Docker engine answers: {str(fault).splitlines()[-1]}") from None


@functools.cache
def compose() -> tuple[str, ...]:
    """Return the Compose command: the plug-in, else the older program.

    Raises:
        Unavailable: there is neither.
    """
    for command in (("docker", "compose"), ("docker-compose",)):
        try:
            run([*command, "version"], timeout_s=60)
        except (RuntimeError, OSError):
            continue
        return command
    raise Unavailable("neither docker compose nor docker-compose is here")


def has(image: str) -> bool:
    """Tell whether the engine holds ``image``."""
    try:
        docker("image", "inspect", image)
    except RuntimeError:
        return False
    return True


def pulled(image: str) -> bool:
    """Tell whether the engine holds ``image``, pulling it if it can be had."""
    if has(image):
        return True
    try:
        docker("pull", image, timeout_s=300)
    except (RuntimeError, subprocess.TimeoutExpired):
        return False
    return True


def inspect(container: str) -> dict[str, Any]:
    """Return what the engine knows of ``container``."""
    known: list[dict[str, Any]] = json.loads(docker("container", "inspect", container))
    return known[0]
