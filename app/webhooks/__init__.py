"""Webhooks out: endpoints that are told of events by signed requests, in order where they want it, with a log of every
attempt. The switchboard gives this room each batch of events; workers take what is due with `take_due` and tell with
`record` what came of it.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from app import notifications
from app.webhooks.digests import hash_ids, owed_digests, write_digest
from app.webhooks.errors import DeliveryGone, WebhookGone
from app.webhooks.fanout import accept_deliveries
from app.webhooks.intents import MakeDigests, PruneWebhooks, ReplayEvents, SendDelivery, SweepWebhooks
from app.webhooks.models import DELIVERING, Delivery, Webhook
from app.webhooks.notices import NoticeCarrier
from app.webhooks.pruning import forget_old_deliveries
from app.webhooks.recording import Answer, record
from app.webhooks.replaying import Replayed, replay_page
from app.webhooks.rules import Destinations, Patience, read_schedule
from app.webhooks.signing import sign
from app.webhooks.taking import Order, left_of_lease, take_due, take_one

if TYPE_CHECKING:
    from app.webhooks.routes import blueprints

notifications.carry(notifications.WEBHOOK, NoticeCarrier())

__all__ = [
    "DELIVERING",
    "Answer",
    "Delivery",
    "DeliveryGone",
    "Destinations",
    "MakeDigests",
    "Order",
    "Patience",
    "PruneWebhooks",
    "ReplayEvents",
    "Replayed",
    "SendDelivery",
    "SweepWebhooks",
    "Webhook",
    "WebhookGone",
    "accept_deliveries",
    "blueprints",
    "forget_old_deliveries",
    "hash_ids",
    "left_of_lease",
    "owed_digests",
    "read_schedule",
    "record",
    "replay_page",
    "sign",
    "take_due",
    "take_one",
    "write_digest",
]


def __getattr__(name: str) -> Any:
    # Flask is loaded by the API alone: workers enter this room too.
    if name == "blueprints":
        return import_module("app.webhooks.routes").blueprints
    raise AttributeError(name)
