"""Shell. ``tidewatch kafka run``: the embedded Kafka on its own, for development."""

from __future__ import annotations

import signal

import click


@click.group()
def kafka() -> None:
    """Run an embedded Kafka for development."""


@kafka.command()
def run() -> None:
    """Start a broker, say its address, and serve until Ctrl-C; its records are gone afterwards."""
    from stream.kafka.embedded import EmbeddedKafka
    from stream.kafka.errors import EmbeddedKafkaError

    for ending in (signal.SIGINT, signal.SIGTERM):  # a shell starts background jobs deaf to SIGINT
        signal.signal(ending, signal.default_int_handler)
    try:
        with EmbeddedKafka(progress=_show) as broker:
            click.echo(f"export TIDEWATCH_KAFKA_BROKERS={broker.brokers}")
            signal.pause()
    except KeyboardInterrupt:
        click.echo("stopped", err=True)
    except EmbeddedKafkaError as fault:
        raise click.ClickException(str(fault)) from fault


def _show(fetched: int, total: int, name: str) -> None:
    click.echo(f"fetching {fetched + 1}/{total} {name}", err=True)
