"""Which setting is named when no broker is reached, by what is said then; Kafka 4.4 and Python 3.11 said these."""

import pytest

from stream.unreached import advice

CLOSED = 'Unable to request metadata from "k:1": KafkaConnectionError: Connection at k:1 closed'
VERIFY = "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: "


@pytest.mark.parametrize(
    ("said", "protocol", "named"),
    [
        ('Unable connect to "k:1": ConnectionResetError', "SSL", "kafka.security_protocol"),
        (CLOSED, "PLAINTEXT", "kafka.security_protocol"),
        (CLOSED, "SSL", "kafka.ssl_certfile"),
        ("[Error 34] IllegalSaslStateError: <AIOKafkaConnection>", "SASL_SSL", "kafka.security_protocol"),
        ("[SSL: WRONG_VERSION_NUMBER] wrong version number (_ssl.c:1006)", "SSL", "kafka.security_protocol"),
        (f"{VERIFY}unable to get local issuer certificate", "SSL", "kafka.ssl_cafile"),
        (f"{VERIFY}self-signed certificate in certificate chain", "SSL", "kafka.ssl_cafile"),
        (f"{VERIFY}certificate has expired", "SSL", "a new certificate"),
        (f"{VERIFY}IP address mismatch, certificate is not valid for 'k'.", "SSL", "kafka.brokers"),
        (f"{VERIFY}Hostname mismatch, certificate is not valid for 'k'.", "SSL", "kafka.brokers"),
        ("[Error 58] SaslAuthenticationFailed: invalid credentials", "SASL_SSL", "kafka.sasl_password"),
        (
            "[Error 33] UnsupportedSaslMechanismError: <AIOKafkaConnection>",
            "SASL_SSL",
            "kafka.sasl_mechanism",
        ),
        ("Unable connect to node with id 1: [Errno 111] Connect call failed", "SSL", "advertised.listeners"),
    ],
)
def test_the_setting_that_is_wrong_is_named(said, protocol, named):
    assert named in advice(said, protocol)


@pytest.mark.parametrize(
    "said",
    ['Unable connect to "k:1": [Errno 111] Connect call failed', "[Errno -2] Name or service not known"],
)
def test_what_says_enough_itself_is_left_alone(said):
    assert advice(said, "PLAINTEXT") == ""


def test_only_who_speaks_tls_is_told_of_a_certificate_of_its_own():
    assert "ssl_certfile" not in advice(CLOSED, "PLAINTEXT")
