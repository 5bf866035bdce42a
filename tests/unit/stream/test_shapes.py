import pytest

from stream.settings import Settings
from stream.shapes import Described, Needs, faults, settings_faults, shapes, stopping


def settings(**sections) -> Settings:
    return Settings(**({"kafka": {"brokers": "b:1"}, "topics": {"partitions": 4}} | sections))


def cluster(configured: Settings, **changes: Described) -> dict[str, Described]:
    """A cluster whose topics are all right, except those named."""
    right = {
        shape.name: Described(shape.partitions, shape.replication, shape.configuration)
        for shape in shapes(configured)
    }
    return right | {getattr(configured.topics, name): described for name, described in changes.items()}


def described(configured: Settings, topic: str, partitions: int | None = None, **configuration) -> Described:
    (shape,) = [shape for shape in shapes(configured) if shape.name == getattr(configured.topics, topic)]
    named = {name.replace("_", "."): value for name, value in configuration.items()}
    return Described(partitions or shape.partitions, shape.replication, {**shape.configuration, **named})


def test_what_create_would_make_has_no_faults():
    assert faults(settings(), cluster(settings())) == []


def test_an_empty_cluster_lacks_every_topic():
    found = faults(settings(), {})
    assert len(found) == len(shapes(settings())) == 7
    assert {fault.mend for fault in found} == {"run: tidewatch topics create"}


def test_an_input_with_fewer_partitions_is_to_grow():
    own = settings()
    (fault,) = faults(own, cluster(own, outcomes=described(own, "outcomes", partitions=2)))
    assert fault.what.startswith("2 partitions: want 4")
    assert "--bootstrap-server b:1 --alter --topic tidewatch.outcomes --partitions 4" in fault.mend


def test_an_input_with_more_partitions_makes_the_others_grow_and_the_setting_follow():
    own = settings()
    found = faults(own, cluster(own, predictions=described(own, "predictions", partitions=8)))
    mends = {fault.topic.removeprefix("tidewatch."): fault.mend for fault in found}
    assert mends.keys() == {"predictions", "outcomes", "rollouts", "checkpoints"}
    assert mends["predictions"].startswith("set TIDEWATCH_TOPICS_PARTITIONS=8 ")
    assert "if it has grown since, models belong elsewhere" in mends["predictions"]
    assert all(mends[name].count("--partitions 8") for name in mends.keys() - {"predictions"})


def test_checkpoints_with_more_partitions_than_the_inputs_are_no_reason_to_move_every_model():
    own = settings()
    (fault,) = faults(own, cluster(own, checkpoints=described(own, "checkpoints", partitions=8)))
    assert fault.what == "8 partitions: want 4, as the inputs; those beyond stay empty"
    assert stopping([fault]) == []


def test_checkpoints_with_fewer_partitions_than_the_inputs_are_to_grow():
    own = settings()
    (fault,) = stopping(faults(own, cluster(own, checkpoints=described(own, "checkpoints", partitions=2))))
    assert "--topic tidewatch.checkpoints --partitions 4" in fault.mend


@pytest.mark.parametrize("topic", ["findings", "checkpoints", "incidents", "dead_letters"])
def test_a_topic_of_ours_that_bears_its_writers_clock_is_a_warning(topic):
    own = settings()
    (fault,) = faults(
        own, cluster(own, **{topic: described(own, topic, message_timestamp_type="CreateTime")})
    )
    name = getattr(own.topics, topic)
    assert fault.what.startswith(
        "message.timestamp.type CreateTime: want LogAppendTime, else a worker whose clock"
    )
    assert fault.mend.endswith(f"--entity-name {name} --add-config message.timestamp.type=LogAppendTime")
    assert stopping([fault]) == []


@pytest.mark.parametrize(
    ("copies", "in_sync", "severity"),
    [(1, "2", "error"), (3, "4", "error"), (3, "3", "warning"), (2, "2", "warning")],
)
def test_a_topic_that_wants_more_copies_in_sync_than_may_be_there_is_named(copies, in_sync, severity):
    own = settings(topics={"partitions": 4, "replication": copies})
    (fault,) = faults(
        own, cluster(own, checkpoints=described(own, "checkpoints", min_insync_replicas=in_sync))
    )
    assert fault.severity == severity
    assert fault.mend.endswith(f"min.insync.replicas={max(1, copies - 1)}")


@pytest.mark.parametrize(("copies", "in_sync"), [(1, "1"), (2, "1"), (3, "2"), (3, "1")])
def test_a_topic_that_may_lose_a_broker_is_right(copies, in_sync):
    own = settings(topics={"partitions": 4, "replication": copies})
    right = described(own, "checkpoints", min_insync_replicas=in_sync)
    assert faults(own, cluster(own, checkpoints=right)) == []


def test_a_topic_whose_leader_may_lack_records_is_a_warning():
    own = settings()
    unclean = described(own, "predictions", unclean_leader_election_enable="true")
    (fault,) = faults(own, cluster(own, predictions=unclean))
    assert (fault.severity, fault.mend[-35:]) == ("warning", "unclean.leader.election.enable=false"[-35:])


@pytest.mark.parametrize("policy", ["compact", "compact,delete"])
def test_a_compacted_input_is_an_error(policy):
    own = settings()
    (fault,) = stopping(
        faults(own, cluster(own, predictions=described(own, "predictions", cleanup_policy=policy)))
    )
    assert fault.what.startswith(f"cleanup.policy {policy}: want delete")


