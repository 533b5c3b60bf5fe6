"""What a mailer is, and the message that all of them send."""

from __future__ import annotations

from dataclasses import dataclass
from email.utils import parseaddr
from typing import Protocol

from app.kernel.errors import Permanent, Transient
from tasks.notifications import gateways as outgoing


class MailAway(Transient):
    """The mail server does not take mails now."""

    code = "MAIL_SERVER_UNAVAILABLE"


class MailNotConfigured(Permanent):
    """No mail server is configured: set SMTP_URL."""

    code = "MAIL_NOT_CONFIGURED"


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail to one address; `id` is the same at each try, so that a doubled one can be told."""

    id: str
    to: str
    subject: str
    text: str
    html: str


class Mailer(Protocol):
    """Hands mails over to be delivered."""

    def send(self, mail: Mail) -> None:
        """Send a mail; raises MailAway, MailRefused or MailNotConfigured."""


def as_sent(mail: Mail, sender: str) -> outgoing.Mail:
    """Return a mail as notifications send it; `sender` is an address, with or without a name."""
    name, address = parseaddr(sender)
    whose = (mail.id, address or sender, name or None, mail.to)
    return outgoing.Mail(*whose, mail.subject, mail.text, mail.html, is_automatic=True)
