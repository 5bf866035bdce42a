"""Replay: event files in, the same findings every time out."""

import gzip
import json
import os
import re
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from click.testing import CliRunner

from stream.cli import main
from stream.replay.kafka import Range
from stream.replay.reading import Source
from stream.replay.source import lines
from stream.wire import MAX_BYTES


def told(*args, code=0):
    result = CliRunner().invoke(main, [str(arg) for arg in args], env={"TIDEWATCH_CONFIG": ""})
    assert result.exit_code == code, result.output
    return result.output


def rows(*args):
    return [json.loads(line) for line in told(*args).splitlines()]


def write(path, events, *, worse_from=None, first=0, seed=1):
    rng = np.random.default_rng(seed)
    out = []
    for i in range(first, first + events):
        city = ("lagos", "lima")[rng.integers(2)]
        hurt = worse_from is not None and i >= worse_from and city == "lima"
        wrong = bool(rng.random() < (0.4 if hurt else 0.1))
        base = {"prediction_id": str(i), "model": "m"}
        said = {"version": "v1", "prediction": True, "slices": {"city": city}}
        out.append({"type": "prediction", "at": 1_700_000_000 + 60 * i} | base | said)
        out.append({"type": "outcome", "at": 1_700_000_030 + 60 * i, "outcome": not wrong} | base)
    text = "".join(json.dumps(one) + "\n" for one in out)
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


def test_the_summary_has_a_verdict_on_each_version(tmp_path):
    first, second = (write(tmp_path / f"{seed}.jsonl", 2_500, seed=seed) for seed in (1, 2))
    path = tmp_path / "both.jsonl"
    path.write_text(
        first.read_text()
        + re.sub(r'"(\d+)", "model"', r'"b\1", "model"', second.read_text()).replace("v1", "v2")
    )
    (*_, summary) = rows("replay", path, "--order", "at", "--json")
    verdicts = {name: one["verdict"] for name, one in summary["models"]["m"].items()}
    assert {name: (one["decision"], one["other"]["version"]) for name, one in verdicts.items()} == {
        "v1": ("hold", "v2"),
        "v2": ("hold", "v1"),
    }
    assert verdicts["v1"]["difference"]["value"] == pytest.approx(-verdicts["v2"]["difference"]["value"])
    alone = rows("replay", first, "--json")[-1]["models"]["m"]["v1"]["verdict"]
    assert (alone["reason"], alone["other"], alone["difference"]["value"]) == ("alone", None, None)


def test_harm_is_found_in_its_slice_and_the_summary_counts_everything(tmp_path):
    *findings, summary = rows("replay", write(tmp_path / "e.jsonl.gz", 6_000, worse_from=4_000), "--json")
    assert [(one["kind"], one["state"], one["slice"]) for one in findings] == [
        ("finding", "open", "city=lima")
    ]
    assert abs(findings[0]["onset_at"] - (1_700_000_000 + 60 * 4_000)) < 60 * 100
    assert summary["kind"] == "summary"
    assert summary["events"] == {"outcomes": 6_000, "predictions": 6_000, "rollouts": 0}
    assert summary["joined"] == {"matched": 6_000}
    assert summary["pages"] == 1
    assert summary["models"]["m"]["v1"]["has_open_finding"], "of city=lima, not of all"
    assert summary["pages_per_week"] == pytest.approx(1 / (6_000 * 60 / 604_800), rel=0.01)
    one = summary["models"]["m"]["v1"]
    since = one["windows"]["rollout"]["accuracy"]
    assert since["value"] == pytest.approx(one["value"])
    assert since["lower"] < since["value"] < since["upper"]
    assert since["count"] == 6_000
    assert one["windows"]["7d"] == one["windows"]["rollout"]  # it is 4 days long
    assert 24 * 60 <= one["windows"]["24h"]["accuracy"]["count"] <= 36 * 60
    assert "log_loss" not in one["windows"]["rollout"]


def test_the_summary_says_what_accuracy_scores_let_expect_and_how_estimates_did(tmp_path):
    path, rng = tmp_path / "e.jsonl", np.random.default_rng(1)
    events = [json.loads(line) for line in write(path, 6_000).read_text().splitlines()]
    scores = np.repeat(rng.choice([0.6, 0.95], 6_000), 2)
    for event, score in zip(events, scores, strict=True):
        if event["type"] == "prediction":
            event["scores"] = score
        else:
            event["outcome"] = bool(rng.random() < score)
    path.write_text("".join(json.dumps(one) + "\n" for one in events))
    (tmp_path / "hours.toml").write_text("[worker]\nlabel_horizon_s = 28800\n")
    *_, summary = rows("replay", path, "--config", tmp_path / "hours.toml", "--json")
    found = summary["models"]["m"]["v1"]["estimate"]
    made, held = found["estimated"], found["held"]
    assert made["lower"] < 0.775 < made["upper"]
    assert 60 < made["predictions"] <= 180
    assert held["batches"] > 20
    assert held["covered"] / held["batches"] > 0.8
    assert abs(held["mean_error"]) < held["mean_absolute_error"] < 0.1
    assert held["newest"]["estimated"]["predictions"] >= 100
    *_, plain = rows("replay", write(tmp_path / "plain.jsonl", 100), "--json")
    assert plain["models"]["m"]["v1"]["estimate"] is None


