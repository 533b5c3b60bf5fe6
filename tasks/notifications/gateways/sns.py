"""Amazon SNS: the certificates by which it signs, and confirming that a topic may send here."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

from app.kernel.addresses import AddressRules
from tasks.gateways import HttpClient, OutgoingError
from tasks.notifications.gateways.base import ProviderAway
from tasks.notifications.gateways.http import TIMEOUTS

ANSWER_BYTES: Final = 64 * 1024


def visit(url: str, rules: AddressRules) -> str:
    """Return what is at an address of Amazon's; raises ProviderAway."""
    parts = urlsplit(url)
    client = HttpClient(f"{parts.scheme}://{parts.netloc}", rules=rules, timeouts=TIMEOUTS)
    target = f"{parts.path}?{parts.query}" if parts.query else parts.path
    try:
        reply = client.request("GET", target, max_bytes=ANSWER_BYTES)
    except OutgoingError as error:
        raise ProviderAway(f"SNS cannot be reached: {error.message}") from error
    finally:
        client.close()
    if reply.status != 200:
        raise ProviderAway(f"SNS says {reply.status}.")
    return reply.body.decode("utf-8", "replace")
