"""Signing mails by a domain's key (DKIM, RFC 6376), for servers that do not do so themselves."""

from __future__ import annotations

from dataclasses import dataclass
from email.parser import BytesHeaderParser
from typing import Final

import dkim

from tasks.notifications.gateways.base import LoginRefused

CANONICAL: Final = (b"relaxed", b"relaxed")
# Unsubscribing with one click wants both of its headers signed (RFC 8058, 4).
HEADERS: Final = (
    *("from", "to", "cc", "reply-to", "subject", "date", "message-id", "mime-version", "content-type"),
    *("list-unsubscribe", "list-unsubscribe-post"),
)


@dataclass(frozen=True, slots=True)
class DkimKey:
    """A private key in PEM, and where verifiers find the public one: `selector._domainkey.domain`."""

    domain: str
    selector: str
    private_key: str

    def __repr__(self) -> str:
        """Return it without the key."""
        return f"{self.selector}._domainkey.{self.domain}"


def sign(content: bytes, key: DkimKey) -> bytes:
    """Return a mail with its signature in front. Raises LoginRefused for a key that cannot sign."""
    there = BytesHeaderParser().parsebytes(content)
    names = [name.encode() for name in HEADERS if name in there]
    # Signed once more than it is there: nobody adds another From.
    names.append(b"from")
    given = (key.selector.encode(), key.domain.encode(), key.private_key.encode())
    try:
        header: bytes = dkim.sign(content, *given, canonicalize=CANONICAL, include_headers=names)
    except (dkim.DKIMException, ValueError) as error:
        raise LoginRefused("The DKIM key cannot be used.") from error
    return header + content
