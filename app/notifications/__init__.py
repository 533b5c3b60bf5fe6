"""Notifications: mails to many or to one, by the providers of an organization or of a client application, with every
attempt and every reason kept. One request is one job, however many recipients it has.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from app import jobs
from app.notifications.choosing import Choice, order_providers
from app.notifications.errors import NotificationGone
from app.notifications.intents import SendNotification, ValidateProviders
from app.notifications.models import Notification, Recipient
from app.notifications.providers import Opened, choices_of, find_providers, open_named_providers, owner_of
from app.notifications.sending import (
    Outcome,
    begin,
    begin_attempt,
    end_attempt,
    finish,
    next_recipients,
    seconds_to_next,
)
from app.notifications.service import sending_ended
from app.notifications.unsubscribing import unsubscribe_link

if TYPE_CHECKING:
    from app.notifications.routes import blueprints

jobs.follow(SendNotification.kind, ended=sending_ended)

__all__ = [
    "Choice",
    "Notification",
    "NotificationGone",
    "Opened",
    "Outcome",
    "Recipient",
    "SendNotification",
    "ValidateProviders",
    "begin",
    "begin_attempt",
    "blueprints",
    "choices_of",
    "end_attempt",
    "find_providers",
    "finish",
    "next_recipients",
    "open_named_providers",
    "order_providers",
    "owner_of",
    "seconds_to_next",
    "unsubscribe_link",
]


def __getattr__(name: str) -> Any:
    # Flask is loaded by the API alone: workers enter this room too.
    if name == "blueprints":
        return import_module("app.notifications.routes").blueprints
    raise AttributeError(name)
