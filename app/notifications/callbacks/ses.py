"""What Amazon SES says of mails, by way of a topic of SNS
(https://docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-contents.html; feedback notifications, which
are older, are of nearly the same form).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from app.notifications.callbacks.base import (
    LONGEST_URL,
    Said,
    id_of,
    line_of,
    list_of,
    map_of,
    moment_of,
    parse,
)
from app.notifications.models import BOUNCED, CLICKED, COMPLAINED, DEFERRED, DELIVERED, OPENED

# The kind, the object that tells of it, and the list of whom it is about; without one it is about all.
KINDS: Final = {
    "Delivery": (DELIVERED, "delivery", "recipients"),
    "DeliveryDelay": (DEFERRED, "deliveryDelay", "delayedRecipients"),
    "Bounce": (BOUNCED, "bounce", "bouncedRecipients"),
    "Complaint": (COMPLAINED, "complaint", "complainedRecipients"),
    "Open": (OPENED, "open", None),
    "Click": (CLICKED, "click", None),
    "Reject": (BOUNCED, "reject", None),
    "Rendering Failure": (BOUNCED, "failure", None),
}


def read(message: str, key: str) -> list[Said]:
    """Return what a message of the topic says, of each of those whom it is about; raises Unreadable. `key` is the
    message's own."""
    event = map_of(parse(message.encode(errors="replace")))
    named = KINDS.get(line_of(event.get("eventType") or event.get("notificationType")))
    if named is None:
        return []
    kind, where, whom = named
    told, mail = map_of(event.get(where)), map_of(event.get("mail"))
    about = list_of(told.get(whom)) if whom else list_of(mail.get("destination"))[:1]
    return [_read(kind, f"{key}:{nth}", told, mail, one) for nth, one in enumerate(about[:50])]


def _read(kind: str, key: str, told: Mapping[str, Any], mail: Mapping[str, Any], about: Any) -> Said:
    one = about if isinstance(about, dict) else {"emailAddress": about}
    (mail_id, *_) = list_of(map_of(mail.get("tags")).get("mail_id")) or [None]
    reason = one.get("diagnosticCode") or told.get("smtpResponse") or told.get("reason") or told.get("errorMessage")
    return Said(
        kind,
        key,
        line_of(one.get("emailAddress")),
        mail_id=id_of(mail_id),
        message_id=line_of(mail.get("messageId")) or None,
        happened_at=moment_of(told.get("timestamp")),
        reason=line_of(reason) or None,
        url=line_of(told.get("link"), LONGEST_URL) or None,
        is_permanent=told.get("bounceType") == "Permanent",
    )
