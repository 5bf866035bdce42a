"""What the dashboard and the rules ask of Prometheus, and the asking: every query, on a real server."""

import json
import math
import re
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).parents[1]
DASHBOARD = ROOT / "grafana" / "dashboards" / "fleet.json"
RULES = ROOT / "grafana" / "prometheus" / "rules.yml"
LABEL_VALUES = re.compile(r"label_values\((?P<selector>.+), (?P<label>\w+)\)")
RULE = re.compile(
    r"^ +- (?:record|alert): (?P<name>\S+)\n +expr: (?:\|\n(?P<block>(?: {10}.*\n)+)|(?P<line>.*)\n)",
    re.MULTILINE,
)
STEPS = 30


class Query(NamedTuple):
    """One expression of the dashboard: where it stands, and whether one moment is asked for or a range."""

    where: str
    expr: str
    instant: bool


def dashboard() -> dict[str, Any]:
    """Return the generated file as data."""
    loaded: dict[str, Any] = json.loads(DASHBOARD.read_text(encoding="utf-8"))
    return loaded


def panels(board: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield (row, panel) in reading order, without the rows themselves."""
    row = ""
    for panel in board["panels"]:
        if panel["type"] == "row":
            row = panel["title"]
        else:
            yield row, panel


def queries(board: Mapping[str, Any]) -> list[Query]:
    """Return every PromQL expression: of panels, annotations, and variables (their selector)."""
    return [
        *(
            Query(f"{row} / {panel['title']} {target['refId']}", target["expr"], target.get("instant", False))
            for row, panel in panels(board)
            for target in panel["targets"]
        ),
        *(Query(f"annotation {one['name']}", one["expr"], False) for one in board["annotations"]["list"]),
        *(
            Query(f"variable {one['name']}", LABEL_VALUES.fullmatch(one["query"])["selector"], True)  # type: ignore[index]
            for one in board["templating"]["list"]
            if one["type"] == "query"
        ),
    ]


def rules(text: str) -> dict[str, str]:
    """Return the expression of every rule by its name."""
    return {found["name"]: (found["block"] or found["line"]).strip() for found in RULE.finditer(text)}


def substitute(expr: str, substitutions: Mapping[str, str]) -> str:
    """Put values in the place of ``$name`` and ``${name}``, as Grafana does.

    Raises:
        ValueError: a variable is left that nothing was given for.
    """
    for name, value in sorted(substitutions.items(), key=lambda one: -len(one[0])):
        expr = expr.replace(f"${{{name}}}", value).replace(f"${name}", value)
    left = re.findall(r"\$\{?\w+", expr)
    if left:
        raise ValueError(f"query {expr}: want a value for {', '.join(left)}")
    return expr


def run_every_query(prometheus_url: str, substitutions: Mapping[str, str]) -> dict[str, list[float]]:
    """Ask ``prometheus_url`` every query of the dashboard; return the defined values of each by its place.

    An empty list means that the panel shows nothing: no series, or only undefined values.

    Raises:
        urllib.error.HTTPError: Prometheus refused a query.
    """
    return {
        query.where: ask(prometheus_url, substitute(query.expr, substitutions), query.instant)
        for query in queries(dashboard())
    }


def ask(prometheus_url: str, expr: str, instant: bool) -> list[float]:
    """Return the defined values that ``expr`` has now, or had in the last half minute unless ``instant``."""
    now = time.time()
    if instant:
        found = get(prometheus_url, "query", {"query": expr})["result"]
        values = [series["value"][1] for series in found]
    else:
        span = {"query": expr, "start": f"{now - STEPS}", "end": f"{now}", "step": "1"}
        values = [
            value
            for series in get(prometheus_url, "query_range", span)["result"]
            for _, value in series["values"]
        ]
    return [number for number in map(float, values) if math.isfinite(number)]


def get(prometheus_url: str, path: str, parameters: Mapping[str, str]) -> Any:
    """Return ``data`` of Prometheus' answer."""
    url = f"{prometheus_url}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
    with urllib.request.urlopen(url, timeout=20) as answer:
        return json.load(answer)["data"]
