"""Twilio SendGrid (https://www.twilio.com/docs/sendgrid/api-reference/mail-send/mail-send)."""

from __future__ import annotations

from base64 import b64encode
from typing import Any, ClassVar, Final

import orjson

from app.kernel.addresses import AddressRules
from tasks.notifications.gateways.base import Mail, Receipt
from tasks.notifications.gateways.http import JSON, HttpProvider
from tasks.notifications.gateways.message import check_headers

URLS: Final = {"us": "https://api.sendgrid.com", "eu": "https://api.eu.sendgrid.com"}


class SendGrid(HttpProvider):
    """Has no way to be asked for a mail, but one that costs extra."""

    name: ClassVar[str] = "SendGrid"

    def __init__(self, base_url: str, rules: AddressRules, *, api_key: str) -> None:
        super().__init__(base_url, rules)
        self._headers = {**JSON, "Authorization": f"Bearer {api_key}"}

    def send(self, mail: Mail) -> Receipt:
        """Hand a mail over; raises a MailError."""
        check_headers(mail)
        reply = self.hand_over("/v3/mail/send", self._headers, orjson.dumps(_shape(mail)))
        return Receipt(f"{reply.status} accepted", reply.headers.get("x-message-id"))

    def validate(self) -> str:
        """Look up to whom the key belongs; raises a MailError."""
        said = self.ask("/v3/user/profile", self._headers)
        return f"The key belongs to {said.get('company') or said.get('first_name') or 'an account'}."


def _shape(mail: Mail) -> dict[str, Any]:
    contents = (("text/plain", mail.text), ("text/html", mail.html))
    to: dict[str, Any] = {"to": [{"email": mail.recipient}]}
    # It refuses a mail that names somebody twice.
    for name, copies in (("cc", mail.cc), ("bcc", mail.bcc)):
        if copies:
            to[name] = [{"email": one} for one in copies]
    shape: dict[str, Any] = {
        "personalizations": [to],
        "from": {"email": mail.sender, **({"name": mail.sender_name} if mail.sender_name else {})},
        "subject": mail.subject,
        "content": [{"type": kind, "value": value} for kind, value in contents if value is not None],
        "custom_args": {"mail_id": mail.id},
        "headers": {"Message-ID": f"<{mail.message_id}>", **mail.more_headers},
    }
    if mail.attachments:
        shape["attachments"] = [
            {"content": b64encode(one.content).decode(), "type": one.content_type, "filename": one.filename}
            for one in mail.attachments
        ]
    if mail.reply_to:
        shape["reply_to"] = {"email": mail.reply_to}
    return shape
