"""A mailer that speaks SMTP (RFC 5321). A password is sent over TLS alone, and no answer of a server is repeated in an
error but its number."""

from __future__ import annotations

import smtplib
import ssl
from dataclasses import dataclass
from email.message import EmailMessage
from typing import Final
from urllib.parse import unquote, urlsplit

from tasks.identity.gateways.base import Mail, MailAway, MailRefused, build_message

SECONDS: Final = 15.0
PORTS: Final = {"smtp": 587, "smtps": 465, "smtp+plain": 25}


@dataclass(frozen=True, slots=True)
class Server:
    """Where a server is, how its connections are encrypted (`smtp` STARTTLS, `smtps` TLS, `smtp+plain` not at all), and
    as whom to log in."""

    scheme: str
    host: str
    port: int
    username: str = ""
    password: str = ""

    def __repr__(self) -> str:
        """Return it without the password."""
        return f"{self.scheme}://{self.host}:{self.port}"


class SmtpMailer:
    """Hands mails to a server, each over a connection of its own: few mails are sent, and none waits for another."""

    def __init__(self, server: Server, sender: str, tls: ssl.SSLContext | None = None) -> None:
        self._server = server
        self._sender = sender
        self._tls = tls or ssl.create_default_context()

    @classmethod
    def at(cls, url: str, sender: str, tls: ssl.SSLContext | None = None) -> SmtpMailer:
        """Return the mailer of an address such as `smtp://user:password@host:587`. Raises ValueError."""
        parts = urlsplit(url)
        if parts.scheme not in PORTS or not parts.hostname:
            raise ValueError(f"SMTP_URL must begin with one of {', '.join(f'{name}://' for name in PORTS)} and a host")
        if parts.scheme == "smtp+plain" and parts.password:
            raise ValueError("SMTP_URL: a password is not sent without encryption; use smtp:// or smtps://")
        username, password = unquote(parts.username or ""), unquote(parts.password or "")
        port = parts.port or PORTS[parts.scheme]
        return cls(Server(parts.scheme, parts.hostname, port, username, password), sender, tls)

    def send(self, mail: Mail) -> None:
        """Send a mail; raises MailRefused for what the server refuses for good, MailAway for everything else."""
        message = build_message(mail, self._sender)
        try:
            with self._connect() as connection:
                self._hand_over(connection, message)
        except smtplib.SMTPRecipientsRefused as error:
            raise _judge(min(code for code, _ in error.recipients.values())) from error
        except smtplib.SMTPAuthenticationError as error:
            raise MailAway(f"The mail server refuses our login ({error.smtp_code}).") from error
        except smtplib.SMTPResponseException as error:
            raise _judge(error.smtp_code) from error
        except smtplib.SMTPNotSupportedError as error:
            raise MailAway("The mail server does not offer STARTTLS or logins.") from error
        except (smtplib.SMTPException, OSError) as error:
            raise MailAway(f"The mail server cannot be reached ({type(error).__name__}).") from error

    def _connect(self) -> smtplib.SMTP:
        server = self._server
        if server.scheme == "smtps":
            return smtplib.SMTP_SSL(server.host, server.port, timeout=SECONDS, context=self._tls)
        return smtplib.SMTP(server.host, server.port, timeout=SECONDS)

    def _hand_over(self, connection: smtplib.SMTP, message: EmailMessage) -> None:
        if self._server.scheme == "smtp":
            connection.starttls(context=self._tls)
        if self._server.username:
            connection.login(self._server.username, self._server.password)
        connection.send_message(message)


def _judge(code: int) -> MailRefused | MailAway:
    """Return the fate of a mail by the server's answer: 5xx stays, all else passes."""
    if 500 <= code <= 599:
        return MailRefused(f"The mail server refuses this mail ({code}).")
    return MailAway(f"The mail server does not take this mail now ({code}).")
