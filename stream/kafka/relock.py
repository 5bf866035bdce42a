"""Shell. Writes ``kafka.lock`` anew (``python -m stream.kafka.relock``); for a new version."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

from stream.kafka import jars
from stream.kafka.lock import Jar, render

ROOT = f"org.apache.kafka:kafka_2.13:{jars.VERSION}"
BINDING = "org.apache.logging.log4j:log4j-slf4j-impl:2.25.5"
"""Without it the broker's log is lost. Taken alone: what it needs comes with Kafka, in Kafka's versions."""
HEADER = f"""The jars of the embedded Kafka; every one is checked before it is used.
Made by `python -m stream.kafka.relock` from {ROOT} and {BINDING}."""


def main() -> None:
    """Resolve Kafka and what it needs, fetch all of it, and write the sums."""
    from jgo.maven import MavenContext
    from jgo.parse import Coordinate

    with tempfile.TemporaryDirectory() as scratch:
        maven = MavenContext(repo_cache=Path(scratch), timeout=jars.FETCH_TIMEOUT_S)
        kafka = maven.create_dependency(replace(Coordinate.parse(ROOT), scope="compile"))
        inputs, needed = maven.resolver.resolve([kafka])
        running = [one.artifact for one in needed if one.scope in ("compile", "runtime")]
        binding = maven.create_dependency(BINDING).artifact
        locked = [
            Jar(jars.sha256(one.resolve()), one.groupId, one.artifactId, one.version, one.classifier)
            for one in (*(one.artifact for one in inputs), *running, binding)
        ]
    Path(__file__).with_name("kafka.lock").write_text(render(locked, HEADER), encoding="utf-8")


if __name__ == "__main__":
    main()
