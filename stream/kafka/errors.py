"""Core. What can go wrong with the embedded Kafka, named by the reader's next act."""

from __future__ import annotations


class EmbeddedKafkaError(Exception):
    """The embedded Kafka can't be had; the message says what to do."""


class JarsError(EmbeddedKafkaError):
    """The jars can't be had or are not the locked ones."""


class NoJava(EmbeddedKafkaError):
    """No Java of version 17 or newer was found."""


class BrokerFailed(EmbeddedKafkaError):
    """The broker did not start or died; the message ends with its log."""
