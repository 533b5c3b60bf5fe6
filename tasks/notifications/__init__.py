"""What workers do for notifications: send them, and try providers."""

from __future__ import annotations

from functools import partial
from operator import attrgetter
from typing import Any
from uuid import UUID

from app.jobs import Run
from app.notifications import (
    PruneNotifications,
    SendNotification,
    SettleCallback,
    ValidateProviders,
    forget_attachments,
    forget_old_callbacks,
    forget_old_notifications,
    open_named_providers,
    unclaimed,
)
from tasks.forgetting import forget_all, forget_files
from tasks.handling import handles
from tasks.notifications.callbacks import settle
from tasks.notifications.gateways import MailError, open_provider
from tasks.notifications.send import send_notification
from tasks.tools import Tools


@handles(SendNotification)
def send_one_notification(run: Run, intent: SendNotification, tools: Tools) -> dict[str, Any] | None:
    """Send a notification to all of its recipients."""
    return send_notification(run, intent.notification_id, tools)


@handles(SettleCallback)
def settle_callback(run: Run, intent: SettleCallback, tools: Tools) -> dict[str, Any]:
    """Check a request of a provider, and apply what it says."""
    return settle(run, intent.callback_id, tools)


@handles(ValidateProviders)
def validate_providers(run: Run, intent: ValidateProviders, tools: Tools) -> dict[str, Any]:
    """Connect to each provider and log in; the result tells of each what it says, or why it does not."""
    ids = [UUID(text) for text in intent.provider_ids.split(",")]
    with run.reading() as session:
        opened = open_named_providers(session, tools.vault, ids)
    results: dict[str, Any] = {}
    for one in opened.values():
        run.check()
        try:
            with open_provider(one, tools.webhooks.destinations.addresses) as provider:
                results[one.name] = {"valid": True, "response": provider.validate()}
        except MailError as error:
            results[one.name] = {"valid": False, "code": error.code, "message": error.message}
    return {"validation_results": results, "all_valid": all(one["valid"] for one in results.values())}


@handles(PruneNotifications)
def prune_notifications(run: Run, _: PruneNotifications, tools: Tools) -> dict[str, Any]:
    """Forget notifications that ended long ago."""
    return {
        "notifications": forget_all(run, partial(forget_old_notifications, days=tools.notification_days)),
        "callbacks": forget_all(run, forget_old_callbacks),
        "attachments": forget_files(run, tools.artifact_store, unclaimed, attrgetter("key"), forget_attachments),
    }
