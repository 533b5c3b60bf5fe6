"""A mail as it is sent (RFC 5322), built by the standard library: no header holds what its writer did not mean."""

from __future__ import annotations

from email import policy
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Final

from app.kernel.clock import utc_now
from tasks.notifications.gateways.base import Mail, MailRefused

# Nothing but ASCII goes over the wire, which every server on the way takes.
POLICY: Final = policy.SMTP.clone(cte_type="7bit")


def build_message(mail: Mail) -> bytes:
    """Return the mail as it goes over the wire; raises MailRefused."""
    return write_message(mail).as_bytes()


def write_message(mail: Mail) -> EmailMessage:
    """Return the mail without those who get blind copies. Raises MailRefused for a line break or another control
    character in a header, which would let its writer add headers and recipients."""
    check_headers(mail)
    message = EmailMessage(policy=POLICY)
    message["From"] = _address(mail.sender, mail.sender_name)
    message["To"] = _address(mail.recipient)
    if mail.cc:
        message["Cc"] = [_address(one) for one in mail.cc]
    if mail.reply_to:
        message["Reply-To"] = _address(mail.reply_to)
    message["Subject"] = mail.subject
    message["Date"] = format_datetime(utc_now())
    message["Message-ID"] = f"<{mail.message_id}>"
    for name, value in mail.more_headers.items():
        message[name] = value
    _fill(message, mail)
    return message


def check_headers(mail: Mail) -> None:
    """Raise MailRefused for what would end its header and begin another."""
    given = (mail.id, mail.subject, mail.sender_name or "", mail.sender, mail.recipient, mail.reply_to or "")
    files = (text for one in mail.attachments for text in (one.filename, one.content_type))
    if not all(one.isprintable() for one in (*given, *mail.cc, *mail.bcc, *files)):
        raise MailRefused("A header contains control characters.")


def _fill(message: EmailMessage, mail: Mail) -> None:
    if mail.html is None:
        message.set_content(mail.text or "")
    elif mail.text is None:
        message.set_content(mail.html, subtype="html")
    else:
        message.set_content(mail.text)
        message.add_alternative(mail.html, subtype="html")
    for one in mail.attachments:
        main, _, sub = one.content_type.partition("/")
        message.add_attachment(one.content, maintype=main, subtype=sub, filename=one.filename)


def _address(text: str, name: str | None = None) -> Address:
    try:
        return Address(display_name=name or "", addr_spec=text)
    except (ValueError, IndexError, MessageError) as error:
        raise MailRefused("This is not an address.") from error
