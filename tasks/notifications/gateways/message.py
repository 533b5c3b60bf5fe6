"""A mail as it is sent (RFC 5322), built by the standard library: no header holds what its writer did not mean."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime

from app.kernel.clock import utc_now
from tasks.notifications.gateways.base import MailRefused


@dataclass(frozen=True, slots=True)
class Writing:
    """What a mail says and to whom; `id` is the same at each try, so that a doubled one can be told. `unsubscribe` is an
    address of ours that takes a POST (RFC 8058)."""

    id: str
    sender: str
    sender_name: str | None
    recipient: str
    subject: str
    text: str | None
    html: str | None
    reply_to: str | None = None
    cc: Sequence[str] = ()
    unsubscribe: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


def build_message(writing: Writing) -> EmailMessage:
    """Return the mail. Raises MailRefused for a line break or another control character in a header, which would let its
    writer add headers and recipients."""
    given = (writing.subject, writing.sender_name or "", *writing.headers.values())
    if not all(one.isprintable() for one in given):
        raise MailRefused("A header contains control characters.")
    message = EmailMessage()
    message["From"] = _address(writing.sender, writing.sender_name)
    message["To"] = _address(writing.recipient)
    if writing.cc:
        message["Cc"] = [_address(one) for one in writing.cc]
    if writing.reply_to:
        message["Reply-To"] = _address(writing.reply_to)
    message["Subject"] = writing.subject
    message["Date"] = format_datetime(utc_now())
    message["Message-ID"] = f"<{writing.id}@{writing.sender.rpartition('@')[2]}>"
    if writing.unsubscribe:
        message["List-Unsubscribe"] = f"<{writing.unsubscribe}>"
        message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    for name, value in writing.headers.items():
        message[name] = value
    _fill(message, writing)
    return message


def _fill(message: EmailMessage, writing: Writing) -> None:
    if writing.text is not None or writing.html is None:
        message.set_content(writing.text or "")
        if writing.html is not None:
            message.add_alternative(writing.html, subtype="html")
    else:
        message.set_content(writing.html, subtype="html")


def _address(text: str, name: str | None = None) -> Address:
    try:
        return Address(display_name=name or "", addr_spec=text)
    except (ValueError, IndexError, MessageError) as error:
        raise MailRefused("This is not an address.") from error
