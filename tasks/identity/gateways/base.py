"""What a mailer is, and the message that all of them send."""

from __future__ import annotations

from dataclasses import dataclass
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime, parseaddr
from typing import Protocol

from app.kernel.clock import utc_now
from app.kernel.errors import Permanent, Transient


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
    """Return the message (RFC 5322) of a mail. Raises MailRefused for a line break or another control character in a
    header, which would let its writer add headers and recipients."""
    if not all(header.isprintable() for header in (mail.to, mail.subject, mail.id, sender)):
        raise MailRefused("A header contains control characters.")
    name, address = parseaddr(sender)
    domain = address.rpartition("@")[2]
    message = EmailMessage()
    message["From"] = sender if not name else Address(display_name=name, addr_spec=address)
    message["To"] = _as_address(mail.to)
    message["Subject"] = mail.subject
    message["Date"] = format_datetime(utc_now())
    message["Message-ID"] = f"<{mail.id}@{domain}>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(mail.text)
    message.add_alternative(mail.html, subtype="html")
    return message


def _as_address(text: str) -> Address:
    try:
        return Address(addr_spec=text)
    except (ValueError, IndexError, MessageError) as error:
        raise MailRefused("This is not an address.") from error
