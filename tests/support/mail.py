"""Mails: a real SMTP server that keeps what it gets, and the tools of a worker whose mailer keeps them too."""

from __future__ import annotations

import asyncio
import math
import re
import ssl
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from app.kernel.crypto import Vault
from config.settings import Settings
from launcher.ports import free_port
from tasks.identity.gateways import FolderMailer
from tests.support.platform import Platform, wait_for

USER, PASSWORD = "headrace", "a mail server's password"


@dataclass
class Inbox:
    """What a server was given, and over which connections; `answers` are what it says to the next mails, `250 OK` when
    there are none left. With `loses_answers` it takes them and ends the connection, and after `most` mails it takes no
    more on a connection; beyond the `answered` first ones it takes a mail and says nothing until it `goes_on`."""

    port: int
    certificate: Path
    mails: list[EmailMessage] = field(default_factory=list)
    contents: list[bytes] = field(default_factory=list)
    recipients: list[list[str]] = field(default_factory=list)
    answers: list[str] = field(default_factory=list)
    logins: list[str] = field(default_factory=list)
    loses_answers: bool = False
    connections: Counter[Any] = field(default_factory=Counter)
    most: int | None = None
    answered: float = math.inf
    goes_on: threading.Event = field(default_factory=threading.Event)

    async def handle_MAIL(self, _: Any, session: Any, envelope: Any, address: str, options: list[str]) -> str:  # noqa: N802 - aiosmtpd's name
        """Take a mail on a connection that did not have its share."""
        if self.connections[session.peer] == self.most:
            return "421 4.7.0 Enough mails for one connection"
        self.connections[session.peer] += 1
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's name
        """Keep a mail; over TLS from the first byte only of who has logged in."""
        if server.transport.get_extra_info("ssl_object") and not session.authenticated:
            return "530 5.7.0 Log in first"
        if self.answers:
            return self.answers.pop(0)
        self.contents.append(envelope.content)
        self.mails.append(parse_mail(envelope.content))
        self.recipients.append(list(envelope.rcpt_tos))
        if self.loses_answers:
            server.transport.close()
        if len(self.mails) > self.answered:
            await asyncio.to_thread(self.goes_on.wait, 60)
        return "250 OK"

    def check_login(self, _server: Any, _session: Any, _envelope: Any, _kind: str, data: Any) -> AuthResult:
        """Let in USER with PASSWORD."""
        assert isinstance(data, LoginPassword)
        self.logins.append(data.login.decode())
        return AuthResult(success=(data.login, data.password) == (USER.encode(), PASSWORD.encode()), handled=False)


@contextmanager
def smtp_server(folder: Path, *, tls: bool = True, wrapped: bool = False) -> Iterator[Inbox]:
    """Run a server: with `tls` it takes mails after STARTTLS and a login, where it is `wrapped` after a login over TLS
    from the first byte, and without both from everybody."""
    certificate, key = make_certificate(folder)
    inbox = Inbox(free_port(), certificate)
    options: dict[str, Any] = {}
    if tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        options = {"authenticator": inbox.check_login}
        # aiosmtpd knows of no TLS but that of STARTTLS, so that the inbox asks for the login itself.
        secured = {"ssl_context": context, "auth_require_tls": False}
        options |= secured if wrapped else {"tls_context": context, "require_starttls": True, "auth_required": True}
    controller = Controller(inbox, hostname="127.0.0.1", port=inbox.port, **options)
    controller.start()
    try:
        yield inbox
    finally:
        controller.stop()


def make_certificate(folder: Path) -> tuple[Path, Path]:
    """Write a certificate for `localhost`, signed by itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    certificate_file, key_file = folder / "certificate.pem", folder / "key.pem"
    certificate_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    key_file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return certificate_file, key_file


def parse_mail(content: bytes) -> EmailMessage:
    """Read a mail as a mail program does."""
    message = message_from_bytes(content.replace(b"\r\n", b"\n"), policy=policy.default)
    assert isinstance(message, EmailMessage)
    return message


def text_of(message: EmailMessage) -> str:
    """Return the part for eyes without HTML."""
    part = message.get_body(("plain",))
    assert part is not None
    return str(part.get_content())


def token_of(message: EmailMessage) -> str:
    """Return the token that a mail's link carries."""
    found = re.search(r"#token=([A-Za-z0-9_-]+)", text_of(message))
    assert found, text_of(message)
    return found[1]


class MailTools(SimpleNamespace):
    """A worker's tools for mails, which are kept in a folder."""

    def __init__(self, settings: Settings, folder: Path) -> None:
        mailer = FolderMailer(folder, settings.mail_from)
        super().__init__(mailer=mailer, vault=Vault(settings.secret_key), public_url=settings.public_url)

    @property
    def mails(self) -> list[EmailMessage]:
        """What was sent, oldest first."""
        return [parse_mail(path.read_bytes()) for path in sorted(self.mailer.folder.glob("*.eml"))]


def mail_to(platform: Platform, address: str, subject: str) -> Any:
    """Wait for a mail of this subject, on a platform that keeps them as files."""
    folder = Path(platform.environment["DATA_DIR"]) / "mail"

    def look() -> Any:
        mails = [parse_mail(path.read_bytes()) for path in folder.glob("*.eml")] if folder.exists() else []
        return next((mail for mail in mails if (mail["To"], mail["Subject"]) == (address, subject)), None)

    return wait_for(look, 40)
