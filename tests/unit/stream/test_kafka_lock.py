import hashlib

import pytest

from stream.kafka import jars, java
from stream.kafka.errors import JarsError
from stream.kafka.lock import Jar, parse, render

SUM = hashlib.sha256(b"jar").hexdigest()
OTHER = hashlib.sha256(b"another jar").hexdigest()
PLAIN = Jar(SUM, "org.example", "plain", "1.0")
SPECIAL = Jar(SUM, "org.example", "special", "1.0", "linux")


def test_the_committed_lock_names_the_broker_and_a_log_binding():
    locked = {jar.artifact: jar.version for jar in jars.locked()}
    assert locked["kafka_2.13"] == jars.VERSION
    assert "log4j-slf4j-impl" in locked


def test_a_lock_reads_back_as_it_was_written():
    assert parse(render([SPECIAL, PLAIN], "made\nby hand")) == (PLAIN, SPECIAL)


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("", "want at least one jar"),
        ("# only a comment", "want at least one jar"),
        (f"{SUM} a:b:1", "line 1 .* want 'sha256  group"),
        (f"{SUM[:-1]}  a:b:1", "line 1 .* want 'sha256  group"),
        (f"{SUM}  a:b", "line 1 .* want 'sha256  group"),
        (f"{SUM}  a:b:1:c:d", "line 1 .* want 'sha256  group"),
        (f"{SUM}  a:b:1\n{SUM}  other:b:1", r"b-1\.jar: want each jar once"),
    ],
)
def test_a_lock_of_another_shape_is_refused(line, wanted):
    with pytest.raises(ValueError, match=wanted):
        parse(line)


def test_jars_as_locked_are_used_without_fetching_anything(tmp_path):
    for jar in (PLAIN, SPECIAL):
        (tmp_path / jar.filename).write_bytes(b"jar")
    asked: list[str] = []
    paths = jars.obtain(tmp_path, [PLAIN, SPECIAL], lambda _done, _all, name: asked.append(name))
    assert paths == [tmp_path / "plain-1.0.jar", tmp_path / "special-1.0-linux.jar"]
    assert asked == []


def test_every_difference_from_the_lock_is_told_at_once(tmp_path):
    (tmp_path / PLAIN.filename).write_bytes(b"another jar")
    (tmp_path / "stranger-1.0.jar").write_bytes(b"jar")
    with pytest.raises(JarsError) as fault:
        jars.verify(tmp_path, [PLAIN, SPECIAL])
    told = str(fault.value)
    assert "special-1.0-linux.jar: missing: want org.example:special:1.0:linux" in told
    assert "stranger-1.0.jar: not in kafka.lock" in told
    assert f"plain-1.0.jar: sha256 {OTHER}: want {SUM}" in told
    assert str(tmp_path) in told


def test_a_changed_jar_in_the_cache_is_never_used(tmp_path):
    (tmp_path / PLAIN.filename).write_bytes(b"another jar")
    with pytest.raises(JarsError, match="remove it and start again"):
        jars.obtain(tmp_path, [PLAIN])


def test_the_cache_is_where_the_environment_says(tmp_path, monkeypatch):
    monkeypatch.setenv("TIDEWATCH_CACHE", str(tmp_path))
    assert jars.cache_directory() == tmp_path / f"kafka-{jars.VERSION}"


def fake_java(path, told: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\necho '{told}' >&2\n")
    path.chmod(0o755)


@pytest.mark.parametrize(
    ("told", "major"),
    [
        ('openjdk version "17.0.15" 2025-04-15', 17),
        ('openjdk version "25" 2025-09-16', 25),
        ('java version "1.8.0_401"', 8),
        ("not a java", 0),
    ],
)
def test_the_major_version_is_read_from_what_java_tells(tmp_path, told, major):
    fake_java(tmp_path / "java", told)
    assert java.version(tmp_path / "java") == major


def test_an_old_java_is_passed_over(tmp_path, monkeypatch):
    fake_java(tmp_path / "old" / "bin" / "java", 'openjdk version "11.0.2"')
    fake_java(tmp_path / "new" / "java", 'openjdk version "21.0.2"')
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "old"))
    monkeypatch.setenv("PATH", f"{tmp_path / 'new'}:/usr/bin:/bin")
    assert java.find() == tmp_path / "new" / "java"
