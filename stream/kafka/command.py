"""Shell. ``tidewatch kafka run``: the embedded Kafka on its own, for development."""

from __future__ import annotations

import signal

import click


@click.group()
def kafka() -> None:
    """Run an embedded Kafka for development."""


@kafka.command()
@click.option("--port", type=click.IntRange(1, 65_535), help="Listen on this port.  [default: a free one]")
def run(port: int | None) -> None:
    """Start a broker, say its address, and serve until Ctrl-C; its records are gone afterwards."""
    from stream.kafka import jars
    from stream.kafka.embedded import EmbeddedKafka
    from stream.kafka.errors import EmbeddedKafkaError

    for ending in (signal.SIGINT, signal.SIGTERM):  # a shell starts background jobs deaf to SIGINT
        signal.signal(ending, signal.default_int_handler)
    try:
        click.echo(f"starting Apache Kafka {jars.VERSION}", err=True)
        with EmbeddedKafka(progress=_show, port=port) as broker:
            click.echo(f"export TIDEWATCH_KAFKA_BROKERS={broker.brokers}")
            click.echo("Kafka is up; Ctrl-C ends it, and its records are gone then", err=True)
            broker.serve()
    except KeyboardInterrupt:
        click.echo("stopped", err=True)
    except EmbeddedKafkaError as fault:
        raise click.ClickException(str(fault)) from fault


def _show(fetched: int, total: int, name: str) -> None:
    click.echo(f"fetching {fetched + 1}/{total} {name}", err=True)
