"""Shell. How every client of this project reaches Kafka: one translation of the settings for aiokafka."""

from __future__ import annotations

import ssl
from typing import Any

from stream.engine.damaged import locate
from stream.engine.headers import forgive
from stream.settings import KafkaSettings, SettingsError

forgive()  # whoever consumes here asks this module how
locate()


def client_options(kafka: KafkaSettings) -> dict[str, Any]:
    """Return the keyword arguments that aiokafka's consumer, producer and admin client share.

    Raises:
        SettingsError: a certificate or key file can't be used.
    """
    options: dict[str, Any] = {
        "bootstrap_servers": ",".join(kafka.brokers),
        "security_protocol": kafka.security_protocol,
        "client_id": kafka.client_id,
    }
    if kafka.security_protocol.endswith("SSL"):
        options["ssl_context"] = ssl_context(kafka)
    if kafka.security_protocol.startswith("SASL"):
        options |= {
            "sasl_mechanism": kafka.sasl_mechanism,
            "sasl_plain_username": kafka.sasl_username,
            "sasl_plain_password": kafka.password(),
        }
    return options


def ssl_context(kafka: KafkaSettings) -> ssl.SSLContext:
    """Return the TLS context: the system's authorities, or ``ssl_cafile``; a client certificate if given.

    Raises:
        SettingsError: a file can't be read or is no certificate or key.
    """
    try:
        context = ssl.create_default_context(cafile=kafka.ssl_cafile)
    except OSError as fault:
        raise SettingsError(f"settings: kafka.ssl_cafile {str(kafka.ssl_cafile)!r}: {fault}") from None
    if kafka.ssl_certfile is None:
        return context
    try:
        context.load_cert_chain(kafka.ssl_certfile, kafka.ssl_keyfile)
    except OSError as fault:
        names = f"{str(kafka.ssl_certfile)!r} with kafka.ssl_keyfile {str(kafka.ssl_keyfile)!r}"
        raise SettingsError(f"settings: kafka.ssl_certfile {names}: {fault}") from None
    return context
