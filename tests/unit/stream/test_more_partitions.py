"""A worker that is given a partition beyond its setting says so: what comes there belongs elsewhere."""

from pathlib import Path

from structlog.testing import capture_logs

from stream.app import build
from stream.settings import Settings


def said(number: int, folder: Path) -> list[str]:
    app = build(Settings(topics={"partitions": 2}, worker={"data_dir": folder}))
    with capture_logs() as logs:
        app.keeper._custody.factory(number, lambda: None).close()
    return [line["event"] for line in logs]


def test_a_partition_beyond_the_setting_is_told(tmp_path):
    assert said(2, tmp_path) == ["more partitions"]


def test_those_of_the_setting_are_not(tmp_path):
    assert said(1, tmp_path) == []
