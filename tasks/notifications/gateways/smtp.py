"""A provider that speaks SMTP (RFC 5321), over one connection for many mails. A password is sent over TLS alone, and the
address is one that may be connected to, judged as it is connected to."""

from __future__ import annotations

import smtplib
import socket
import ssl
import time
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Self

from app.kernel.addresses import AddressRules, read_address
from tasks.gateways import look_up
from tasks.notifications.gateways.base import (
    LoginRefused,
    MailDeferred,
    MailError,
    MailRefused,
    Outgoing,
    ProviderAway,
    Receipt,
)

SECONDS: Final = 15.0
LONGEST_RESPONSE: Final = 500


@dataclass(frozen=True, slots=True)
class Server:
    """Where a server is and as whom to log in; `security` is `tls`, `starttls` or `none`."""

    host: str
    port: int
    security: str = "starttls"
    username: str = ""
    password: str = ""

    def __repr__(self) -> str:
        """Return it without the password."""
        return f"{self.host}:{self.port}"


class SmtpProvider:
    """A mail server of an owner."""

    def __init__(self, server: Server, rules: AddressRules, tls: ssl.SSLContext | None = None) -> None:
        self._server = server
        self._rules = rules
        self._tls = tls or ssl.create_default_context()
        self._connection: smtplib.SMTP | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._connection is not None:
            with suppress(smtplib.SMTPException, OSError):
                self._connection.quit()
        self._drop()

    def send(self, mail: Outgoing) -> Receipt:
        """Hand a mail over; raises a MailError. A connection that was lost since the last mail is made anew."""
        connection = self._connect_if_needed()
        try:
            return self._hand_over(connection, mail)
        except smtplib.SMTPServerDisconnected as error:
            self._drop()
            raise ProviderAway("The mail server has ended the connection.") from error
        except smtplib.SMTPResponseException as error:
            raise _judge(error.smtp_code, error.smtp_error) from error
        except (smtplib.SMTPException, OSError) as error:
            self._drop()
            raise ProviderAway(f"The mail server cannot be reached ({type(error).__name__}).") from error

    def validate(self) -> str:
        """Connect and log in; returns the greeting."""
        connection = self._connect_if_needed()
        try:
            code, said = connection.noop()
        except (smtplib.SMTPException, OSError) as error:
            self._drop()
            raise ProviderAway(f"The mail server cannot be reached ({type(error).__name__}).") from error
        return f"{code} {_text(said)}"

    def _hand_over(self, connection: smtplib.SMTP, mail: Outgoing) -> Receipt:
        """Speak the transaction itself: `sendmail` keeps the server's last words, which hold its own id, to itself."""
        options = ["SMTPUTF8"] if connection.has_extn("smtputf8") and not _is_ascii(mail) else []
        code, said = connection.mail(mail.sender, options)
        if code != 250:
            connection.rset()
            raise _judge(code, said)
        for recipient in (mail.recipient, *mail.copies):
            code, said = connection.rcpt(recipient)
            if code not in (250, 251):
                connection.rset()
                raise _judge(code, said)
        code, said = connection.data(mail.message.as_bytes(policy=mail.message.policy.clone(linesep="\r\n")))
        if code != 250:
            with suppress(smtplib.SMTPException, OSError):
                connection.rset()
            raise _judge(code, said)
        return Receipt(f"{code} {_text(said)}")

    def _connect_if_needed(self) -> smtplib.SMTP:
        if self._connection is not None:
            with suppress(smtplib.SMTPException, OSError):
                if self._connection.noop()[0] == 250:
                    return self._connection
            self._drop()
        try:
            self._connection = self._connect()
        except smtplib.SMTPAuthenticationError as error:
            raise LoginRefused(f"The mail server refuses our login ({error.smtp_code}).") from error
        except smtplib.SMTPNotSupportedError as error:
            raise ProviderAway("The mail server offers no STARTTLS, or no login.") from error
        except ssl.SSLCertVerificationError as error:
            raise ProviderAway("The mail server's certificate cannot be trusted.") from error
        except (smtplib.SMTPException, OSError) as error:
            raise ProviderAway(f"The mail server cannot be reached ({type(error).__name__}).") from error
        return self._connection

    def _connect(self) -> smtplib.SMTP:
        server = self._server
        if server.password and server.security == "none":
            raise LoginRefused("A password is not sent without encryption.")
        kind = _CheckedTls if server.security == "tls" else _Checked
        connection = kind(self._rules, self._tls)
        try:
            connection.connect(server.host, server.port)
            if server.security == "starttls":
                connection.starttls(context=self._tls)
            if server.username:
                connection.login(server.username, server.password)
        except BaseException:
            connection.close()
            raise
        return connection

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()


class _Checked(smtplib.SMTP):
    """Connects to an address that was checked: what a name leads to is asked once."""

    def __init__(self, rules: AddressRules, tls: ssl.SSLContext) -> None:
        self._rules = rules
        self._tls = tls
        self._name = ""
        super().__init__(timeout=SECONDS)

    def connect(self, host: str = "localhost", port: int = 0, source_address: Any = None) -> tuple[int, bytes]:
        """Connect; the name is kept for the certificate."""
        self._host = self._name = host
        return super().connect(host, port, source_address)

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:  # type: ignore[override]
        return _open(self._rules, host, port, timeout)


class _CheckedTls(_Checked):
    """The same, encrypted from the first byte."""

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:  # type: ignore[override]
        return self._tls.wrap_socket(_open(self._rules, host, port, timeout), server_hostname=host)


def _open(rules: AddressRules, host: str, port: int, timeout: float) -> socket.socket:
    ends = time.monotonic() + timeout

    def keep() -> None:
        if time.monotonic() > ends:
            raise ProviderAway("The mail server's name was not found in time.")

    literal = read_address(host)
    addresses = [str(literal)] if literal is not None else look_up(host, port, keep)
    faults = [fault for one in (host, *addresses) if (fault := rules.find_fault(one))]
    if faults:
        raise LoginRefused(f"The mail server's address {faults[0]}.")
    if not addresses:
        raise ProviderAway("The mail server's name cannot be found.")
    return socket.create_connection((addresses[0], port), timeout)


def _judge(code: int, said: bytes | str) -> MailError:
    """Return the fate of a mail by the server's answer: 5xx stays, 421 is the server's, all else passes."""
    text = f"The mail server says {code} {_text(said)}"
    if code == 421:
        return ProviderAway(text)
    return MailRefused(text) if 500 <= code <= 599 else MailDeferred(text)


def _text(said: bytes | str) -> str:
    text = said.decode("utf-8", "replace") if isinstance(said, bytes) else said
    return "".join(one if one.isprintable() else " " for one in text)[:LONGEST_RESPONSE]


def _is_ascii(mail: Outgoing) -> bool:
    return all(one.isascii() for one in (mail.sender, mail.recipient, *mail.copies))
