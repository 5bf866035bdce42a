import ast
import subprocess
from pathlib import Path

import pytest

from tests.architecture import faults, module_name, tag_of

ROOT = Path(__file__).parents[1]
MODULES = sorted(
    path.relative_to(ROOT).as_posix()
    for room in ("stream", "alerts", "bench")
    for path in (ROOT / room).rglob("*.py")
)
TAGS = {module_name(path): tag_of(ast.parse((ROOT / path).read_text(encoding="utf-8"))) for path in MODULES}
# joined here so that this file does not name them
HOSTS = [
    ".".join(parts)
    for parts in (
        ("pypi", "org"),
        ("pythonhosted", "org"),
        ("maven", "org"),
        ("maven", "apache", "org"),
        ("debian", "org"),
        ("archive", "ubuntu", "com"),
        ("registry-1", "docker", "io"),
        ("index", "docker", "io"),
        ("hub", "docker", "com"),
        ("npmjs", "org"),
        ("crates", "io"),
        ("golang", "org"),
    )
] + [f"{name}/" for name in ("docker" + ".io", "ghcr" + ".io", "quay" + ".io", "gcr" + ".io")]


def hosts_in(text: str) -> list[str]:
    return [host for host in HOSTS if host in text]


def tracked() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
    return [ROOT / name for name in listed.decode().split("\0") if name and (ROOT / name).is_file()]


@pytest.mark.parametrize("path", MODULES)
def test_every_module_keeps_the_rules(path):
    assert faults(path, (ROOT / path).read_text(encoding="utf-8"), TAGS) == []


def test_the_modules_of_both_rooms_are_looked_at():
    assert {"stream/events.py", "stream/settings.py", "stream/engine/partition.py"} <= set(MODULES)


def test_the_map_names_every_module_of_stream():
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    names = {path.name for path in (ROOT / "stream").glob("[!_]*.py")}
    assert [
        name for name in sorted(names) if f"`{name}`" not in page and f"`stream/{name}`" not in page
    ] == []


def test_no_tracked_file_names_a_registry():
    named = {}
    for path in tracked():
        found = hosts_in(path.read_bytes().decode("utf-8", errors="ignore"))
        if found:
            named[path.relative_to(ROOT).as_posix()] = found
    assert named == {}


def test_a_planted_registry_is_seen():
    assert hosts_in("index-url = https://" + "pypi" + ".org/simple") == ["pypi" + ".org"]
    assert hosts_in("image: " + "ghcr" + ".io/someone/image") == ["ghcr" + ".io/"]
    assert hosts_in("apt-get install docker" + ".io") == []


CORE = '"""Core. A planted module."""\n'
SHELL = '"""Shell. A planted module."""\n'
LONG_FUNCTION = "def long():\n    '''Do much.'''\n" + "    x = 1\n" * 39
PLANTED = [
    ("stream/join.py", CORE + "import time\n", "is Core and imports time"),
    ("stream/join.py", CORE + "from os import path\n", "is Core and imports os.path"),
    ("stream/join.py", CORE + "import asyncio.queues\n", "is Core and imports asyncio.queues"),
    ("stream/join.py", CORE + "def go():\n    '''Go.'''\n    import random\n", "is Core and imports random"),
    (
        "stream/join.py",
        CORE + "from stream.app import run\n",
        "is Core and imports stream.app.run, which is Shell",
    ),
    (
        "stream/join.py",
        CORE + "from stream.settings import load\n",
        "is Core and imports stream.settings.load, which is Edge",
    ),
    ("stream/join.py", CORE + "import uuid\n", "is Core and imports uuid"),
    ("stream/join.py", CORE + "from secrets import token_hex\n", "is Core and imports secrets.token_hex"),
    ("stream/join.py", CORE + "import socket\n", "is Core and imports socket"),
    ("stream/join.py", CORE + "import subprocess\n", "is Core and imports subprocess"),
    ("stream/join.py", CORE + "from datetime import datetime\nx = datetime.now()\n", "reads the clock"),
    ("stream/join.py", CORE + "import datetime\nx = datetime.date.today\n", "reads the clock"),
    ("stream/demo/receiver.py", SHELL + "import httpx\n", "httpx is used only in"),
    ("stream/join.py", CORE + "from stream import app\n", "is Core and imports stream.app, which is Shell"),
    ("stream/app.py", SHELL + "import alerts\n", "stream knows nothing of alerts"),
    ("stream/app.py", SHELL + "from alerts.app import pager\n", "stream knows nothing of alerts"),
    ("alerts/triage.py", SHELL + "from stream.monitor import x\n", "alerts takes from stream only"),
    ("alerts/triage.py", SHELL + "from stream import join\n", "alerts takes from stream only"),
    ("alerts/triage.py", SHELL + "import httpx\n", "httpx is used only in"),
    ("stream/app.py", SHELL + "from httpx import Client\n", "httpx is used only in"),
    ("stream/app.py", SHELL + "from .join import x\n", "import at line 2 is relative"),
    ("stream/app.py", SHELL + "from . import join\n", "import at line 2 is relative"),
    ("stream/app.py", "x = 1\n", "docstring begins ''"),
    ("stream/app.py", '"""The app."""\n', "docstring begins 'The'"),
    ("stream/utils.py", SHELL, "module name 'utils' says nothing"),
    ("alerts/common/__init__.py", SHELL, "module name 'common' says nothing"),
    ("stream/app.py", SHELL + "#\n" * 300, "301 lines: want at most 300"),
    ("stream/app.py", SHELL + LONG_FUNCTION, "long has 41 lines: want at most 40"),
    ("stream/app.py", SHELL + "def go():\n    return 1\n", "go has no docstring"),
    (
        "stream/app.py",
        SHELL + "class A:\n    '''A.'''\n    def go(self):\n        return 1\n",
        "A.go has no docstring",
    ),
]
ALLOWED = [
    ("stream/join.py", CORE + "import math\nfrom stream.events import Prediction\n"),
    ("stream/app.py", SHELL + "import asyncio\nimport faust\n"),
    ("alerts/triage.py", CORE + "from stream.events import Finding\n"),
    ("alerts/app.py", SHELL + "from stream.engine.driver import x\nfrom stream import events\n"),
    ("alerts/http.py", SHELL + "import httpx\n"),
    ("stream/join.py", CORE + "from datetime import UTC, datetime\nx = datetime.fromtimestamp(0, UTC)\n"),
    ("stream/app.py", SHELL + LONG_FUNCTION.replace("    x = 1\n", "", 1)),
    ("stream/app.py", SHELL + "def _go():\n    return 1\nclass _A:\n    def go(self):\n        return 1\n"),
]
PLANTED_TAGS = {"stream.app": "Shell.", "stream.events": "Core.", "stream.settings": "Edge."}


@pytest.mark.parametrize(("path", "source", "fault"), PLANTED)
def test_a_planted_fault_is_seen(path, source, fault):
    found = faults(path, source, PLANTED_TAGS)
    assert len(found) == 1
    assert fault in found[0]
    assert found[0].startswith(f"{path}: ")


@pytest.mark.parametrize(("path", "source"), ALLOWED)
def test_what_is_allowed_has_no_fault(path, source):
    assert faults(path, source, PLANTED_TAGS) == []