def test_same_input_gives_the_same_bytes(tmp_path):
    path = write(tmp_path / "e.jsonl", 5_000, worse_from=4_000)
    assert told("replay", path, "--json") == told("replay", path, "--json")


def test_the_text_says_the_figures_of_each_version(tmp_path):
    said = told("replay", write(tmp_path / "e.jsonl", 300))
    assert re.search(r"^m v1: accuracy 0\.\d+ \(0\.\d+ to 0\.\d+\), balanced_accuracy ", said, re.MULTILINE)


def test_order_by_time_mends_a_shuffled_file(tmp_path):
    path = write(tmp_path / "e.jsonl", 5_000, worse_from=4_000)
    lines = path.read_text().splitlines(keepends=True)
    shuffled = tmp_path / "s.jsonl"
    shuffled.write_text("".join(np.random.default_rng(1).permutation(lines)))
    assert told("replay", shuffled, "--json", "--order", "at") == told("replay", path, "--json")


def test_summary_knows_an_open_finding_of_what_is_judged_beside_the_errors(tmp_path):
    path, rng = tmp_path / "e.jsonl", np.random.default_rng(1)
    events = [json.loads(line) for line in write(path, 4_000).read_text().splitlines()]
    for place, event in enumerate(events):
        if event["type"] == "prediction":
            event["scores"] = float(0.9 if place < 4_000 else 0.9999)
        else:
            event["outcome"] = bool(rng.random() < 0.9)
    path.write_text("".join(json.dumps(one) + "\n" for one in events))
    *findings, summary = rows("replay", path, "--json")
    assert {(one["state"], one["slice"]) for one in findings} == {("open", "all")}
    assert "accuracy" not in {one["metric"] for one in findings}
    assert summary["models"]["m"]["v1"]["has_open_finding"]


def test_weeks_are_those_of_predictions_also_without_labels(tmp_path):
    path = write(tmp_path / "e.jsonl", 3_000)
    said = [line for line in path.read_text().splitlines(keepends=True) if '"prediction":' in line]
    path.write_text("".join(reversed(said)))
    (summary,) = rows("replay", path, "--json")
    assert summary["weeks"] == pytest.approx(2_999 * 60 / 604_800)
    assert summary["pages_per_week"] == 0.0
    assert not summary["models"]["m"]["v1"]["has_open_finding"]
    path.write_text(said[0])
    (summary,) = rows("replay", path, "--json")
    assert summary["weeks"] is summary["pages_per_week"] is None


def test_lines_may_be_cloud_events_whose_source_is_named(tmp_path):
    plain = write(tmp_path / "e.jsonl", 6_000, worse_from=4_000)
    enveloped = tmp_path / "c.jsonl"
    with enveloped.open("w") as out:
        for place, line in enumerate(plain.read_text().splitlines()):
            source = "/checkout/2.4" if place >= 2 * 4_000 else "/checkout/2.3"
            out.write(json.dumps({"specversion": "1.0", "source": source, "data": json.loads(line)}) + "\n")
    found, named = rows("replay", plain, "--json"), rows("replay", enveloped, "--json")
    causes = [one for one in named[0]["causes"] if "producer" in one]
    assert [one.rpartition(",")[0] for one in causes] == [
        f"new producer of {what} /checkout/2.4" for what in ("predictions", "outcomes")
    ]
    named[0]["causes"] = [one for one in named[0]["causes"] if one not in causes]
    assert named[0] | {"summary": ""} == found[0] | {"summary": ""}
    for (*_, summary), finding in ((named, named[0]), (found, found[0])):
        open_one = summary["models"]["m"]["v1"]["verdict"].pop("finding")
        assert open_one["id"] == finding["id"]  # its causes are those of the finding
    assert named[1:] == found[1:]
    assert [*map(json.dumps, rows("replay", enveloped, "--json", "--order", "at"))] == [
        *map(json.dumps, rows("replay", enveloped, "--json"))
    ]
    built = [tmp_path / "plain.json", tmp_path / "enveloped.json"]
    for path, into in zip((plain, enveloped), built, strict=True):
        told("reference", "build", path, "--output", into)
    assert built[0].read_bytes() == built[1].read_bytes()


