"""Mailgun (https://documentation.mailgun.com/docs/mailgun/api-reference); it takes a mail as it would go over SMTP."""

from __future__ import annotations

import base64
from typing import ClassVar, Final
from urllib.parse import quote, urlencode

from app.kernel.addresses import AddressRules
from tasks.gateways import Reply
from tasks.notifications.gateways.base import LoginRefused, Mail, MailError, ProviderAway, Receipt
from tasks.notifications.gateways.http import HttpProvider
from tasks.notifications.gateways.message import build_message

URLS: Final = {"us": "https://api.mailgun.net", "eu": "https://api.eu.mailgun.net"}
NOT_FOUND: Final = 404


class Mailgun(HttpProvider):
    """Sends from one domain; its events tell whether it has a mail."""

    name: ClassVar[str] = "Mailgun"
    can_find = True

    def __init__(self, base_url: str, rules: AddressRules, *, api_key: str, domain: str) -> None:
        super().__init__(base_url, rules)
        self._domain = quote(domain, safe="")
        self._headers = {"Authorization": "Basic " + base64.b64encode(f"api:{api_key}".encode()).decode()}

    def send(self, mail: Mail) -> Receipt:
        """Hand a mail over; raises a MailError."""
        # Not to be found in the mail, which the boundary of its parts must not be.
        boundary = f"headrace-{mail.id}"
        headers = {**self._headers, "Content-Type": f"multipart/form-data; boundary={boundary}"}
        said = self.read(self.hand_over(f"/v3/{self._domain}/messages.mime", headers, _write(mail, boundary)))
        return Receipt(str(said.get("message", "taken")), str(said.get("id", "")).strip("<>") or None)

    def find(self, mail: Mail) -> Receipt | None:
        """Look for a mail among those it has accepted; raises a MailError."""
        query = urlencode({"message-id": mail.message_id, "event": "accepted", "limit": 1})
        said = self.ask(f"/v3/{self._domain}/events?{query}", self._headers)
        return Receipt("Mailgun has accepted it before.", mail.message_id) if said.get("items") else None

    def validate(self) -> str:
        """Look up the domain; raises a MailError, also where the domain may not send."""
        domain = self.ask(f"/v3/domains/{self._domain}", self._headers).get("domain") or {}
        if domain.get("state") != "active":
            raise ProviderAway(f"The domain is {domain.get('state', 'unknown')} at Mailgun.")
        return "The domain is active."

    def judge(self, reply: Reply) -> MailError:
        """A domain that it does not know is a matter of settings, and not of the mail."""
        error = super().judge(reply)
        return LoginRefused(error.message) if reply.status == NOT_FOUND else error


def _write(mail: Mail, boundary: str) -> bytes:
    parts = [_part(boundary, 'name="to"', address.encode()) for address in (mail.recipient, *mail.cc, *mail.bcc)]
    parts.append(_part(boundary, 'name="message"; filename="message.mime"', build_message(mail)))
    return b"".join([*parts, f"--{boundary}--\r\n".encode()])


def _part(boundary: str, disposition: str, value: bytes) -> bytes:
    return f"--{boundary}\r\nContent-Disposition: form-data; {disposition}\r\n\r\n".encode() + value + b"\r\n"
