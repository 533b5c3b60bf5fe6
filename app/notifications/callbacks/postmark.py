"""Postmark's webhooks. They are not signed: the address they go to holds a password
(https://postmarkapp.com/developer/webhooks/webhooks-overview).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from typing import Any, Final

from app.notifications.callbacks.base import (
    LONGEST_URL,
    Incoming,
    Said,
    Unreadable,
    Unsigned,
    id_of,
    line_of,
    map_of,
    moment_of,
    parse,
)
from app.notifications.models import BOUNCED, CLICKED, COMPLAINED, DEFERRED, DELIVERED, OPENED, UNSUBSCRIBED

KINDS: Final = {
    "Delivery": DELIVERED,
    "Bounce": BOUNCED,
    "Open": OPENED,
    "Click": CLICKED,
    "SpamComplaint": COMPLAINED,
    "SubscriptionChange": UNSUBSCRIBED,
}
TIMES: Final = ("DeliveredAt", "BouncedAt", "ReceivedAt", "ChangedAt")
HARD: Final = ("HardBounce", "BadEmailAddress", "ManuallyDeactivated")
# Answers of machines, and what is tried again: the mail has not come back.
PASSING: Final = (
    *("Transient", "AutoResponder", "AddressChange", "Subscribe", "Unsubscribe", "ChallengeVerification"),
    *("OpenRelayTest", "DnsError", "Unknown"),
)


def verify(settings: Mapping[str, Any], incoming: Incoming) -> str | None:
    """Raise Unsigned where the password is missing or wrong. It may come again."""
    password = settings.get("callback_password", "")
    scheme, _, given = incoming.headers.get("authorization", "").partition(" ")
    try:
        _, _, said = base64.b64decode(given, validate=True).partition(b":")
    except ValueError as error:
        raise Unsigned from error
    if not password or scheme.lower() != "basic" or not hmac.compare_digest(said, password.encode()):
        raise Unsigned
    return None


def read(body: bytes) -> list[Said]:
    """Return what an event says; raises Unreadable."""
    event = map_of(parse(body))
    if "RecordType" not in event:
        raise Unreadable("Postmark says what it sends as RecordType.")
    kind = KINDS.get(line_of(event["RecordType"]))
    # It also tells when somebody is written to again, and what the other events tell.
    is_other = kind == UNSUBSCRIBED and event.get("SuppressionReason") != "ManualSuppression"
    return [] if kind is None or is_other else [_read(event, kind)]


def _read(event: Mapping[str, Any], kind: str) -> Said:
    bounce = line_of(event.get("Type"))
    if kind == BOUNCED and bounce in PASSING:
        kind = DEFERRED
    moment = next((event[name] for name in TIMES if event.get(name)), None)
    told = (event["RecordType"], event.get("ID"), event.get("MessageID"), moment, event.get("OriginalLink"))
    return Said(
        kind,
        hashlib.sha256(repr(told).encode(errors="replace")).hexdigest(),
        line_of(event.get("Recipient") or event.get("Email")),
        mail_id=id_of(map_of(event.get("Metadata")).get("mail-id")),
        message_id=line_of(event.get("MessageID")) or None,
        happened_at=moment_of(moment),
        reason=line_of(event.get("Details") or event.get("Description")) or None,
        url=line_of(event.get("OriginalLink"), LONGEST_URL) or None,
        is_permanent=kind == BOUNCED and bounce in HARD,
    )