def test_a_time_that_is_a_mistake_ends_no_waiting(tmp_path):
    path = write(tmp_path / "e.jsonl", 400)
    lines = path.read_text().splitlines(keepends=True)
    wrong = json.dumps(json.loads(lines[0]) | {"prediction_id": "x", "at": 1_700_000_000_000_000}) + "\n"
    path.write_text("".join([*lines[:10], wrong, *lines[10:]]))
    (summary,) = rows("replay", path, "--json")
    assert summary["refused"] == {"absurd_time": 1}
    assert summary["joined"] == {"matched": 400}


def test_text_says_what_became_of_the_lines(tmp_path):
    path = write(tmp_path / "e.jsonl", 2_000)
    said = told("replay", path)
    assert "joined: 2,000 matched\nrefused: none\n" in said
    predicted, happened = (
        [line for line in path.read_text().splitlines(keepends=True) if f'"type": "{kind}"' in line]
        for kind in ("prediction", "outcome")
    )
    path.write_text("".join([*happened[-1:], *predicted, *happened[:-1]]))
    config = tmp_path / "c.toml"
    config.write_text("[worker]\nlabel_horizon_s = 600.0\n")
    assert "see --order at" in told("replay", path, "--config", config)
    assert "2,000 matched" in told("replay", path, "--config", config, "--order", "at")


def test_an_output_without_a_folder_is_refused_before_anything_is_read(tmp_path):
    said = told(
        "reference", "build", write(tmp_path / "e.jsonl", 300), "--output", tmp_path / "x" / "r.json", code=2
    )
    assert "there is no folder" in said


@pytest.mark.parametrize("place", [17, 1_500, -6], ids=["its first block", "its middle", "its sum"])
def test_a_broken_gzip_file_is_named_by_every_command_that_reads_it(tmp_path, place):
    path = write(tmp_path / "e.jsonl.gz", 300)
    broken = bytearray(path.read_bytes())
    broken[place] = 0x07 if place == 17 else broken[place] ^ 0x55
    path.write_bytes(broken)
    for command in ("check-events", "replay", "reference build"):
        assert f"{path}: can't be read to its end" in told(*command.split(), path, code=2)


def test_a_pipe_is_read_as_its_file(tmp_path):
    for path in (write(tmp_path / "e.jsonl", 300), write(tmp_path / "e.jsonl.gz", 300)):
        pipe = tmp_path / f"{path.name}.pipe"
        os.mkfifo(pipe)
        with ThreadPoolExecutor() as writers:
            writers.submit(pipe.write_bytes, path.read_bytes())
            said = told("replay", pipe, "--json")
        assert json.loads(said)["joined"] == {"matched": 300}


def test_a_line_without_an_end_is_never_held_whole(tmp_path):
    path = write(tmp_path / "e.jsonl", 10)
    path.write_bytes(b"x" * (20 * MAX_BYTES) + b"\n" + path.read_bytes())
    assert max(len(line.value) for line in lines([path], lambda _: None)) == MAX_BYTES + 2
    (summary,) = rows("replay", path, "--json")
    assert summary["refused"] == {"oversize": 1}
    assert summary["joined"] == {"matched": 10}


def test_an_output_that_can_not_be_written_is_told(tmp_path):
    said = told("reference", "build", write(tmp_path / "e.jsonl", 300), "--output", "/proc/none", code=1)
    assert said.endswith("Error: --output /proc/none: No such file or directory\n")


def test_refused_lines_are_counted_by_reason(tmp_path):
    path = write(tmp_path / "e.jsonl", 10)
    path.write_text(path.read_text() + "nonsense\n\n" + '{"type":"prediction"}\n')
    (summary,) = rows("replay", path, "--json")
    assert sum(summary["refused"].values()) == 2


def test_a_replay_takes_as_many_models_as_all_partitions_do(tmp_path):
    path = tmp_path / "e.jsonl"
    one = {
        "type": "prediction",
        "prediction_id": "p",
        "version": "v",
        "prediction": True,
        "at": 1_700_000_000,
    }
    path.write_text("".join(json.dumps(one | {"model": f"m-{n}"}) + "\n" for n in range(7)))
    config = tmp_path / "c.toml"
    config.write_text("[worker]\nmodel_budget = 2\n[topics]\npartitions = 3\n")
    (summary,) = rows("replay", path, "--config", config, "--json")
    assert summary["refused"] == {"too_many_models": 1}
    assert summary["events"]["predictions"] == 6
    assert "worker.model_budget" in told("replay", path, "--config", config)
    assert "worker.model_budget" not in told("replay", path)


