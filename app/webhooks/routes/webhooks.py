"""Webhooks: made, listed, changed, turned on and off, tried and replayed."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

from flask.views import MethodView
from sqlalchemy import Select
from sqlalchemy.orm import Session

from app.http import Reply, accepted, load, platform, principal, requires, transaction
from app.kernel.clock import utc_now
from app.kernel.principal import places_of
from app.webhooks import log_schemas, queries, schemas, service
from app.webhooks.models import Webhook
from app.webhooks.routes.base import blueprint, check_url, find_owner

SORT = {"created_at": Webhook.created_at, "url": Webhook.url}
ONE = "/webhooks/<uuid:webhook_id>"
WEEK = timedelta(days=7)
# A header may be what opens the receiver: its value is for those who may change it.
HIDDEN = "(hidden)"


@blueprint.route("/webhooks")
class Webhooks(MethodView):
    """All webhooks."""

    @blueprint.paged(schemas.WebhookEndpointSchema, sort=SORT, default="-created_at", filters=schemas.WebhookFilters)
    @requires("webhooks:read")
    def get(self, filters: dict[str, Any]) -> Select[Webhook]:
        """The webhooks that the caller may read"""
        return queries.visible_webhooks(principal(), filters)

    @blueprint.arguments(schemas.WebhookRegistration)
    @blueprint.response(201, schemas.WebhookShown)
    @requires("webhooks:write")
    def post(self, body: dict[str, Any]) -> Reply:
        """Make a webhook; its secret is shown this one time"""
        check_url(body)
        with transaction() as session:
            owner = find_owner(session, body.pop("organization_id", None))
            return _show(*service.make_webhook(session, platform().vault, owner, body, principal()))


@blueprint.route(ONE)
class OneWebhook(MethodView):
    """A webhook."""

    @blueprint.response(200, schemas.WebhookDetail)
    @requires("webhooks:read")
    def get(self, webhook_id: UUID) -> dict[str, Any]:
        """A webhook, and how it fares; its secret is never shown again"""
        with transaction() as session:
            return _detail(session, load(session, Webhook, webhook_id))

    @blueprint.arguments(schemas.WebhookReplacement)
    @blueprint.response(200, schemas.WebhookEndpointSchema)
    @blueprint.refuses(409)
    @requires("webhooks:write")
    def put(self, body: dict[str, Any], webhook_id: UUID) -> Webhook:
        """Replace a webhook; its secret stays unless another one is given"""
        return _change(body, webhook_id)

    @blueprint.arguments(schemas.WebhookChange)
    @blueprint.response(200, schemas.WebhookEndpointSchema)
    @blueprint.refuses(409)
    @requires("webhooks:write")
    def patch(self, body: dict[str, Any], webhook_id: UUID) -> Webhook:
        """Change some of a webhook"""
        return _change(body, webhook_id)

    @blueprint.response(204)
    @requires("webhooks:write")
    def delete(self, webhook_id: UUID) -> None:
        """Delete a webhook with the log of its deliveries; what waits is not sent any more"""
        with transaction() as session:
            session.delete(load(session, Webhook, webhook_id, for_update=True))


@blueprint.route(f"{ONE}/activate")
class WebhookActivation(MethodView):
    """Turning on."""

    @blueprint.response(200, schemas.WebhookEndpointSchema)
    @blueprint.refuses(409)
    @requires("webhooks:write")
    def post(self, webhook_id: UUID) -> Webhook:
        """Turn a webhook on: it is told of events from now on, and what waited for it is sent"""
        with transaction() as session:
            return service.activate(session, load(session, Webhook, webhook_id, for_update=True))


@blueprint.route(f"{ONE}/deactivate")
class WebhookDeactivation(MethodView):
    """Turning off."""

    @blueprint.response(200, schemas.WebhookEndpointSchema)
    @blueprint.refuses(409)
    @requires("webhooks:write")
    def post(self, webhook_id: UUID) -> Webhook:
        """Turn a webhook off: what happens meanwhile reaches it by a replay alone"""
        with transaction() as session:
            return service.deactivate(session, load(session, Webhook, webhook_id, for_update=True))


@blueprint.route(f"{ONE}/rotate-secret")
class WebhookRotation(MethodView):
    """New secrets."""

    @blueprint.arguments(schemas.SecretRotation)
    @blueprint.response(200, schemas.WebhookShown)
    @requires("webhooks:write")
    def post(self, body: dict[str, Any], webhook_id: UUID) -> Reply:
        """Give a webhook another secret, shown this one time; for a day the one before signs as well"""
        with transaction() as session:
            webhook = load(session, Webhook, webhook_id, for_update=True)
            return _show(*service.rotate_secret(session, platform().vault, webhook, **body))


@blueprint.route(f"{ONE}/test")
class WebhookTest(MethodView):
    """Trying."""

    @blueprint.arguments(schemas.TestEvent)
    @blueprint.response(202, log_schemas.WebhookDeliverySchema)
    @requires("webhooks:write")
    def post(self, body: dict[str, Any], webhook_id: UUID) -> Reply:
        """Send an event that never was, of the form of a real one; the job's result tells what was answered"""
        with transaction() as session:
            webhook = load(session, Webhook, webhook_id)
            return accepted(*service.send_test(session, webhook, body["event"], body["test_data"], principal()))


@blueprint.route(f"{ONE}/replay")
class WebhookReplay(MethodView):
    """Delivering again."""

    @blueprint.arguments(schemas.ReplayOrder)
    @blueprint.response(202, schemas.WebhookEndpointSchema)
    @requires("webhooks:write")
    def post(self, body: dict[str, Any], webhook_id: UUID) -> Reply:
        """Send the events since a time again, and those that were missed; ids stay, so that doubles can be told"""
        with transaction() as session:
            webhook = load(session, Webhook, webhook_id)
            body.setdefault("until", utc_now())
            return accepted(webhook, service.replay(session, webhook, principal(), **body))


@blueprint.route(f"{ONE}/analytics")
class WebhookNumbers(MethodView):
    """How deliveries have fared."""

    @blueprint.arguments(log_schemas.AnalyticsQuery, location="query")
    @blueprint.response(200, log_schemas.WebhookAnalytics)
    @requires("webhooks:read")
    def get(self, query: dict[str, Any], webhook_id: UUID) -> dict[str, Any]:
        """Count deliveries and attempts of a time, by status, event and answer"""
        end = query.get("end_date") or utc_now()
        start = query.get("start_date") or end - WEEK
        with transaction() as session:
            load(session, Webhook, webhook_id)
            return queries.analyze(session, webhook_id, start, end) | {"start_date": start, "end_date": end}


def _change(body: dict[str, Any], webhook_id: UUID) -> Webhook:
    check_url(body)
    with transaction() as session:
        webhook = load(session, Webhook, webhook_id, for_update=True)
        return service.change_webhook(session, platform().vault, webhook, body)


def _show(webhook: Webhook, secret: str) -> Reply:
    return Reply(_fields_of(webhook) | {"secret": secret}, headers={"Cache-Control": "no-store"})


def _detail(session: Session, webhook: Webhook) -> dict[str, Any]:
    headers = service.reveal_headers(session, platform().vault, webhook.id)
    if not principal().may("webhooks:write", *places_of(webhook)):
        headers = dict.fromkeys(headers, HIDDEN)
    return _fields_of(webhook) | {"custom_headers": headers, "health": queries.health_of(session, webhook.id)}


def _fields_of(webhook: Webhook) -> dict[str, Any]:
    names = [field.attribute or name for name, field in schemas.WebhookEndpointSchema().fields.items()]
    return {name: getattr(webhook, name) for name in names}
