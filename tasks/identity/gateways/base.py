"""What a mailer is, and the message that all of them send."""

from __future__ import annotations

from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import parseaddr
from typing import Protocol

from app.kernel.errors import Permanent, Transient
from tasks.notifications import gateways as outgoing
from tasks.notifications.gateways import write_message


class MailAway(Transient):
    """The mail server does not take mails now."""

    code = "MAIL_SERVER_UNAVAILABLE"


class MailRefused(Permanent):
    """This mail cannot be sent: an address or a header is wrong, or the server refuses it for good."""

    code = "MAIL_REFUSED"


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


def build_message(mail: Mail, sender: str) -> EmailMessage:
    """Return the message (RFC 5322) of a mail, built as notifications are. Raises MailRefused for a line break or
    another control character in a header, which would let its writer add headers and recipients."""
    name, address = parseaddr(sender)
    written = outgoing.Mail(mail.id, address or sender, name or None, mail.to, mail.subject, mail.text, mail.html)
    try:
        message = write_message(written)
    except outgoing.MailRefused as error:
        raise MailRefused(error.message) from error
    message["Auto-Submitted"] = "auto-generated"
    return message