def test_reference_is_built_and_judges_from_the_first_label(tmp_path):
    built = tmp_path / "reference.json"
    told("reference", "build", write(tmp_path / "h.jsonl", 5_000), "--output", built)
    known = json.loads(built.read_bytes())["m"]
    assert known["all"]["losses"] == 5_000
    assert known["city=lima"]["losses"] + known["city=lagos"]["losses"] == 5_000
    config = tmp_path / "c.toml"
    config.write_text(f'[monitor]\nreference = "{built}"\n')
    hurt = write(tmp_path / "e.jsonl", 250, worse_from=0, seed=2)
    assert [one["state"] for one in rows("replay", hurt, "--config", config, "--json")[:-1]] == ["open"]
    assert rows("replay", hurt, "--json")[:-1] == []


def test_diff_says_what_other_settings_change(tmp_path):
    path = write(tmp_path / "e.jsonl", 6_000, worse_from=4_000)
    calm, strict = tmp_path / "calm.toml", tmp_path / "strict.toml"
    calm.write_text("[monitor]\nminimum_increase = 9.0\n")
    strict.write_text("[monitor]\nminimum_increase = 0.2\n")
    *changes, summary = rows("replay", "diff", calm, strict, path)
    assert [(one["change"], one["after"]["slice"]) for one in changes] == [("added", "city=lima")]
    assert summary == {"kind": "summary", "removed": 0, "added": 1, "changed": 0, "same": 0}


def test_diff_reads_twice_and_wants_no_pipe(tmp_path):
    config, pipe = tmp_path / "c.toml", tmp_path / "pipe"
    config.write_text("")
    os.mkfifo(pipe)
    assert f"{pipe}: is read twice: want a file" in told("replay", "diff", config, config, pipe, code=2)


def test_diff_ends_a_range_of_kafka_where_it_began_to_read():
    growing = Source((), Range(10.0, None), "arrival")
    assert growing.repeatable(now=50.0).within == Range(10.0, 50.0)
    ended = Source((), Range(10.0, 20.0), "arrival")
    assert ended.repeatable(now=50.0) == ended


def test_a_range_that_ends_before_it_begins_is_told():
    since, until = "2026-01-02T00:00:00Z", "2026-01-02T01:00:00+02:00"
    said = told("replay", "--kafka", "--since", since, "--until", until, code=2)
    assert f"--until {until}: want an instant after --since {since}" in said


def test_validate_names_a_certificate_that_can_not_be_read(tmp_path):
    config = tmp_path / "c.toml"
    config.write_text('[kafka]\nsecurity_protocol = "SSL"\nssl_cafile = "none.pem"\n')
    assert "kafka.ssl_cafile 'none.pem': " in told("validate", config, code=78)


def test_validate_names_every_fault_at_once(tmp_path):
    config = tmp_path / "c.toml"
    config.write_text("[monitor]\nwarmup = 1\nfalse_pages_per_week = 0\n")
    faults = told("validate", config, code=78)
    assert "monitor.warmup" in faults
    assert "monitor.false_pages_per_week" in faults
    config.write_text('[monitor]\nreference = "none.json"\n')
    assert "want a file that tidewatch reference build wrote" in told("validate", config, code=78)
    config.write_text("")
    assert told("validate", config).endswith("no faults\n")


def test_validate_names_inputs_that_are_kept_too_short_beside_other_faults(tmp_path):
    config = tmp_path / "c.toml"
    config.write_text("[topics]\nretention_s = 10\npartitions = 0\n[worker]\nlabel_horizon_s = 864000\n")
    faults = told("validate", config, code=78)
    assert "topics.retention_s 10: want at least 3459600, 4 x worker.label_horizon_s" in faults
    assert "topics.partitions 0" in faults
    config.write_text("[topics]\nretention_s = -1\n")
    (fault,) = told("validate", config, code=78).splitlines()
    assert "topics.retention_s -1" in fault
    config.write_text("[topics]\nretention_s = 3459600\n[worker]\nlabel_horizon_s = 864000\n")
    assert told("validate", config).endswith("no faults\n")


def known(lost):
    return {"task": "classification", "cut": 0.5, "losses": 10, "lost": lost, "total": 1, "inflation": 1}


def test_validate_names_every_faulty_entry_of_references(tmp_path):
    made, config = tmp_path / "reference.json", tmp_path / "c.toml"
    made.write_text(json.dumps({"m": {"all": known(11), "city=lima": known(1)}, "n": {"all": known(12)}}))
    config.write_text('[monitor]\nreference = "reference.json"\n')
    for path in (config, made):
        faults = told("validate", path, code=78)
        assert "m, all: lost 11 of 10" in faults
        assert "n, all: lost 12 of 10" in faults
        assert "lima" not in faults


def test_validate_knows_a_file_of_references_by_itself(tmp_path):
    made = tmp_path / "reference.json"
    made.write_text("\n" + json.dumps({"m": {"all": known(1)}}))
    assert told("validate", made).splitlines() == [f"{made}: references of 1 models", f"{made}: no faults"]
