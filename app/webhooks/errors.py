"""Why something with webhooks is refused, or cannot be done."""

from __future__ import annotations

from app.kernel.errors import Conflict, Permanent, Refusal


class IllegalMove(Conflict):
    """The webhook is not in a state that allows this."""


class TooManyWebhooks(Refusal):
    """There are as many webhooks here as there may be; delete one first."""

    code = "QUOTA_EXCEEDED"
    status = 422


class DeliveryGone(Permanent):
    """There is no such delivery any more."""

    code = "DELIVERY_NOT_FOUND"


class WebhookGone(Permanent):
    """There is no such webhook any more."""

    code = "WEBHOOK_NOT_FOUND"
