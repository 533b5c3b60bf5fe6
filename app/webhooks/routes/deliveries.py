"""The log of deliveries, and sending one again."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask.views import MethodView
from sqlalchemy import Select
from sqlalchemy.orm import Session

from app.http import Reply, accepted, load, principal, requires, transaction
from app.kernel.errors import NotFound
from app.webhooks import queries, service
from app.webhooks.log_schemas import WebhookDeliveryDetail, WebhookDeliveryFilters, WebhookDeliverySchema
from app.webhooks.models import Delivery, Webhook
from app.webhooks.routes.base import blueprint

ALL = "/webhooks/<uuid:webhook_id>/deliveries"
SHOWN = [field.attribute or name for name, field in WebhookDeliverySchema().fields.items()]


@blueprint.route(ALL)
class WebhookDeliveries(MethodView):
    """What was delivered, or is to be."""

    @blueprint.paged(
        WebhookDeliverySchema,
        sort={"created_at": Delivery.created_at},
        default="-created_at",
        filters=WebhookDeliveryFilters,
    )
    @requires("webhooks:read")
    def get(self, filters: dict[str, Any], webhook_id: UUID) -> Select[Delivery]:
        """The deliveries of a webhook, newest first"""
        with transaction() as session:
            load(session, Webhook, webhook_id)
        return queries.deliveries_of(webhook_id, filters)


@blueprint.route(f"{ALL}/<uuid:delivery_id>")
class OneWebhookDelivery(MethodView):
    """A delivery."""

    @blueprint.response(200, WebhookDeliveryDetail)
    @requires("webhooks:read")
    def get(self, webhook_id: UUID, delivery_id: UUID) -> dict[str, Any]:
        """A delivery with what is sent and each attempt: the request, the answer and how long it took"""
        with transaction() as session:
            _, delivery = _load(session, webhook_id, delivery_id)
            shown = {name: getattr(delivery, name) for name in SHOWN}
            return shown | {"body": delivery.body, "attempt_log": queries.attempts_of(session, delivery_id)}


@blueprint.route(f"{ALL}/<uuid:delivery_id>/retry")
class WebhookDeliveryRetry(MethodView):
    """Sending again."""

    @blueprint.response(202, WebhookDeliverySchema)
    @blueprint.refuses(409)
    @requires("webhooks:write")
    def post(self, webhook_id: UUID, delivery_id: UUID) -> Reply:
        """Try a delivery now, whether it has ended or not; the job's result tells what was answered"""
        with transaction() as session:
            webhook, delivery = _load(session, webhook_id, delivery_id)
            return accepted(delivery, service.send_again(session, webhook, delivery, principal()))


def _load(session: Session, webhook_id: UUID, delivery_id: UUID) -> tuple[Webhook, Delivery]:
    webhook = load(session, Webhook, webhook_id)
    delivery = service.load_delivery(session, webhook, delivery_id)
    if delivery is None:
        raise NotFound(resource_type="delivery", resource_id=str(delivery_id))
    return webhook, delivery
