"""A workspace's incoming webhook: where hosts deliver, its secret, and what was delivered."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask.views import MethodView
from sqlalchemy import Select, select

from app.http import API_PREFIX, load, platform, requires, transaction
from app.pipelines import webhook_secrets
from app.pipelines.models import WebhookDelivery, WorkspaceWebhook
from app.pipelines.routes.base import blueprint
from app.pipelines.triggers import HOSTS
from app.pipelines.webhook_schemas import (
    DeliveryFilterSchema,
    DeliverySchema,
    RotatedWebhookSchema,
    RotationSchema,
    WebhookSchema,
)
from app.tenancy import Workspace


@blueprint.route("/workspaces/<uuid:workspace_id>/webhook")
class OneWebhook(MethodView):
    """The webhook of a workspace."""

    @blueprint.response(200, WebhookSchema)
    @requires("secrets:read")
    def get(self, workspace_id: UUID) -> dict[str, Any]:
        """Tell where code hosts deliver, and of the secret all but itself."""
        with transaction() as session:
            load(session, Workspace, workspace_id)
            return _view(webhook_secrets.find_webhook(session, workspace_id))

    @blueprint.response(204)
    @requires("secrets:write")
    def delete(self, workspace_id: UUID) -> None:
        """Forget the secret; deliveries start nothing any more."""
        with transaction() as session:
            load(session, Workspace, workspace_id)
            webhook_secrets.delete_webhook(session, workspace_id)


@blueprint.route("/workspaces/<uuid:workspace_id>/webhook/rotate")
class WebhookRotation(MethodView):
    """New secrets."""

    @blueprint.arguments(RotationSchema)
    @blueprint.response(201, RotatedWebhookSchema)
    @requires("secrets:write")
    def post(self, body: dict[str, Any], workspace_id: UUID) -> dict[str, Any]:
        """Make the secret, or another one; it is shown this once, and the one before stays valid for a day."""
        with transaction() as session:
            workspace = load(session, Workspace, workspace_id)
            made = webhook_secrets.rotate_secret(session, platform().vault, workspace, **body)
            return _view(made.webhook) | {"secret": made.secret}


@blueprint.route("/workspaces/<uuid:workspace_id>/webhook/deliveries")
class Deliveries(MethodView):
    """What was delivered."""

    @blueprint.paged(
        DeliverySchema,
        filters=DeliveryFilterSchema,
        sort={"created_at": WebhookDelivery.created_at},
        default="-created_at",
    )
    @requires("executions:read")
    def get(self, filters: dict[str, Any], workspace_id: UUID) -> Select[WebhookDelivery]:
        """List deliveries, and what each of them started or why it started nothing."""
        with transaction() as session:
            load(session, Workspace, workspace_id)
        rows = select(WebhookDelivery).where(WebhookDelivery.workspace_id == workspace_id)
        return rows.where(*(getattr(WebhookDelivery, name) == value for name, value in filters.items()))


def _view(webhook: WorkspaceWebhook) -> dict[str, Any]:
    base = platform().public_url.rstrip("/")
    urls = {provider: f"{base}{API_PREFIX}/webhooks/{provider}?workspace={webhook.workspace_id}" for provider in HOSTS}
    shown = ("created_at", "rotated_at", "previous_until", "refused", "refused_at")
    return {"urls": urls} | {name: getattr(webhook, name) for name in shown}
