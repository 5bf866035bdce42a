import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.engine.connection import client_options
from stream.judge.objective import Objective
from stream.settings import KafkaSettings, Settings, SettingsError, TopicSettings, load, strangers
from stream.variables import without_settings


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch):
    import os

    for name in os.environ:
        if name.startswith("TIDEWATCH_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("TIDEWATCH_CONFIG", "")


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_without_anything_the_defaults_are_used():
    assert load() == Settings()


def test_the_environment_wins_over_the_file(tmp_path, monkeypatch):
    file = write(tmp_path / "t.toml", '[kafka]\nbrokers = ["file:1"]\n[topics]\npartitions = 16\n')
    monkeypatch.setenv("TIDEWATCH_KAFKA_BROKERS", "one:1, two:2")
    settings = load(file)
    assert settings.kafka.brokers == ("one:1", "two:2")
    assert settings.topics.partitions == 16


def test_a_name_with_underscores_is_set_from_the_environment(monkeypatch):
    monkeypatch.setenv("TIDEWATCH_WORKER_LABEL_HORIZON_S", "60")
    monkeypatch.setenv("TIDEWATCH_TOPICS_DEAD_LETTERS", "refused")
    assert load().worker.label_horizon_s == 60
    assert load().topics.dead_letters == "refused"


def test_all_faults_are_told_at_once(monkeypatch):
    monkeypatch.setenv("TIDEWATCH_TOPICS_PARTITIONS", "0")
    monkeypatch.setenv("TIDEWATCH_WORKER_PORT", "many")
    with pytest.raises(SettingsError) as faults:
        load()
    assert "topics.partitions '0'" in str(faults.value)
    assert "worker.port 'many'" in str(faults.value)


@pytest.mark.parametrize("broker", ["a:port", "a:0", "a:65536", "http://a:9092", "a b:1", ":9092", "::1"])
def test_a_broker_that_is_no_address_is_told(monkeypatch, broker):
    monkeypatch.setenv("TIDEWATCH_KAFKA_BROKERS", f"right:9092,{broker}")
    with pytest.raises(SettingsError, match=r"kafka\.brokers\.1 .*: want a host and its port"):
        load()


@pytest.mark.parametrize("broker", ["kafka-1.my_net:9092", "10.0.0.1:1", "[::1]:9092", "localhost"])
def test_a_broker_has_a_host_and_may_have_a_port(broker):
    assert KafkaSettings(brokers=(broker,)).brokers == (broker,)


def test_a_number_that_is_not_finite_is_told(monkeypatch):
    monkeypatch.setenv("TIDEWATCH_TOPICS_RETENTION_S", "inf")
    monkeypatch.setenv("TIDEWATCH_WORKER_LABEL_HORIZON_S", "nan")
    with pytest.raises(SettingsError) as faults:
        load()
    assert "topics.retention_s 'inf'" in str(faults.value)
    assert "worker.label_horizon_s 'nan'" in str(faults.value)


def test_a_topic_of_two_purposes_or_without_a_name_is_told(tmp_path):
    with pytest.raises(SettingsError) as faults:
        load(write(tmp_path / "t.toml", "[topics]\noutcomes = 'a'\nfindings = 'a'\nincidents = 'b c'\n"))
    findings, incidents = str(faults.value).splitlines()
    assert findings == "settings: topics.findings 'a': is topics.outcomes already: want a topic of its own"
    assert incidents.startswith("settings: topics.incidents 'b c': want a name that Kafka takes")


@pytest.mark.parametrize("name", ["TIDEWATCH_KAFKA", "TIDEWATCH_MONITOR_OBJECTIVE"])
def test_a_variable_that_is_no_json_is_told_without_its_value(monkeypatch, name):
    monkeypatch.setenv(name, "{hidden")
    with pytest.raises(SettingsError) as fault:
        load()
    assert str(fault.value) == f"settings: {name}: want JSON, or a variable for each setting in it"


def test_a_misspelt_field_is_told(tmp_path):
    with pytest.raises(SettingsError, match=r"kafka\.brokkers"):
        load(write(tmp_path / "t.toml", '[kafka]\nbrokkers = ["a:1"]\n'))


def test_a_setting_that_does_not_exist_is_told_with_the_ones_that_do(monkeypatch, tmp_path):
    monkeypatch.setenv("TIDEWATCH_PAGER_PROT", "1")
    with pytest.raises(SettingsError) as fault:
        load(write(tmp_path / "t.toml", "[wroker]\nport = 1\n"))
    first, second = sorted(str(fault.value).splitlines())
    assert first.startswith('settings: pager.prot: no such setting; did you mean "port"? want one of ')
    assert "checkpoint_interval_s, group, host, " in first
    assert second == (
        'settings: wroker: no such setting; did you mean "worker"? '
        "want one of kafka, monitor, pager, topics, worker"
    )


def test_a_file_that_is_not_there_or_not_toml_is_named(tmp_path):
    with pytest.raises(SettingsError, match="no such file"):
        load(tmp_path / "none.toml")
    with pytest.raises(SettingsError, match=r"t\.toml"):
        load(write(tmp_path / "t.toml", "[kafka\n"))


def test_a_file_that_is_not_utf_8_is_named(tmp_path):
    (tmp_path / "t.toml").write_bytes(b'[kafka]\nbrokers = ["\xff"]\n')
    with pytest.raises(SettingsError, match=r"t\.toml.*utf-8"):
        load(tmp_path / "t.toml")


def test_a_password_file_that_can_not_be_read_is_named_with_all_other_faults(tmp_path, monkeypatch):
    monkeypatch.setenv("TIDEWATCH_KAFKA_SECURITY_PROTOCOL", "SASL_SSL")
    monkeypatch.setenv("TIDEWATCH_KAFKA_SASL_USERNAME", "watcher")
    monkeypatch.setenv("TIDEWATCH_KAFKA_SASL_PASSWORD_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("TIDEWATCH_TOPICS_PARTITIONS", "0")
    with pytest.raises(SettingsError, match=r"sasl_password_file '.*none': No such file") as faults:
        load()
    assert "topics.partitions '0'" in str(faults.value)
    (tmp_path / "none").write_bytes(b"hush\xff")
    with pytest.raises(SettingsError, match="not UTF-8 text") as faults:
        load()
    assert "hush" not in str(faults.value)


def test_no_fault_shows_a_password(monkeypatch):
    monkeypatch.setenv("TIDEWATCH_KAFKA_SASL_PASSWORD", "hush")
    monkeypatch.setenv("TIDEWATCH_KAFKA_SECURITY_PROTOCOL", "NONSENSE")
    with pytest.raises(SettingsError) as faults:
        load()
    assert "hush" not in str(faults.value)
    assert "hush" not in repr(KafkaSettings(sasl_password="hush"))


def test_sasl_without_a_user_is_told(monkeypatch):
    monkeypatch.setenv("TIDEWATCH_KAFKA_SECURITY_PROTOCOL", "SASL_SSL")
    with pytest.raises(SettingsError, match="want sasl_username and sasl_password"):
        load()


def test_sasl_without_a_user_is_told_with_the_other_faults_of_its_section(tmp_path):
    wrong = '[kafka]\nsecurity_protocol = "SASL_SSL"\nstartup_timeout_s = -1\nbrokkers = []\n'
    with pytest.raises(SettingsError) as faults:
        load(write(tmp_path / "t.toml", wrong))
    assert "security_protocol SASL_SSL: want sasl_username and sasl_password" in str(faults.value)
    assert "kafka.startup_timeout_s -1" in str(faults.value)
    assert "kafka.brokkers: no such setting" in str(faults.value)


def test_sasl_with_a_user_and_a_password_is_right(monkeypatch):
    monkeypatch.setenv("TIDEWATCH_KAFKA_SECURITY_PROTOCOL", "SASL_SSL")
    monkeypatch.setenv("TIDEWATCH_KAFKA_SASL_USERNAME", "watcher")
    monkeypatch.setenv("TIDEWATCH_KAFKA_SASL_PASSWORD", "hush")
    assert load().kafka.password() == "hush"


def test_a_reference_lies_beside_the_settings_file_unless_there_is_one_where_the_process_runs(
    tmp_path, monkeypatch
):
    folder, elsewhere = tmp_path / "etc", tmp_path / "run"
    folder.mkdir()
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    file = write(folder / "t.toml", '[monitor]\nreference = "r.json"\n')
    assert load(file).monitor.reference == Path("r.json"), "neither: as it is written"
    beside = write(folder / "r.json", "{}")
    assert load(file).monitor.reference == beside
    write(elsewhere / "r.json", "{}")
    assert load(file).monitor.reference == Path("r.json")
    monkeypatch.setenv("TIDEWATCH_MONITOR_REFERENCE", "other.json")
    write(folder / "other.json", "{}")
    assert load(file).monitor.reference == Path("other.json"), "the environment knows no file"


def test_objectives_have_the_least_increase_as_tolerance(tmp_path):
    text = '[monitor]\nminimum_increase = 0.3\n[[monitor.objective]]\nmodel = "eta*"\nerror = 0.1\n'
    monitor = load(write(tmp_path / "t.toml", text)).monitor
    assert monitor.objectives() == (Objective("eta*", "all", 0.1, 0.3),)
    monitor = load(write(tmp_path / "t.toml", text + 'tolerance = 0.5\nslice = "a=b"\n')).monitor
    assert monitor.objectives() == (Objective("eta*", "a=b", 0.1, 0.5),)


def test_all_faults_of_objectives_are_told(tmp_path):
    tables = "model = '*'\nerror = 0.9", "model = '*'\nerror = 0.1\ntolerance = 0.1"
    text = "".join(f"[[monitor.objective]]\n{one}\n" for one in tables)
    with pytest.raises(SettingsError) as faults:
        load(write(tmp_path / "t.toml", text))
    assert "0.error 0.9: want error x (1 + tolerance) below 0.99" in str(faults.value)
    assert "1.tolerance 0.1: want at least monitor.minimum_increase, 0.2" in str(faults.value)
    with pytest.raises(SettingsError) as faults:
        load(write(tmp_path / "t.toml", "[[monitor.objective]]\nmodl = '*'\nerror = 2\n"))
    assert "monitor.objective.0.error 2" in str(faults.value)
    assert "monitor.objective.0.model" in str(faults.value)
    assert 'monitor.objective.0.modl: no such setting; did you mean "model"?' in str(faults.value)


@given(st.text(alphabet="abcxyz-.", min_size=1, max_size=10))
def test_every_topic_begins_with_the_prefix_unless_named(prefix):
    topics = TopicSettings.model_validate({"prefix": prefix, "findings": "own"})
    assert all(
        name.startswith(prefix) for name in (*topics.inputs(), topics.checkpoints, topics.dead_letters)
    )
    assert topics.findings == "own"


def test_plain_connections_need_no_more_than_brokers():
    assert client_options(KafkaSettings(brokers=("a:1", "b:2"))) == {
        "bootstrap_servers": "a:1,b:2",
        "security_protocol": "PLAINTEXT",
        "client_id": "tidewatch",
    }


def test_sasl_takes_the_password_from_its_file(tmp_path):
    kafka = KafkaSettings(
        security_protocol="SASL_PLAINTEXT",
        sasl_username="watcher",
        sasl_password_file=write(tmp_path / "password", "hush\n"),
    )
    options = client_options(kafka)
    assert options["sasl_mechanism"] == "SCRAM-SHA-512"
    assert (options["sasl_plain_username"], options["sasl_plain_password"]) == ("watcher", "hush")


def test_tls_checks_the_brokers_name_and_certificate():
    import ssl

    context = client_options(KafkaSettings(security_protocol="SSL"))["ssl_context"]
    assert context.check_hostname
    assert context.verify_mode is ssl.CERT_REQUIRED


def test_a_certificate_that_can_not_be_read_is_named(tmp_path):
    authority = KafkaSettings(security_protocol="SSL", ssl_cafile=tmp_path / "none.pem")
    with pytest.raises(SettingsError, match=r"kafka\.ssl_cafile .*none\.pem"):
        client_options(authority)
    certificate = KafkaSettings(security_protocol="SSL", ssl_certfile=write(tmp_path / "c.pem", "no"))
    with pytest.raises(SettingsError, match=r"kafka\.ssl_certfile .*c\.pem"):
        client_options(certificate)


def test_an_environment_without_settings_keeps_what_is_none():
    kept = {
        "PATH": "/bin",
        "TIDEWATCH_CACHE": "/c",
        "TIDEWATCH_TEST_KAFKA": "a:1",
        "TIDEWATCH_KAFKA_PORT": "1",
    }
    ours = {"TIDEWATCH_CONFIG": "t.toml", "TIDEWATCH_KAFKA": "{}", "TIDEWATCH_WORKER_PORT": "1"}
    assert without_settings(kept | ours | {"TIDEWATCH_WORKR_PORT": "1"}) == kept


@pytest.mark.parametrize(
    ("slip", "meant"),
    [
        ("TIDEWATCH_WORKR_MEMORY_ENTRIES", "TIDEWATCH_WORKER_MEMORY_ENTRIES"),
        ("TIDEWATCH_MONITR__WARMUP", "TIDEWATCH_MONITOR_WARMUP"),
        ("TIDEWATCH_TOPIC_PREFIX", "TIDEWATCH_TOPICS_PREFIX"),
        ("TIDEWATCH_KAFKABROKERS", "TIDEWATCH_KAFKA_BROKERS"),
        ("TIDEWATCH_CONFIGS", "TIDEWATCH_CONFIG"),
    ],
)
def test_a_misspelt_section_of_a_variable_is_told_with_all_other_faults(monkeypatch, slip, meant):
    monkeypatch.setenv(slip, "hush")
    monkeypatch.setenv("TIDEWATCH_TOPICS_PARTITIONS", "0")
    with pytest.raises(SettingsError) as fault:
        load()
    first, second = str(fault.value).splitlines()
    assert first.startswith("settings: topics.partitions '0'")
    assert second == f"settings: {slip}: no such setting; did you mean {meant}?"


def test_a_variable_that_is_like_no_setting_is_passed_over_with_a_warning(monkeypatch):
    monkeypatch.setenv("TIDEWATCH_BROKERS", "a:1")
    monkeypatch.setenv("TIDEWATCH_PD_KEY", "hush")
    assert load() == Settings()
    assert strangers() == [
        "warning: TIDEWATCH_BROKERS: no such setting, passed over; did you mean TIDEWATCH_KAFKA_BROKERS?",
        "warning: TIDEWATCH_PD_KEY: no such setting, passed over",
    ]


@pytest.mark.parametrize(
    "service", ["tidewatch", "tidewatch-worker", "tidewatch-worker-metrics", "tidewatch-kafka"]
)
def test_what_kubernetes_tells_of_a_service_is_no_setting(monkeypatch, service):
    name = service.replace("-", "_").upper()
    place = "tcp://10.0.0.11:6066"
    links = {
        "SERVICE_HOST": "10.0.0.11",
        "SERVICE_PORT": "6066",
        "SERVICE_PORT_HTTP": "6066",
        "PORT": place,
        "PORT_6066_TCP": place,
        "PORT_6066_TCP_PROTO": "tcp",
        "PORT_6066_TCP_PORT": "6066",
        "PORT_6066_TCP_ADDR": "10.0.0.11",
    }
    for link, value in links.items():
        monkeypatch.setenv(f"{name}_{link}", value)
    assert load() == Settings()
    assert strangers() == []


def test_a_port_that_is_set_goes_before_what_kubernetes_tells(monkeypatch):
    monkeypatch.setenv("TIDEWATCH_WORKER_SERVICE_PORT", "80")
    monkeypatch.setenv("TIDEWATCH_WORKER_PORT", "7000")
    assert load().worker.port == 7000


@pytest.mark.parametrize("file", ["docker-compose.yml", "Dockerfile"])
def test_every_variable_of_the_images_and_of_compose_is_known(monkeypatch, file):
    text = (Path(__file__).parents[3] / file).read_text(encoding="utf-8")
    for name in re.findall(r"TIDEWATCH_[A-Z_]+", text):
        monkeypatch.setenv(name, "1")
    load()
    assert strangers() == []
