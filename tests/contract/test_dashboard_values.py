"""What panels answer when workers crash and models move: their own expressions, on made series, by promtool."""

import json
import shutil
import subprocess

import pytest

from tests.dashboards import dashboard, queries, substitute
from tests.require import missing

SUBSTITUTIONS = {"model": "eta", "version": "v1", "__rate_interval": "1m", "__range": "1h"}
WHOLE = 'model="eta",version="v1",slice="all"'
PSI = 'tidewatch_feature_psi{model="eta",version="v1"'


@pytest.fixture
def check(tmp_path):
    """Return what promtool has to say against the answer of a panel's query on series, by name, at a time."""

    def faults(where, series, at, wanted):
        if shutil.which("promtool") is None:
            missing("prometheus", "no promtool on PATH")
        (expr,) = (substitute(one.expr, SUBSTITUTIONS) for one in queries(dashboard()) if one.where == where)
        samples = [{"labels": labels, "value": value} for labels, value in wanted.items()]
        asked = {"expr": expr, "eval_time": at, "exp_samples": samples}
        inputs = [{"series": name, "values": values} for name, values in series.items()]
        case = {"interval": "10s", "input_series": inputs, "promql_expr_test": [asked]}
        path = tmp_path / "case.json"  # JSON is YAML
        path.write_text(json.dumps({"evaluation_interval": "10s", "tests": [case]}), encoding="utf-8")
        ran = subprocess.run(
            ["promtool", "test", "rules", str(path)], capture_output=True, text=True, check=False
        )
        return "" if ran.returncode == 0 else ran.stdout + ran.stderr

    return faults


@pytest.mark.parametrize(
    ("series", "at", "rate"),
    [
        ({"a": "1000000+100x60"}, "5m", 10),
        ({"a": "1000000+100x30 1002500+100x30"}, "5m20s", 0),  # from a checkpoint of 50 s before
        ({"a": "1000000+100x12 stale", "b": "_x12 1001200+100x40"}, "5m", 10),  # moved to another worker
        ({"a": "1000000+100x30 0x30"}, "5m40s", 0),  # its state was given up
    ],
)
def test_a_model_that_goes_on_from_its_checkpoint_has_no_burst_of_predictions(check, series, at, rate):
    inputs = {
        f'tidewatch_model_predictions_total{{{WHOLE},instance="{instance}"}}': values
        for instance, values in series.items()
    }
    where = "Model: $model / Predictions and outcomes A"
    assert check(where, inputs, at, {'{version="v1"}': rate}) == ""


def test_ten_inputs_are_shown_however_many_workers_had_the_model(check):
    farthest = [*range(20, 10, -1)]
    inputs = {
        f'{PSI},feature="f{number}",instance="{instance}"}}': values.replace("N", str(number))
        for number in range(1, 21)
        for instance, values in (("a", "Nx60 stale"), ("b", "_x60 Nx60"))
    }
    wanted = {f'{{version="v1",feature="f{number}"}}': number for number in farthest}
    assert check("Model: $model / Inputs that moved A", inputs, "15m", wanted) == ""


def test_what_a_receiver_was_told_again_and_took_is_no_failed_attempt(check):
    name = "tidewatch_notification_attempts_total"
    reasons = ("accepted", "refresh_accepted", "http_503", "refresh_http_503")
    inputs = {f'{name}{{receiver="am",reason="{reason}"}}': "0+6x30" for reason in reasons}
    wanted = {f'{{receiver="am",reason="{reason}"}}': 36 for reason in reasons[2:]}
    assert check("Pipeline / Waiting notifications and failed attempts B", inputs, "5m", wanted) == ""
