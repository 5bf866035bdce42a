"""HTTPS and STARTTLS with a company's own certificate authority, against real servers."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path

import pytest
import trustme
from aiosmtpd.controller import Controller
from aiosmtpd.handlers import Sink
from structlog.testing import capture_logs

from alerts.answer import Accepted, Answer, RetryLater
from alerts.config import OwnersError, load
from alerts.http import Http
from alerts.receivers.mail import Mail, MailServer
from alerts.receivers.request import Request
from alerts.smtp import Smtp
from stream.demo.processes import free_port
from tests.unit.alerts.samples import LOOPBACK, hook_server, sent

NAME = "hook.test"
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def ca_file(authority: trustme.CA, tmp_path: Path) -> Path:
    return written(authority, tmp_path / "ca.pem")


def written(authority: trustme.CA, path: Path) -> Path:
    authority.cert_pem.write_to_path(path)
    return path


def serving(certificate: trustme.LeafCert) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    return context


async def at_home(host: str, port: int) -> Sequence[str]:
    return ["127.0.0.1"]


def exchange(url: str, ca_file: Path | None) -> Answer:
    return sent(Http(10.0, LOOPBACK, at_home, ca_file), Request(url, {}, b"{}"))[0]


def post(certificate: trustme.LeafCert, ca_file: Path | None) -> tuple[Answer, int]:
    """Return the answer, and how many requests arrived."""
    with hook_server(serving(certificate)) as hook:
        answer = exchange(hook.url.replace("127.0.0.1", NAME), ca_file)
        return answer, len(hook.got)


def test_receiver_with_a_certificate_of_our_own_authority_is_reached(
    authority: trustme.CA, ca_file: Path
) -> None:
    assert post(authority.issue_cert(NAME), ca_file) == (Accepted(), 1)


def test_without_the_authority_nothing_is_sent_and_it_is_tried_again(authority: trustme.CA) -> None:
    assert post(authority.issue_cert(NAME), None) == (RetryLater("certificate_untrusted"), 0)


def test_another_authority_does_not_count(authority: trustme.CA, tmp_path: Path) -> None:
    other = written(trustme.CA(), tmp_path / "other.pem")
    assert post(authority.issue_cert(NAME), other) == (RetryLater("certificate_untrusted"), 0)


def test_certificate_of_another_name_is_named_so(authority: trustme.CA, ca_file: Path) -> None:
    certificate = authority.issue_cert("other.test")
    assert post(certificate, ca_file) == (RetryLater("certificate_of_another_name"), 0)


def test_expired_certificate_is_named_so(authority: trustme.CA, ca_file: Path) -> None:
    certificate = authority.issue_cert(NAME, not_before=LONG_AGO, not_after=LONG_AGO.replace(month=2))
    assert post(certificate, ca_file) == (RetryLater("certificate_expired"), 0)


def test_server_that_speaks_no_tls_is_named_so(ca_file: Path) -> None:
    with hook_server() as hook:
        answer = exchange(hook.url.replace("http://127.0.0.1", f"https://{NAME}"), ca_file)
    assert answer == RetryLater("tls")


@pytest.fixture
def mail_port(authority: trustme.CA) -> Iterator[int]:
    """The port of a mail server that takes nothing without STARTTLS."""
    box = Controller(
        Sink(),
        hostname="127.0.0.1",
        port=free_port(),
        tls_context=serving(authority.issue_cert("127.0.0.1")),
        require_starttls=True,
    )
    box.start()
    yield box.port
    box.stop()


def mail(port: int, ca_file: Path | None) -> Answer:
    message = EmailMessage()
    message.set_content("hello")
    server = MailServer("127.0.0.1", port, "starttls")
    return asyncio.run(Smtp(10.0, ca_file).send(Mail(server, "a@t.example", "b@t.example", message)))


def test_mail_server_of_our_own_authority_is_trusted_with_it_alone(mail_port: int, ca_file: Path) -> None:
    assert mail(mail_port, ca_file) == Accepted()
    assert mail(mail_port, None) == RetryLater("certificate_untrusted")


def owners(path: Path, ca_file: Path) -> Path:
    path.write_text(f'[network]\nca_file = "{ca_file}"\n[default_owner]\nname = "ops"\n', encoding="utf-8")
    return path


def test_owners_file_names_the_authority(tmp_path: Path, ca_file: Path) -> None:
    assert load(owners(tmp_path / "owners.toml", ca_file), {}).ca_file == ca_file


@pytest.mark.parametrize(
    ("content", "said"), [(b"no certificate", "want certificates in PEM"), (None, "No such file")]
)
def test_authority_that_is_none_is_named_at_the_start(
    tmp_path: Path, content: bytes | None, said: str
) -> None:
    ca_file = tmp_path / "ca.pem"
    if content is not None:
        ca_file.write_bytes(content)
    with pytest.raises(OwnersError, match=r"network\.ca_file .*ca\.pem") as told:
        load(owners(tmp_path / "owners.toml", ca_file), {})
    assert said in str(told.value)


def test_authority_that_comes_into_the_file_later_counts_without_a_restart(
    authority: trustme.CA, tmp_path: Path
) -> None:
    ca_file = written(trustme.CA(), tmp_path / "ca.pem")

    async def play(url: str) -> list[Answer]:
        http = Http(10.0, LOOPBACK, at_home, ca_file)
        request, answers = Request(url, {}, b"{}"), []
        try:
            for content in (None, b"half a", None):
                answers.append(await http.send(request))
                if content is not None:
                    ca_file.write_bytes(content)
            written(authority, ca_file)
            return [*answers, await http.send(request), await http.send(request)]
        finally:
            await http.close()

    with hook_server(serving(authority.issue_cert(NAME))) as hook, capture_logs() as logs:
        answers = asyncio.run(play(hook.url.replace("127.0.0.1", NAME)))
    untrusted = RetryLater("certificate_untrusted")
    assert answers == [untrusted, untrusted, untrusted, untrusted, Accepted()]
    said = [line["event"] for line in logs]
    assert said == ["ca_file can't be used: what was read before counts", "ca_file was read again"]


def test_mail_trusts_an_authority_that_comes_later_too(
    authority: trustme.CA, mail_port: int, tmp_path: Path
) -> None:
    ca_file = written(trustme.CA(), tmp_path / "ca.pem")
    smtp, message = Smtp(10.0, ca_file), EmailMessage()
    message.set_content("hello")
    one = Mail(MailServer("127.0.0.1", mail_port, "starttls"), "a@t.example", "b@t.example", message)
    assert asyncio.run(smtp.send(one)) == RetryLater("certificate_untrusted")
    written(authority, ca_file)
    answers = [asyncio.run(smtp.send(one)) for _ in range(2)]
    assert answers == [RetryLater("certificate_untrusted"), Accepted()]
