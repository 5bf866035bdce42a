import asyncio
import re
import shutil
import subprocess

import promql_parser
import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from alerts.telemetry import BookFigures
from alerts.telemetry import Telemetry as PagerTelemetry
from stream.engine.telemetry import EngineTelemetry
from stream.estimate_figures import EstimateFigures, EstimateRow
from stream.feature_figures import FeatureFigures, FeatureRow
from stream.figures.sums import WIDTHS, Sums
from stream.maturity_figures import MaturityFigures, MaturityRow
from stream.model_figures import Families, ModelFigures, ModelRow
from stream.series import new_series
from stream.settings import Settings
from stream.telemetry import PartitionFigures, PartitionRow
from stream.telemetry import Telemetry as WorkerTelemetry
from stream.topic_watch import topic_watch
from stream.window_figures import of_series, of_whole
from tests.dashboards import ROOT, RULES, dashboard, queries, rules, substitute
from tests.require import missing
from tests.unit.stream.test_estimate import played as estimated
from tests.unit.stream.test_maturity import played

SUBSTITUTIONS = {
    "model": "eta",
    "version": "v1|v2",
    "__rate_interval": "1m",
    "__range": "1h",
}
OF_PROMETHEUS = {
    "up": {"job": {"tidewatch-worker", "tidewatch-pager"}},
    "ALERTS": {"alertname": {""}, "alertstate": {"firing"}},
}
TARGET_LABELS = {"job", "instance"}
OPEN_VALUES = {"model", "version", "alertname"}
"""Labels whose values are the user's: any may be asked for."""


def windowed(task):
    """All figures over windows of a version that has some."""
    sums = Sums()
    sums.task = task
    one = new_series(task, 1e-4)
    one.place = sums.windows.allot(WIDTHS[task])
    for number in range(1, 9):
        if task == "regression":
            sums.take((60.0 * number, (one,), 1.0, float(number), None, 1.0))
        else:
            sums.take((60.0 * number, (one,), number > 2, number > 3, number / 10, 1.0))
    return [*of_series(sums, one.place), *of_whole(sums, one.place)]


def worker():
    registry = CollectorRegistry()
    telemetry = WorkerTelemetry(registry, 10)
    engine = EngineTelemetry(registry)
    telemetry.misrouted.labels("billing").inc()
    for gauge in (engine.checkpoint_at, engine.checkpoint_size, engine.restore_seconds):
        gauge.labels("0").set(1)
    engine.lag.labels("tidewatch.predictions", "0").set(1)
    engine.held_back.labels("tidewatch.predictions", "0").set(0)
    engine.lost.labels("tidewatch.predictions").inc()
    rows = [
        ModelRow("eta", "v1", "all", metric, 0.9, 0.8, 10, 10, True, 1.0, windowed(task), 1.0)
        for task, metric in (("classification", "accuracy"), ("regression", "mae"))
    ]
    families = Families()
    for row in rows:
        families.add(row)
    figures = ModelFigures(lambda: (), 10)
    figures.shown = families.metrics(dropped=0)
    registry.register(figures)
    for ranked in (
        FeatureFigures(lambda: [[FeatureRow("eta", "v1", "age", 0.2)]], 10),
        MaturityFigures(lambda: [[MaturityRow("eta", played()[0], 240 * 3_600.0)]], 10),
        EstimateFigures(lambda: [[EstimateRow("eta", "v1", estimated(40))]], 10),
    ):
        asyncio.run(ranked.refresh())
        registry.register(ranked)
    topic_watch(Settings(), registry, reads=(), writes=())
    registry.register(PartitionFigures(lambda: [PartitionRow(0, 1.0, 1, 1, 1, 1, 1, 1, 1)]))
    return registry


def pager():
    registry = CollectorRegistry()
    telemetry = PagerTelemetry(registry, ["hook"])
    telemetry.attempts.labels("hook", "http_500").inc()
    EngineTelemetry(registry).checkpoint_at.labels("0").set(1)
    registry.register(BookFigures(lambda: None, ["maps"], ["hook"]))
    return registry


@pytest.fixture(scope="module")
def exported():
    """Every sample name that the two processes really show, with the values of each label."""
    found = {}
    for registry in (worker(), pager()):
        for family in text_string_to_metric_families(generate_latest(registry).decode()):
            for sample in family.samples:
                labels = found.setdefault(sample.name, {})
                for name, value in sample.labels.items():
                    labels.setdefault(name, set()).add(value)
    return found


@pytest.fixture(scope="module")
def recorded():
    return rules(RULES.read_text(encoding="utf-8"))


def every_expression(recorded):
    asked = {query.where: query.expr for query in queries(dashboard())}
    return {where: substitute(expr, SUBSTITUTIONS) for where, expr in (asked | recorded).items()}


