"""A provider that speaks SMTP (RFC 5321), over one connection for many mails. A password is sent over TLS alone, and
the address is one that may be connected to, judged as it is connected to."""

from __future__ import annotations

import smtplib
import ssl
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Self

from app.kernel.addresses import AddressRules
from tasks.notifications.gateways.base import (
    LoginRefused,
    Mail,
    MailDeferred,
    MailError,
    MailRefused,
    OutcomeUnknown,
    ProviderAway,
    Receipt,
    clean,
)
from tasks.notifications.gateways.dkim import DkimKey, sign
from tasks.notifications.gateways.message import build_message
from tasks.notifications.gateways.smtp_connection import Checked, CheckedTls

GREETS: Final = 220
TAKEN: Final = 250
TAKES_RECIPIENT: Final = (250, 251)
GO_ON: Final = 354
CLOSES: Final = 421
LOGIN_FAULTS: Final = (530, 534, 535, 538)


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

    can_find = False

    def __init__(
        self, server: Server, rules: AddressRules, tls: ssl.SSLContext | None = None, dkim: DkimKey | None = None
    ) -> None:
        self._server = server
        self._rules = rules
        self._dkim = dkim
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

    def send(self, mail: Mail) -> Receipt:
        """Hand a mail over; raises a MailError. A connection that was lost since the last mail is made anew."""
        content = build_message(mail) if self._dkim is None else sign(build_message(mail), self._dkim)
        try:
            return self._hand_over(self._begin(mail), content)
        except (smtplib.SMTPException, OSError) as error:
            self._drop()
            raise _judge_failure(error) from error

    def find(self, mail: Mail) -> Receipt | None:  # noqa: ARG002 - a provider's
        """Return None: SMTP has no way to ask."""
        return None

    def validate(self) -> str:
        """Connect and log in; returns the greeting."""
        connection = self._connect_if_needed()
        try:
            code, said = connection.noop()
        except (smtplib.SMTPException, OSError) as error:
            self._drop()
            raise _judge_failure(error) from error
        return f"{code} {_text(said)}"

    def _begin(self, mail: Mail) -> smtplib.SMTP:
        """Say from whom and to whom, on the connection of the last mail where there is one: a server may have ended
        that meanwhile, or end it now because it has taken enough mails, and then takes them on another."""
        if self._connection is not None:
            try:
                self._address(self._connection, mail)
            except (ProviderAway, smtplib.SMTPException, OSError):
                self._drop()
            else:
                return self._connection
        connection = self._connect_if_needed()
        self._address(connection, mail)
        return connection

    def _address(self, connection: smtplib.SMTP, mail: Mail) -> None:
        """Say from whom and to whom. What is refused here is judged at once: nothing was handed over."""
        code, said = connection.mail(mail.sender)
        for address in (mail.recipient, *mail.cc, *mail.bcc):
            if code not in TAKES_RECIPIENT:
                break
            code, said = connection.rcpt(address)
        if code not in TAKES_RECIPIENT:
            self._begin_anew(connection)
            raise _judge(code, said)

    def _hand_over(self, connection: smtplib.SMTP, content: bytes) -> Receipt:
        """Speak this part ourselves: `smtplib` keeps the server's last words, which hold its own id, to itself, and
        does not tell a connection that is lost before the mail from one that is lost after it."""
        code, said = connection.docmd("DATA")
        if code != GO_ON:
            self._begin_anew(connection)
            raise _judge(code, said)
        # In one piece: the end alone would wait for the server's acknowledgement of the rest.
        connection.send(quote_dots(content) + b".\r\n")
        try:
            code, said = connection.getreply()
        except (smtplib.SMTPException, OSError) as error:
            self._drop()
            raise OutcomeUnknown("The mail server has the mail, and its answer was lost.") from error
        if code != TAKEN:
            raise _judge(code, said)
        return Receipt(f"{code} {_text(said)}")

    def _begin_anew(self, connection: smtplib.SMTP) -> None:
        with suppress(smtplib.SMTPException, OSError):
            if connection.rset()[0] == TAKEN:
                return
        self._drop()

    def _connect_if_needed(self) -> smtplib.SMTP:
        if self._connection is not None:
            return self._connection
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
        kind = CheckedTls if server.security == "tls" else Checked
        connection = kind(self._rules, self._tls)
        try:
            code, said = connection.connect(server.host, server.port)
            if code != GREETS:
                raise smtplib.SMTPConnectError(code, said)
            if server.security == "starttls":
                connection.starttls(context=self._tls)
            connection.ehlo_or_helo_if_needed()
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


def quote_dots(content: bytes) -> bytes:
    """Return a mail whose lines end with CRLF so that no line of it is the one that ends it (RFC 5321, 4.5.2)."""
    quoted = content.replace(b"\r\n.", b"\r\n..")
    quoted = b"." + quoted if quoted.startswith(b".") else quoted
    return quoted if quoted.endswith(b"\r\n") else quoted + b"\r\n"


def _judge(code: int, said: bytes | str) -> MailError:
    """Return the fate of a mail by the server's answer: 5xx stays, 421 and those about logins are the
    server's, all else passes."""
    text = f"The mail server says {code} {_text(said)}"
    if code == CLOSES or code < 0:
        return ProviderAway(text, answer=code)
    if code in LOGIN_FAULTS:
        return LoginRefused(text, answer=code)
    return MailRefused(text, answer=code) if 500 <= code <= 599 else MailDeferred(text, answer=code)


def _judge_failure(error: Exception) -> MailError:
    if isinstance(error, smtplib.SMTPResponseException):
        return _judge(error.smtp_code, error.smtp_error)
    if isinstance(error, smtplib.SMTPServerDisconnected):
        return ProviderAway("The mail server has ended the connection.")
    return ProviderAway(f"The mail server cannot be reached ({type(error).__name__}).")


def _text(said: bytes | str) -> str:
    return clean(said.decode("utf-8", "replace") if isinstance(said, bytes) else said)
