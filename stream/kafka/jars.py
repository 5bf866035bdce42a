"""Shell. The jars of the embedded Kafka: fetched once through jgo, checked against the lock on every use."""

from __future__ import annotations

import fcntl
import hashlib
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from importlib import resources
from pathlib import Path

import stamina

from stream.kafka.errors import JarsError
from stream.kafka.lock import Jar, differences, parse

VERSION = "4.4.0"
FETCH_TIMEOUT_S = 60
Progress = Callable[[int, int, str], None]
"""Called before each fetch with (fetched so far, to fetch in all, file name)."""


def silent(fetched: int, total: int, name: str) -> None:
    """Show no progress."""


def cache_directory() -> Path:
    """Return where the jars are kept: under ``TIDEWATCH_CACHE``, else under ``~/.cache/tidewatch``."""
    root = os.environ.get("TIDEWATCH_CACHE")
    return (Path(root) if root else Path.home() / ".cache" / "tidewatch") / f"kafka-{VERSION}"


def locked() -> tuple[Jar, ...]:
    """Return the jars of the committed lock file."""
    return parse(resources.files("stream.kafka").joinpath("kafka.lock").read_text(encoding="utf-8"))


def obtain(directory: Path, jars: Iterable[Jar], progress: Progress = silent) -> list[Path]:
    """Return the paths of all locked jars in ``directory``, fetching those that are not there yet.

    Raises:
        JarsError: a jar can't be fetched, has another sum, or does not belong there.
    """
    jars = tuple(jars)
    directory.mkdir(parents=True, exist_ok=True)
    with _alone(directory):
        wanting = [jar for jar in jars if not (directory / jar.filename).exists()]
        for number, jar in enumerate(wanting):
            progress(number, len(wanting), jar.filename)
            _fetch(jar, directory)
        verify(directory, jars)
    return [directory / jar.filename for jar in jars]


def verify(directory: Path, jars: Iterable[Jar]) -> None:
    """Compare every jar in ``directory`` with the lock.

    Raises:
        JarsError: lists every jar that is missing, extra, or has another sum.
    """
    found = {path.name: sha256(path) for path in sorted(directory.glob("*.jar"))}
    faults = differences(jars, found)
    if faults:
        told = "\n  ".join(faults)
        raise JarsError(f"{directory}: not as kafka.lock says; remove it and start again\n  {told}")


def sha256(path: Path) -> str:
    """Return the file's SHA-256 in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _fetch(jar: Jar, directory: Path) -> None:
    with tempfile.TemporaryDirectory(dir=directory, prefix="fetch-") as scratch:
        path = _download(jar, Path(scratch))
        found = sha256(path)
        if found != jar.sha256:
            raise JarsError(f"{jar.coordinate}: fetched sha256 {found}: want {jar.sha256} as in kafka.lock")
        path.replace(directory / jar.filename)  # one rename: a half-written jar never gets its name


def _download(jar: Jar, scratch: Path) -> Path:
    try:
        from jgo.config import GlobalSettings
        from jgo.constants import MAVEN_CENTRAL_URL
        from jgo.maven import MavenContext
    except ImportError:
        raise JarsError("jgo is not installed: pip install 'tidewatch[demo]'") from None
    # a mirror set in jgo's own configuration is honoured; only the sum decides
    remotes = {"central": MAVEN_CENTRAL_URL} | GlobalSettings.load().repositories
    try:
        for attempt in stamina.retry_context(on=(OSError, RuntimeError), attempts=3, wait_max=5):
            with attempt:
                repository = Path(tempfile.mkdtemp(dir=scratch))  # jgo would take a half file for a whole one
                maven = MavenContext(repo_cache=repository, remote_repos=remotes, timeout=FETCH_TIMEOUT_S)
                component = maven.project(jar.group, jar.artifact).at_version(jar.version)
                return Path(component.artifact(jar.classifier).resolve())
    except (OSError, RuntimeError) as fault:
        raise JarsError(f"{jar.coordinate}: can't be fetched: {fault}") from fault
    raise AssertionError("the retry loop returns or raises")


@contextmanager
def _alone(directory: Path) -> Iterator[None]:
    """Let one process at a time fill the directory."""
    with (directory / ".lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