def selectors(expr):
    found = []

    def visit(node):
        if isinstance(node, promql_parser.VectorSelector):
            found.append((node.name, [(one.name, one.op, one.value) for one in node.matchers.matchers]))

    promql_parser.walk(promql_parser.parse(expr), visit)
    return found


def groupings(expr):
    return {
        label
        for labels in re.findall(r"\b(?:by|on|without) \(([^)]*)\)", expr)
        for label in labels.split(", ")
    }


def unknown(expr, exported, recorded):
    """What ``expr`` asks for that nothing exports: names, labels, or fixed values of labels."""
    faults = []
    for name, matchers in selectors(expr):
        labels = (exported | OF_PROMETHEUS).get(name)
        if labels is None:
            faults += [] if name in recorded else [f"nothing exports {name}"]
            continue
        for label, op, value in matchers:
            if label not in labels.keys() | TARGET_LABELS:
                faults.append(f"{name} has no label {label}")
            elif label not in OPEN_VALUES and op in (promql_parser.MatchOp.Equal, promql_parser.MatchOp.Re):
                wanted = value.split("|") if op == promql_parser.MatchOp.Re else [value]
                faults += [f"{name} never has {label}={one}" for one in wanted if one not in labels[label]]
    known = {label for name, _ in selectors(expr) for label in exported.get(name, ())} | TARGET_LABELS
    if not any(name in recorded for name, _ in selectors(expr)):
        faults += [f"no metric has the label {label}" for label in sorted(groupings(expr) - known)]
    return faults


def test_every_query_and_rule_is_promql(recorded):
    for where, expr in every_expression(recorded).items():
        try:
            promql_parser.parse(expr)
        except ValueError as fault:
            pytest.fail(f"{where}: {expr}: {fault}")


def test_every_rule_of_the_file_is_read(recorded):
    text = RULES.read_text(encoding="utf-8")
    assert len(recorded) == len(re.findall(r"^ +- (?:record|alert):", text, re.MULTILINE)) > 10


def test_every_metric_label_and_value_asked_for_is_exported(exported, recorded):
    faults = {
        where: found
        for where, expr in every_expression(recorded).items()
        if (found := unknown(expr, exported, recorded))
    }
    assert faults == {}


@pytest.mark.parametrize(
    ("expr", "fault"),
    [
        ("sum(tidewatch_evens_total)", "nothing exports tidewatch_evens_total"),
        ('tidewatch_events_total{kind="prediction"}', "tidewatch_events_total has no label kind"),
        ('tidewatch_events_total{type="label"}', "tidewatch_events_total never has type=label"),
        ("sum by (reason) (tidewatch_events_total)", "no metric has the label reason"),
    ],
)
def test_a_planted_stranger_is_seen(exported, recorded, expr, fault):
    assert unknown(expr, exported, recorded) == [fault]


def test_every_metric_is_shown_or_judged_somewhere(exported, recorded):
    asked = {name for expr in every_expression(recorded).values() for name, _ in selectors(expr)}
    families = {re.sub(r"_(bucket|count|sum|created|total)$", "", name) for name in asked}
    silent = {re.sub(r"_(bucket|count|sum|created|total)$", "", name) for name in exported} - families
    # what the dashboard leaves to the curious, on purpose
    assert silent == {
        "tidewatch_checkpoint_bytes",
        "tidewatch_findings_received",
        "tidewatch_findings_triaged",
        "tidewatch_partitions_assigned",
    }


def test_every_alert_has_a_summary_and_a_runbook_that_exists():
    blocks = re.split(r"^ +- alert: ", RULES.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
    assert len(blocks) >= 8
    for block in blocks:
        name = block.split()[0]
        path, _, anchor = re.search(r"runbook_url: (\S+)", block)[1].partition("#")
        headings = re.findall(r"^#+ (.+)$", (ROOT / path).read_text(encoding="utf-8"), re.MULTILINE)
        assert "summary: " in block
        assert name.lower() == anchor
        assert name in headings


@pytest.mark.parametrize(
    ("program", "command"),
    [
        ("promtool", ["check", "config", "--lint-fatal", "prometheus.yml"]),
        ("promtool", ["check", "rules", "--lint-fatal", "rules.yml"]),
        ("promtool", ["test", "rules", "rules_test.yml", "rules_day_test.yml", "rules_week_test.yml"]),
        ("amtool", ["check-config", "alertmanager.yml"]),
    ],
)
def test_prometheus_own_tools_accept_the_files(program, command):
    if shutil.which(program) is None:
        missing("prometheus", f"no {program} on PATH")
    ran = subprocess.run(
        [program, *command], cwd=ROOT / "grafana" / "prometheus", capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
