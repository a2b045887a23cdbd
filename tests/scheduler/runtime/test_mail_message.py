"""Whatever people write into a mail stays text, and the mail server shows who it is.

Covers `scheduler.runtime.smtp`.
"""

from __future__ import annotations

import socket
import ssl
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.header import decode_header, make_header

import pytest
from aiosmtpd.controller import Controller
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from scheduler.errors import MailNotSent, SchedulerConfigurationException
from scheduler.runtime.mail_message import address_of, compose
from scheduler.runtime.smtp import MailServer
from tests.ports import free_port

HEADERS = [
    *("Message-ID", "Date", "From", "To", "Cc", "Subject"),
    *("Content-Type", "Content-Transfer-Encoding", "MIME-Version"),
]
SMUGGLED = [
    "=?utf-8?q?Tea=0AReply-To:_evil@example.org=0A=0ABody?=",
    "=?utf-8?b?VGVhCkJjYzogZXZpbEBleGFtcGxlLm9yZw==?=",
    "Tea =?utf-8?q?=0D=0ABcc:_evil@example.org?= at five",
    "=?us-ascii?q?=3D=3Futf-8=3Fq=3Fx=0AReply-To:_e=3F=3D?=",
    "Tea\x0bReply-To: evil@example.org",
    "Tea\u2028Reply-To: evil@example.org",
    "=?utf-8?q?" + "x" * 1200 + "=0AReply-To:_evil?=",
    "x" * 3000,
    "=?utf-8?q?=0A?= é",
    "a\x00b",
]


def made(subject="News", name="Ann", text="Hello."):
    sender, to = f'"{name}" <events@example.org>', [f'"{name}" <ann@example.org>']
    return compose("1", sender, to, ["cy@example.org"], subject, text, 0.0)


def check(content, subject):
    """The message has the headers that it should have, and the subject as it was written."""
    for reader in (policy.compat32, policy.default):
        assert message_from_bytes(content, policy=reader).keys() == HEADERS
    head, _, _ = content.partition(b"\r\n\r\n")
    assert all(len(line) < 998 for line in head.split(b"\r\n"))
    assert b"\n" not in head.replace(b"\r\n", b"")
    raw = message_from_bytes(content)["Subject"]
    shown = str(make_header(decode_header(raw)))
    assert "\n" not in shown
    assert "".join(shown.split()) == "".join(subject.split())


@pytest.mark.parametrize("text", SMUGGLED)
def test_an_encoded_word_in_a_subject_stays_text(text):
    written = "".join(" " if ord(sign) < 32 or sign == "\u2028" else sign for sign in text)
    check(made(text), written)


@pytest.mark.parametrize("text", [each for each in SMUGGLED if each.isprintable()])
def test_an_encoded_word_in_a_name_stays_text(text):
    content = made(name=text)
    check(content, "News")


@given(st.text(max_size=200))
def test_any_subject_and_text_make_one_message(text):
    content = made(text, text=text)
    assert message_from_bytes(content, policy=policy.default).keys() == HEADERS
    head, _, _ = content.partition(b"\r\n\r\n")
    assert head.isascii()


@pytest.mark.parametrize(
    "text", ["a@example.org\nBcc: b@example.org", "a@b\r\n", "\x00a@b", "a@b\x0b", "a@b, c@d", "a"]
)
def test_a_text_that_is_no_address_is_refused(text):
    with pytest.raises(ValueError, match="is no mail address"):
        address_of(text)


class Inbox:
    def __init__(self):
        self.contents = []

    async def handle_DATA(self, server, session, envelope):  # noqa: N802
        self.contents.append(envelope.content)
        return "250 OK"


def certificate(folder, name):
    """Make a certificate for *name*, signed by itself; return its two files."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    )
    made = builder.sign(key, hashes.SHA256())
    files = folder / f"{name}.crt", folder / f"{name}.key"
    files[0].write_bytes(made.public_bytes(serialization.Encoding.PEM))
    files[1].write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return files


@pytest.fixture(params=["smtps", "smtp+starttls"])
def serve(request, tmp_path):
    """Serve mail with a certificate for a name; return the beginning of the URL, and the inbox."""
    controllers = []

    def start(name):
        file, key = certificate(tmp_path, name)
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(file, key)
        port = free_port()
        how = "ssl_context" if request.param == "smtps" else "tls_context"
        controller = Quiet(Inbox(), hostname="127.0.0.1", port=port, **{how: context})
        controller.start()
        controllers.append(controller)
        return f"{request.param}://localhost:{port}?timeout=20", file, controller.handler

    yield start
    for controller in controllers:
        controller.stop()


class Quiet(Controller):
    """A server that is only connected to, by plain TCP, to see whether it is up."""

    def _trigger_server(self):
        socket.create_connection((self.hostname, self.port)).close()


def send(url):
    MailServer.of(url).send(made(), "events@example.org", ["ann@example.org"])


def test_a_server_with_the_right_certificate_gets_the_mail(serve):
    url, file, inbox = serve("localhost")
    send(f"{url}&ca_file={file}")
    assert len(inbox.contents) == 1


def test_a_server_without_a_known_certificate_gets_nothing(serve):
    url, _, inbox = serve("localhost")
    with pytest.raises(MailNotSent, match=r"certificate is not good .*ca_file="):
        send(url)
    assert inbox.contents == []


def test_a_server_with_the_certificate_of_another_gets_nothing(serve):
    url, file, inbox = serve("other.example.org")
    with pytest.raises(MailNotSent, match="certificate is not good"):
        send(f"{url}&ca_file={file}")
    assert inbox.contents == []


def test_switching_the_check_off_is_said_and_logged(serve, caplog):
    url, _, inbox = serve("other.example.org")
    send(f"{url}&verify=no")
    assert len(inbox.contents) == 1
    assert "is not verified: verify=no is set" in caplog.text


@pytest.mark.parametrize("option", ["ca_file=/nowhere", "verify=maybe", "ca_fil=x"])
def test_a_bad_option_is_named(option):
    with pytest.raises(SchedulerConfigurationException, match=option.partition("=")[0]):
        MailServer.of(f"smtps://localhost?{option}")
