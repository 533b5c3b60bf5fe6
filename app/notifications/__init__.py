"""Notifications: mails by the providers of an organization or of a client application, what is told to users within
applications, and what goes to webhooks, with every attempt and every reason kept. One request is one job, however many
recipients it has.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from app import jobs
from app.notifications.addresses import find_address_fault
from app.notifications.attachments import attachments_of, forget_attachments, unclaimed
from app.notifications.attempts import (
    Outcome,
    Try,
    exchange_attempts,
    note_found,
    put_off_unknown,
    unknown_attempts,
)
from app.notifications.carrying import carry, carry_some, find_targets, is_carried
from app.notifications.dkim_keys import find_key_fault
from app.notifications.errors import NotificationGone
from app.notifications.events import NotificationMessage
from app.notifications.in_app import fallback_of, next_to_tell, tell, topic_of
from app.notifications.intents import PruneNotifications, SendNotification, SettleCallback, ValidateProviders
from app.notifications.models import EMAIL, WEBHOOK, MailAttachment, Notification, Recipient
from app.notifications.outcomes import note_receipt
from app.notifications.providers import Opened, Owner, find_providers, open_named_providers, owner_of
from app.notifications.pruning import forget_old_callbacks, forget_old_notifications
from app.notifications.queries import outcomes_of
from app.notifications.sending import (
    begin,
    copies_of,
    count_ended,
    finish,
    lock_notification,
    next_recipients,
    seconds_to_next,
)
from app.notifications.service import send as send_notification
from app.notifications.service import sending_ended, sending_retried
from app.notifications.settling import find_unchecked, forget_callback, settle_callback
from app.notifications.unsubscribing import unsubscribe_link

if TYPE_CHECKING:
    from app.notifications.routes import blueprints

jobs.follow(SendNotification.kind, ended=sending_ended, retried=sending_retried)

__all__ = [
    "EMAIL",
    "WEBHOOK",
    "MailAttachment",
    "Notification",
    "NotificationGone",
    "NotificationMessage",
    "Opened",
    "Outcome",
    "Owner",
    "PruneNotifications",
    "Recipient",
    "SendNotification",
    "SettleCallback",
    "Try",
    "ValidateProviders",
    "attachments_of",
    "begin",
    "blueprints",
    "carry",
    "carry_some",
    "copies_of",
    "count_ended",
    "exchange_attempts",
    "fallback_of",
    "find_address_fault",
    "find_key_fault",
    "find_providers",
    "find_targets",
    "find_unchecked",
    "finish",
    "forget_attachments",
    "forget_callback",
    "forget_old_callbacks",
    "forget_old_notifications",
    "is_carried",
    "lock_notification",
    "next_recipients",
    "next_to_tell",
    "note_found",
    "note_receipt",
    "open_named_providers",
    "outcomes_of",
    "owner_of",
    "put_off_unknown",
    "seconds_to_next",
    "send_notification",
    "settle_callback",
    "tell",
    "topic_of",
    "unclaimed",
    "unknown_attempts",
    "unsubscribe_link",
]


def __getattr__(name: str) -> Any:
    # Flask is loaded by the API alone: workers enter this room too.
    if name == "blueprints":
        return import_module("app.notifications.routes").blueprints
    raise AttributeError(name)
