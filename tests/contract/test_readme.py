"""README and the pages beside it: what they show can be pasted, also next year."""

import os
import re
import subprocess
import time
import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner

from alerts.config import load
from stream.check import check_events
from stream.cli import SUMMARIES
from stream.inspect import COUNTS
from tests.unit.alerts.samples import ROUTING_KEY, SECRET

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
YEAR_S = 365 * 86_400


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("later_s", [0, 5 * YEAR_S])
def test_the_sample_events_pass_whenever_they_are_made(tmp_path, later_s):
    (script,) = (block for block in blocks(README, "sh") if "check-events" in block)
    now = int(time.time()) + later_s
    (tmp_path / "date").write_text(f"#!/bin/sh\necho {now}\n")
    (tmp_path / "date").chmod(0o755)
    making = script.partition("tidewatch check-events")[0]
    path = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    subprocess.run(["sh", "-c", making], cwd=tmp_path, env=os.environ | path, check=True)
    options = ["--received-at", time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now))]
    answer = CliRunner().invoke(check_events, [str(tmp_path / "events.jsonl"), *options])
    assert answer.output == "3 lines: 1 predictions, 1 outcomes, 1 rollouts; faults: 0; warnings: 0\n"


@pytest.mark.parametrize("page", ["README.md", "docs/owners.md"])
def test_the_sample_owners_can_be_used_as_they_stand(tmp_path, page):
    (sample,) = blocks((ROOT / page).read_text(encoding="utf-8"), "toml")
    (tmp_path / "secret").write_text(SECRET)
    file = tmp_path / "owners.toml"
    file.write_text(re.sub(r'"/run/secrets/[^"]*"', f'"{tmp_path / "secret"}"', sample), encoding="utf-8")
    roster = load(file, {"MAPS_HOOK_SECRET": SECRET, "MAPS_PD": ROUTING_KEY})
    assert roster.owners.owners[0].receivers


def test_the_commented_sample_says_what_the_readme_does():
    text = (ROOT / "docs/examples/owners.toml").read_text(encoding="utf-8")
    commented = tomllib.loads("\n".join(re.findall(r"^# (\[.*|\w+ = .*)$", text, re.MULTILINE)))
    (shown,) = map(tomllib.loads, blocks(README, "toml"))
    assert commented["owner"] == shown["owner"]
    assert commented["receiver"][0].keys() == shown["receiver"][0].keys()
    assert commented["receiver"][0]["secret_env"] == shown["receiver"][0]["secret_env"]


def test_every_command_and_target_that_is_shown_exists():
    targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    shown = "\n".join(re.findall(r"^```\w*\n.*?^```|`[^`\n]+`", README, re.DOTALL | re.MULTILINE))
    assert set(re.findall(r"(?:^|[`&] ?)tidewatch ([a-z-]+)", shown, re.MULTILINE)) <= SUMMARIES.keys()
    assert set(re.findall(r"(?:^|`)make ([a-z]+)", shown, re.MULTILINE)) <= set(targets)


def test_every_field_of_the_figures_is_described():
    text = (ROOT / "docs/running.md").read_text(encoding="utf-8").partition("## Looking into it")[2]
    source = (ROOT / "stream/inspect.py").read_text(encoding="utf-8")
    named = {*COUNTS, *re.findall(r'"([a-z_]+)":', source)}
    assert {"offsets", "degraded", "loss_total"} < named
    assert named <= set(re.findall(r"`([a-z_]+)`", text))


PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("bench/*.md")])


def anchors(page: Path) -> set[str]:
    """Return the anchors that GitHub gives to a page's headings."""
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page):
    for link in re.findall(r"\]\(([^)\s:]+)\)", page.read_text(encoding="utf-8")):
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


PAGES = sorted(
    [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("bench/*.md"), *ROOT.glob("stream/**/*.md")]
)
WIDTH = 120


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_prose_is_wrapped_so_that_a_change_shows_in_few_lines(page):
    """Tables, code and what begins with a brace or four spaces can't be."""
    prose = re.sub(r"^( *)```.*?^\1```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    lines = [line for line in prose.splitlines() if not re.match(r" *\||    ", line)]
    wide = [line for line in lines if len(line) > WIDTH]
    assert wide == []
