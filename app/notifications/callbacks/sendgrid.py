"""SendGrid's signed event webhook: an ECDSA signature over timestamp and body, by a key whose public half the owner has
(https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/event, and beside it the security features).
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key

from app.notifications.callbacks.base import (
    LONGEST_KEY,
    LONGEST_URL,
    Incoming,
    Said,
    Unreadable,
    Unsigned,
    id_of,
    line_of,
    list_of,
    map_of,
    moment_of,
    parse,
)
from app.notifications.models import BOUNCED, CLICKED, COMPLAINED, DEFERRED, DELIVERED, OPENED, UNSUBSCRIBED

SIGNATURE: Final = "x-twilio-email-event-webhook-signature"
TIMESTAMP: Final = "x-twilio-email-event-webhook-timestamp"
KINDS: Final = {
    "delivered": DELIVERED,
    "deferred": DEFERRED,
    "bounce": BOUNCED,
    "dropped": BOUNCED,
    "open": OPENED,
    "click": CLICKED,
    "spamreport": COMPLAINED,
    "unsubscribe": UNSUBSCRIBED,
    "group_unsubscribe": UNSUBSCRIBED,
}


def verify(settings: Mapping[str, Any], incoming: Incoming) -> str | None:
    """Raise Unsigned where the key has not signed this body. It may come again: each event has an id."""
    given, stamp = (incoming.headers.get(name, "") for name in (SIGNATURE, TIMESTAMP))
    try:
        signed = stamp.encode() + incoming.body
        signature = base64.b64decode(given, validate=True)
        read_key(settings.get("verification_key", "")).verify(signature, signed, ECDSA(SHA256()))
    except (InvalidSignature, ValueError) as error:
        raise Unsigned from error
    return None


def read_key(text: str) -> EllipticCurvePublicKey:
    """Return the public key that SendGrid shows. Raises ValueError."""
    try:
        key = load_der_public_key(base64.b64decode(text, validate=True))
    except (binascii.Error, TypeError) as error:
        raise ValueError("is no key such as SendGrid shows") from error
    if not isinstance(key, EllipticCurvePublicKey):
        raise ValueError("is no key such as SendGrid shows")
    return key


def read(body: bytes) -> list[Said]:
    """Return what a list of events says; raises Unreadable."""
    events = parse(body)
    if not isinstance(events, list):
        raise Unreadable("SendGrid sends a list.")
    return [_read(one) for one in map(map_of, list_of(events)) if one.get("event") in KINDS]


def _read(event: Mapping[str, Any]) -> Said:
    kind = KINDS[event["event"]]
    return Said(
        kind,
        line_of(event.get("sg_event_id"), LONGEST_KEY) or f"{kind}@{line_of(event.get('timestamp'), LONGEST_KEY)}",
        line_of(event.get("email")),
        mail_id=id_of(event.get("mail_id")),
        message_id=line_of(event.get("sg_message_id")).partition(".")[0] or None,
        happened_at=moment_of(event.get("timestamp")),
        reason=line_of(event.get("reason") or event.get("response")) or None,
        url=line_of(event.get("url"), LONGEST_URL) or None,
        is_permanent=event["event"] == "bounce" and event.get("type") != "blocked",
    )
