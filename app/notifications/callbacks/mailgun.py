"""Mailgun's webhooks: a signature over a timestamp and a token, and not over the event
(https://documentation.mailgun.com/docs/mailgun/user-manual/webhooks/securing-webhooks). Whoever has seen one could send
another event with it: so each token counts once, and an old one not at all.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from typing import Any, Final

from app.notifications.callbacks.base import (
    LONGEST_KEY,
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

# Mailgun tries for eight hours.
OLDEST_SECONDS: Final = 24 * 3600.0
KINDS: Final = {
    "delivered": DELIVERED,
    "failed": BOUNCED,
    "rejected": BOUNCED,
    "opened": OPENED,
    "clicked": CLICKED,
    "complained": COMPLAINED,
    "unsubscribed": UNSUBSCRIBED,
}
HARD: Final = ("bounce", "suppress-bounce")


def verify(settings: Mapping[str, Any], incoming: Incoming) -> str | None:
    """Return the token; raises Unsigned."""
    said = map_of(map_of(parse(incoming.body)).get("signature"))
    stamp, token, given = (line_of(said.get(name), LONGEST_KEY) for name in ("timestamp", "token", "signature"))
    key = settings.get("signing_key", "")
    right = hmac.new(key.encode(), f"{stamp}{token}".encode(), hashlib.sha256).hexdigest()
    if not (key and token and hmac.compare_digest(given.encode(), right.encode())):
        raise Unsigned
    if not stamp.isdecimal() or abs(incoming.now - int(stamp[:15])) > OLDEST_SECONDS:
        raise Unsigned
    return token


def read(body: bytes) -> list[Said]:
    """Return what an event says; raises Unreadable."""
    event = map_of(map_of(parse(body)).get("event-data"))
    if not event:
        raise Unreadable("Mailgun sends its event as event-data.")
    return [_read(event)] if event.get("event") in KINDS else []


def _read(event: Mapping[str, Any]) -> Said:
    kind = KINDS[event["event"]]
    if event.get("severity") == "temporary":
        kind = DEFERRED
    status = map_of(event.get("delivery-status"))
    message_id = line_of(map_of(map_of(event.get("message")).get("headers")).get("message-id")).strip("<>")
    is_hard = event.get("reason") in HARD or status.get("bounce-type") == "hard"
    return Said(
        kind,
        # Its id is one of a day.
        f"{line_of(event.get('id'), LONGEST_KEY)}@{line_of(event.get('timestamp'), LONGEST_KEY)}",
        line_of(event.get("recipient")),
        mail_id=id_of(message_id.partition("@")[0]),
        message_id=message_id or None,
        happened_at=moment_of(event.get("timestamp")),
        reason=line_of(status.get("message") or status.get("description") or event.get("reason")) or None,
        url=line_of(event.get("url"), LONGEST_URL) or None,
        is_permanent=kind == BOUNCED and is_hard,
    )
