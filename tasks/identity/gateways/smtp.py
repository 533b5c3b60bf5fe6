"""A mailer that speaks SMTP, by the provider that notifications go by: what it connects to, signs and makes of answers
is one thing. Of those no error here repeats more than the number: servers quote mails, whose links let in."""

from __future__ import annotations

import ssl
from typing import Final
from urllib.parse import unquote, urlsplit

from app.kernel.addresses import AddressRules
from app.notifications import find_key_fault
from tasks.identity.gateways.base import Mail, MailAway, as_sent
from tasks.notifications.gateways import DkimKey, MailError, MailRefused, Server, SmtpProvider

# By scheme: how connections are encrypted, and the port where none is given.
SCHEMES: Final = {"smtp": ("starttls", 587), "smtps": ("tls", 465), "smtp+plain": ("none", 25)}
# Whoever runs the platform says where its mails go.
OWN: Final = AddressRules(allow_private=True, allow_loopback=True)


class SmtpMailer:
    """Hands mails to a server, each over a connection of its own: few mails are sent, and none waits for another."""

    def __init__(self, server: Server, sender: str, tls: ssl.SSLContext | None = None, dkim: DkimKey | None = None):
        self._server = server
        self._sender = sender
        self._tls = tls or ssl.create_default_context()
        self._dkim = dkim

    @classmethod
    def at(cls, url: str, sender: str, tls: ssl.SSLContext | None = None, dkim: DkimKey | None = None) -> SmtpMailer:
        """Return the mailer of an address such as `smtp://user:password@host:587`. Raises ValueError."""
        parts = urlsplit(url)
        if parts.scheme not in SCHEMES or not parts.hostname:
            raise ValueError(
                f"SMTP_URL must begin with one of {', '.join(f'{name}://' for name in SCHEMES)} and a host"
            )
        security, port = SCHEMES[parts.scheme]
        if security == "none" and parts.password:
            raise ValueError("SMTP_URL: a password is not sent without encryption; use smtp:// or smtps://")
        login = (unquote(parts.username or ""), unquote(parts.password or ""))
        return cls(Server(parts.hostname, parts.port or port, security, *login), sender, tls, dkim)

    def send(self, mail: Mail) -> None:
        """Send a mail; raises MailRefused for what the server refuses for good, MailAway for everything else."""
        try:
            with SmtpProvider(self._server, OWN, self._tls, self._dkim) as provider:
                provider.send(as_sent(mail, self._sender))
        except MailError as error:
            raise _judge(error) from error


def read_dkim_key(domain: str, selector: str, private_key: str) -> DkimKey | None:
    """Return what mails are signed by, None where nothing is given. Raises ValueError for what cannot sign."""
    given = (domain, selector, private_key)
    if not any(given):
        return None
    if not all(given):
        raise ValueError("DKIM_DOMAIN, DKIM_SELECTOR and DKIM_PRIVATE_KEY go together")
    if fault := find_key_fault(private_key):
        raise ValueError(f"DKIM_PRIVATE_KEY {fault}")
    return DkimKey(*given)


def _judge(error: MailError) -> MailRefused | MailAway:
    """Return the fate of a mail: what is refused stays so, all else passes."""
    kind = MailRefused if isinstance(error, MailRefused) else MailAway
    if (answer := error.details.get("answer")) is None:
        return kind(error.message)
    said = "refuses this mail" if kind is MailRefused else "does not take this mail now"
    return kind(f"The mail server {said} ({answer}).")
