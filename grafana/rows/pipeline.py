"""The row "Pipeline": does Tidewatch itself keep up, refuse, save and page?"""

from __future__ import annotations

from collections.abc import Iterable

from grafana.panels import Panel, Query, graph

SHARES = ((0.5, "half within"), (0.95, "95 % within"), (0.99, "99 % within"))


def panels() -> Iterable[Panel]:
    """Yield what comes in, what becomes of it, how it is kept, and what goes out."""
    yield from _intake()
    yield from _join()
    yield from _keeping()
    yield from _paging()


def _intake() -> Iterable[Panel]:
    misrouted = "tidewatch_misrouted_total[$__rate_interval]"
    yield _sum(
        "Lag",
        "Records in Kafka that were not folded yet.",
        "tidewatch_consumer_lag_records",
        "topic",
    )
    yield graph(
        "Held back",
        "For how long an open transaction has hidden what comes after it in an input, which is no lag; of the "
        "partition where it is longest.",
        "s",
        [Query("max by (job, topic) (tidewatch_input_held_back_seconds)", "{{topic}} for {{job}}")],
    )
    yield graph(
        "Kafka silent",
        "Time since Kafka last answered a fetch, of the process that it has not answered for longest, by process "
        "kind; a gap where no answer is waited for.",
        "s",
        [Query("max by (job) (time() - tidewatch_kafka_answered_timestamp_seconds)", "{{job}}")],
    )
    yield graph(
        "Throttled",
        "For which share of the time Kafka makes the process that waits most wait for a quota, by request.",
        "percentunit",
        [
            Query(
                "max by (job, request) (rate(tidewatch_throttled_seconds_total[$__rate_interval]))",
                "{{request}} of {{job}}",
            )
        ],
    )
    yield graph(
        "Refused and misrouted",
        "Records sent to dead-letters, by reason; and records that a producer put in the wrong partition.",
        "eps",
        [
            Query("sum by (reason) (rate(tidewatch_dead_letters_total[$__rate_interval]))", "{{reason}}"),
            Query(f"sum by (producer) (rate({misrouted}))", "misrouted by {{producer}}"),
        ],
    )
    yield _sum(
        "Lost to retention",
        "Records that Kafka deleted before they were folded, since the processes' starts.",
        "tidewatch_records_lost_total",
        "topic",
    )
    yield graph(
        "Fullest partition",
        "Models of the partition that has most (those of which only rollouts came are counted apart), and how "
        "many of either a partition takes: further ones are refused.",
        "short",
        [
            Query("max by (kind) (tidewatch_models)", "{{kind}}"),
            Query("max(tidewatch_model_budget)", "worker.model_budget"),
        ],
    )
    yield _rate("Join", "What became of predictions and outcomes.", "tidewatch_joined_total", "reason")


def _join() -> Iterable[Panel]:
    yield _quantiles(
        "Label delay", "Event time from prediction to outcome, all models.", "tidewatch_label_delay_seconds"
    )
    yield _sum(
        "Waiting predictions",
        "Predictions that wait for their outcome, by partition.",
        "tidewatch_pending_predictions",
        "partition",
    )
    yield graph(
        "Watermark age",
        "How far in the past the newest event time of the partition that is furthest behind lies. "
        "It grows without harm while a partition has no events.",
        "s",
        [Query("max(time() - max by (partition) (tidewatch_watermark_timestamp_seconds))", "oldest")],
    )
    yield graph(
        "Join store",
        "What the join remembers, on disk and in memory; and the cache that a worker's partitions share.",
        "bytes",
        [
            Query("sum by (place) (tidewatch_join_store_bytes)", "{{place}}"),
            Query("sum(tidewatch_join_cache_bytes)", "cache"),
        ],
    )
    yield _sum(
        "Join entries",
        "Ids that the join remembers: all of them, and those in memory as objects.",
        "tidewatch_join_entries",
        "place",
    )
    yield _rate("Findings", "Findings that were opened and closed.", "tidewatch_findings_total", "state")


