"""Programs of others from npm, pinned and hashed in ``tests/peers/``, installed once into the cache."""

from __future__ import annotations

import fcntl
import hashlib
import json
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from stream.kafka import jars
from tests.require import missing

PEERS = Path(__file__).parent / "peers"
FILES = ("package.json", "package-lock.json", ".npmrc")
INSTALL_S = 300
RUN_S = 60


def folder() -> Path:
    """Return a folder whose ``node_modules`` is as the lock says; skips or fails where that can't be had."""
    lacking = [program for program in ("node", "npm") if not shutil.which(program)]
    if lacking:
        missing("node", f"{' and '.join(lacking)}: not found on PATH")
    sums = hashlib.sha256(b"\0".join((PEERS / name).read_bytes() for name in FILES)).hexdigest()
    cache = jars.cache_directory().parent
    cache.mkdir(parents=True, exist_ok=True)
    place = cache / f"peers-{sums[:16]}"
    with (cache / "peers.lock").open("w") as alone:
        fcntl.flock(alone, fcntl.LOCK_EX)
        if not place.exists():
            _install(cache, place)
    return place


def run(script: str, question: Any) -> Any:
    """Return what a script of node prints, as JSON; it reads the question as JSON from its standard input."""
    done = subprocess.run(
        ["node", "-e", script],
        input=json.dumps(question),
        cwd=folder(),
        capture_output=True,
        text=True,
        timeout=RUN_S,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def _install(cache: Path, place: Path) -> None:
    with tempfile.TemporaryDirectory(dir=cache, prefix="peers-new-") as scratch:
        made = Path(scratch) / "made"
        made.mkdir()
        for name in FILES:
            shutil.copy(PEERS / name, made)
        try:
            done = subprocess.run(
                ["npm", "ci", "--loglevel=error"], cwd=made, capture_output=True, text=True, timeout=INSTALL_S
            )
        except subprocess.TimeoutExpired:
            missing("node", f"npm ci did not end within {INSTALL_S} s")
        if done.returncode != 0:
            missing("node", f"npm ci failed: {done.stderr[-1_000:]}")
        made.rename(place)  # one rename: a half-installed folder never gets its name
