"""Postmark (https://postmarkapp.com/developer/api/email-api)."""

from __future__ import annotations

from base64 import b64encode
from email.headerregistry import Address
from typing import Any, ClassVar, Final
from urllib.parse import urlencode

import orjson

from app.kernel.addresses import AddressRules
from tasks.gateways import Reply
from tasks.notifications.gateways.base import LoginRefused, Mail, MailError, Receipt
from tasks.notifications.gateways.http import JSON, HttpProvider
from tasks.notifications.gateways.message import check_headers

URL: Final = "https://api.postmarkapp.com"
# https://postmarkapp.com/developer/api/overview#error-codes: the sender or the server may not send at all.
SETTINGS_CODES: Final = frozenset({10, 400, 401, 405, 412, 1235})


class Postmark(HttpProvider):
    """Sends by one server of an account; its log tells whether it has a mail."""

    name: ClassVar[str] = "Postmark"
    can_find = True

    def __init__(self, base_url: str, rules: AddressRules, *, server_token: str, message_stream: str) -> None:
        super().__init__(base_url, rules)
        self._stream = message_stream
        self._headers = {**JSON, "X-Postmark-Server-Token": server_token}

    def send(self, mail: Mail) -> Receipt:
        """Hand a mail over; raises a MailError."""
        check_headers(mail)
        said = self.read(self.hand_over("/email", self._headers, orjson.dumps(_shape(mail, self._stream))))
        return Receipt(str(said.get("Message", "taken")), said.get("MessageID"))

    def find(self, mail: Mail) -> Receipt | None:
        """Look for a mail in the log; raises a MailError."""
        query = urlencode({"count": 1, "offset": 0, "metadata_mail-id": mail.id, "messagestream": self._stream})
        found = self.ask(f"/messages/outbound?{query}", self._headers).get("Messages") or []
        return Receipt("Postmark has it already.", found[0].get("MessageID")) if found else None

    def validate(self) -> str:
        """Look up to which server the token belongs; raises a MailError."""
        return f"The token belongs to the server {self.ask('/server', self._headers).get('Name', '')!r}."

    def judge(self, reply: Reply) -> MailError:
        """Postmark's own number tells what is wrong with the mail from what is wrong with the account."""
        error = super().judge(reply)
        try:
            code = orjson.loads(reply.body).get("ErrorCode")
        except (orjson.JSONDecodeError, AttributeError):
            return error
        return LoginRefused(error.message) if code in SETTINGS_CODES else error


def _shape(mail: Mail, stream: str) -> dict[str, Any]:
    shape: dict[str, Any] = {
        "From": str(Address(display_name=mail.sender_name or "", addr_spec=mail.sender)),
        "To": mail.recipient,
        "Cc": ",".join(mail.cc) or None,
        "Bcc": ",".join(mail.bcc) or None,
        "ReplyTo": mail.reply_to,
        "Subject": mail.subject,
        "TextBody": mail.text,
        "HtmlBody": mail.html,
        "MessageStream": stream,
        "Metadata": {"mail-id": mail.id},
        "Headers": [
            {"Name": name, "Value": value}
            for name, value in {"Message-ID": f"<{mail.message_id}>", **mail.more_headers}.items()
        ],
    }
    if mail.attachments:
        shape["Attachments"] = [
            {"Name": one.filename, "Content": b64encode(one.content).decode(), "ContentType": one.content_type}
            for one in mail.attachments
        ]
    return {name: value for name, value in shape.items() if value is not None}
