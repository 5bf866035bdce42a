"""docs/settings.md lists every setting with its default, and nothing else."""

import re
from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel

from stream.settings import Settings, TopicSettings

PAGE = Path(__file__).parents[2] / "docs" / "settings.md"
ROW = re.compile(r"^\| `([a-z]+\.[a-z_]+)` \| (.+?) \| (.+?) \|$", re.MULTILINE)


def written(value: object) -> str:
    if value is None:
        return "none"
    if isinstance(value, tuple):
        return ",".join(map(str, value)) or "none"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def defaults() -> Iterator[tuple[str, str]]:
    for section, field in Settings.model_fields.items():
        made = TopicSettings.model_validate({}) if section == "topics" else field.default
        assert isinstance(made, BaseModel)
        for name in type(made).model_fields:
            yield f"{section}.{name}", written(getattr(made, name))


def test_every_setting_is_listed_once_with_its_default():
    listed = [(name, default) for name, default, _ in ROW.findall(PAGE.read_text(encoding="utf-8"))]
    assert sorted(listed) == sorted(defaults())


def test_every_setting_says_when_to_change_it():
    reasons = {name: reason for name, _, reason in ROW.findall(PAGE.read_text(encoding="utf-8"))}
    assert all(len(reason) > 5 for reason in reasons.values())
    assert reasons.keys() == dict(defaults()).keys()
