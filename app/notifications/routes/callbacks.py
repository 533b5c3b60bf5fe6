"""Where providers tell what became of mails. Nobody is logged in here: the provider's signature is all that counts."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import request
from flask.views import MethodView

from app.http import Blueprint, limit_rate, platform, public, transaction
from app.kernel.clock import utc_now
from app.notifications import provider_schemas as schemas
from app.notifications.callbacks import Incoming
from app.notifications.receiving import receive

callbacks = Blueprint("notification_callbacks", description="What providers say of mails", limited=False)

# SNS calls what it sends plain text.
TYPES = ("application/json", "text/plain")
BODY_DOC: dict[str, Any] = {
    "requestBody": {"required": True, "content": {name: {"schema": {}} for name in TYPES}},
}


@callbacks.route("/notifications/callbacks/<uuid:provider_id>")
class NotificationCallbacks(MethodView):
    """What became of mails."""

    @callbacks.doc(**BODY_DOC)
    @callbacks.response(200, schemas.CallbackTaken)
    @callbacks.refuses(400, 401, 429, 503)
    @public
    def post(self, provider_id: UUID) -> dict[str, int]:
        """Take what a provider says of mails: delivered, bounced, opened, clicked, complained"""
        limit_rate("webhook")
        headers = {name.lower(): value for name, value in request.headers}
        incoming = Incoming(headers, request.get_data(cache=True), utc_now().timestamp())
        with transaction() as session:
            return {"news": receive(session, platform().vault, provider_id, incoming)}