@pytest.mark.parametrize("topic", ["checkpoints", "incidents"])
@pytest.mark.parametrize("policy", ["delete", "compact,delete"])
def test_state_that_would_be_deleted_is_an_error(topic, policy):
    own = settings()
    (fault,) = stopping(faults(own, cluster(own, **{topic: described(own, topic, cleanup_policy=policy)})))
    assert fault.mend.endswith(f"--entity-name tidewatch.{topic} --add-config cleanup.policy=compact")


def test_retention_below_what_a_lost_disk_needs_is_an_error_and_at_it_is_not():
    own = settings(worker={"label_horizon_s": 100, "future_tolerance_s": 20})
    short = cluster(own, predictions=described(own, "predictions", retention_ms="419999"))
    (fault,) = stopping(faults(own, short))
    assert fault.mend.endswith("--add-config retention.ms=420000")
    for enough in ("420000", "-1"):
        assert faults(own, cluster(own, predictions=described(own, "predictions", retention_ms=enough))) == []


def test_retention_by_size_is_a_warning():
    own = settings()
    (fault,) = faults(own, cluster(own, outcomes=described(own, "outcomes", retention_bytes="1000")))
    assert fault.severity == "warning"
    assert stopping([fault]) == []


@pytest.mark.parametrize("ahead", ["3600001", "9223372036854775807"])
def test_an_input_that_takes_times_beyond_the_tolerance_is_a_warning(ahead):
    own = settings()
    free = described(own, "outcomes", message_timestamp_after_max_ms=ahead)
    (fault,) = faults(own, cluster(own, outcomes=free))
    assert fault.what.startswith(f"message.timestamp.after.max.ms {ahead}: want at most 3600000")
    assert fault.mend.endswith("--add-config message.timestamp.after.max.ms=3600000")
    assert stopping([fault]) == []


def test_an_older_kafka_is_told_what_it_does_not_know_and_the_brokers_own_time_mends_it():
    own = settings()
    names = own.topics.inputs()
    old = {name: Described(4, 1, {"retention.ms": "-1"}) for name in names}
    found = faults(own, old, Needs(names))
    assert [fault.severity for fault in found] == ["warning"] * 3
    assert "not known to this Kafka (it is since 3.6)" in found[0].what
    assert found[0].mend.endswith("--add-config message.timestamp.type=LogAppendTime")
    own_time = {"retention.ms": "-1", "message.timestamp.type": "LogAppendTime"}
    assert faults(own, {name: Described(4, 1, own_time) for name in names}, Needs(names)) == []


def test_fewer_copies_than_asked_is_a_warning():
    own = settings(topics={"partitions": 4, "replication": 3})
    one = described(own, "findings", min_insync_replicas="1")._replace(replication=1)
    (fault,) = faults(own, cluster(own, findings=one))
    assert (fault.what, fault.severity) == ("replication 1: want 3", "warning")


def test_checkpoints_too_small_for_a_state_are_an_error():
    own = settings()
    small = described(own, "checkpoints", max_message_bytes="1048588")
    (fault,) = stopping(faults(own, cluster(own, checkpoints=small)))
    assert fault.what == "max.message.bytes 1048588: want 8388608"


def test_findings_in_two_partitions_have_no_order_and_are_an_error():
    own = settings()
    (fault,) = stopping(faults(own, cluster(own, findings=described(own, "findings", partitions=2))))
    assert fault.what.startswith("2 partitions: want 1")


def test_dead_letters_may_have_any_number_of_partitions():
    own = settings()
    assert faults(own, cluster(own, dead_letters=described(own, "dead_letters", partitions=1))) == []


def test_topics_that_a_worker_does_not_use_are_not_its_faults():
    own = settings()
    assert faults(own, {}, Needs()) == []
    assert len(faults(own, {}, Needs(own.topics.inputs()))) == 3


def test_settings_that_keep_inputs_too_short_are_told_before_a_cluster_is_asked():
    (fault,) = settings_faults(settings(topics={"retention_s": 60}))
    assert "topics.retention_s 60: want at least 1040400, 4 x worker.label_horizon_s" in fault.what
    assert settings_faults(settings()) == []


def test_rights_that_kafka_denies_are_named_with_the_command_that_gives_them():
    own = settings(kafka={"brokers": "b:1", "sasl_username": "w"})
    seen = described(own, "findings")._replace(allowed=frozenset({"Describe", "DescribeConfigs"}))
    (fault,) = faults(own, cluster(own, findings=seen), Needs(["tidewatch.findings"], ["tidewatch.findings"]))
    assert fault.what == "User:w may not Read, Write"
    assert fault.mend == (
        "kafka-acls.sh --bootstrap-server b:1 --add --allow-principal User:w"
        " --operation Read --operation Write --topic tidewatch.findings"
    )
    assert faults(own, cluster(own, findings=seen)) == []


def test_of_a_topic_that_kafka_does_not_show_nothing_else_is_said():
    own = settings()
    hidden = cluster(own, findings=Described(0, 0, {}, frozenset()))
    (fault,) = faults(own, hidden)
    assert (fault.topic, fault.what) == ("tidewatch.findings", "User:... may not Describe, DescribeConfigs")
    (fault,) = faults(own, hidden, Needs(writes=["tidewatch.findings"]))
    assert fault.what == "User:... may not Write, DescribeConfigs"


def test_a_configuration_that_kafka_does_not_show_is_not_taken_for_a_wrong_one():
    own = settings()
    blind = described(own, "checkpoints")._replace(
        configuration={}, allowed=frozenset({"Read", "Write", "Describe"})
    )
    (fault,) = faults(own, cluster(own, checkpoints=blind))
    assert fault.what == "User:... may not DescribeConfigs"