def _keeping() -> Iterable[Panel]:
    newest = "max by (job, partition) (tidewatch_checkpoint_timestamp_seconds)"
    yield graph(
        "Checkpoint age",
        "Time since the last checkpoint of the partition that waits longest, by process kind. It grows "
        "without harm while there is nothing new to save.",
        "s",
        [Query(f"max by (job) (time() - {newest})", "{{job}}")],
    )
    yield graph(
        "Checkpoint size",
        "State of the last checkpoints, all partitions together, by process kind.",
        "bytes",
        [Query("sum by (job) (tidewatch_checkpoint_last_bytes)", "{{job}}")],
    )
    yield _quantiles(
        "Checkpoint duration", "Time to write one checkpoint.", "tidewatch_checkpoint_duration_seconds"
    )
    yield _quantiles(
        "Event loop stall",
        "How late a sleeper of 10 ms woke up: what delays heartbeats, checkpoints and pages.",
        "tidewatch_loop_stall_seconds",
    )
    yield graph(
        "Unfit topics",
        "What is wrong with the topics so that a process would not start again; its log says what.",
        "short",
        [Query("max by (job) (tidewatch_topic_faults)", "{{job}}")],
    )
    yield graph(
        "Clock skew",
        "How far apart the clocks of a process and of Kafka are, of the process that is worst off.",
        "s",
        [Query("max by (job) (abs(tidewatch_clock_skew_seconds))", "{{job}}")],
    )
    yield graph(
        "Last restore",
        "Time that the slowest partition took to come back after it moved, by process kind.",
        "s",
        [Query("max by (job) (tidewatch_restore_duration_seconds)", "{{job}}")],
    )
    yield graph(
        "Age of model figures",
        "How old the oldest figures of models are that a process shows; events come before them.",
        "s",
        [Query("max by (job) (time() - (tidewatch_figures_made_timestamp_seconds > 0))", "{{job}}")],
    )


def _paging() -> Iterable[Panel]:
    ended = "increase(tidewatch_notifications_total[$__rate_interval])"
    unaccepted = 'tidewatch_notification_attempts_total{reason!~"(refresh_)?accepted"}[$__rate_interval]'
    yield _quantiles(
        "Page latency",
        "From the event that proved the harm to the accepted page, of the pages in the shown time.",
        "tidewatch_page_latency_seconds",
        "$__range",
    )
    yield graph(
        "Notifications",
        "Notifications that came to an end: accepted by their receiver, or refused for good.",
        "short",
        [Query(f"sum by (receiver, action, result) ({ended})", "{{receiver}} {{action}} {{result}}")],
    )
    yield graph(
        "Waiting notifications and failed attempts",
        "Notifications that their receiver has not accepted yet, and attempts that it did not accept.",
        "short",
        [
            Query("sum by (receiver) (tidewatch_notifications_pending)", "{{receiver}} waiting"),
            Query(f"sum by (receiver, reason) (increase({unaccepted}))", "{{receiver}} {{reason}}"),
        ],
    )
    beats = "increase(tidewatch_heartbeats_total[$__rate_interval])"
    yield graph(
        "Pager's own health",
        "Notifications overdue by five minutes, receivers left alone after failures, heartbeats sent.",
        "short",
        [
            Query("sum(tidewatch_notifications_overdue)", "overdue"),
            Query("sum by (receiver) (tidewatch_receiver_circuit_open)", "{{receiver}} left alone"),
            Query(f"sum by (reason) ({beats})", "heartbeat {{reason}}"),
        ],
    )


def _sum(title: str, description: str, metric: str, label: str) -> Panel:
    return graph(title, description, "short", [Query(f"sum by ({label}) ({metric})", f"{{{{{label}}}}}")])


def _rate(title: str, description: str, counter: str, label: str) -> Panel:
    expr = f"sum by ({label}) (rate({counter}[$__rate_interval]))"
    return graph(title, description, "eps", [Query(expr, f"{{{{{label}}}}}")])


def _quantiles(title: str, description: str, metric: str, over: str = "$__rate_interval") -> Panel:
    rate = f"sum by (le) (rate({metric}_bucket[{over}]))"
    queries = [Query(f"histogram_quantile({share}, {rate})", legend) for share, legend in SHARES]
    return graph(title, description, "s", queries)
