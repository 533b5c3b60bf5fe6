"""Where code hosts deliver. Nobody is logged in here: the signature over the body is all that counts."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from flask import request
from flask.views import MethodView

from app.http import Blueprint, UnsupportedMediaType, limit_rate, platform, public, transaction
from app.kernel.clock import utc_now
from app.kernel.errors import AuthRequired, Malformed
from app.pipelines.incoming import Delivery, summarise, take_delivery
from app.pipelines.triggers import HOSTS, MalformedPayload, Provider, RepositoryEvent, is_signed, read_payload
from app.pipelines.triggers.payload import FORM
from app.pipelines.webhook_schemas import DeliveryQuerySchema, DeliveryReplySchema
from app.pipelines.webhook_secrets import find_workspaces

webhooks = Blueprint("webhooks_in", description="Deliveries of code hosts", limited=False)

TYPES = ("application/json", FORM)
BODY_DOC: dict[str, Any] = {
    "requestBody": {"required": True, "content": {name: {"schema": {"type": "object"}} for name in TYPES}}
}


NAME_IT = "Deliver to the address that the workspace's webhook shows: it names the workspace."


class DeliveryNotSigned(AuthRequired):
    """No workspace knows the sender of this delivery: its signature is missing or wrong."""

    code = "INVALID_CREDENTIALS"


@webhooks.route("/webhooks/github", endpoint="GitHub", defaults={"provider": "github"})
@webhooks.route("/webhooks/gitlab", endpoint="GitLab", defaults={"provider": "gitlab"})
@webhooks.route("/webhooks/gitea", endpoint="Gitea", defaults={"provider": "gitea"})
class Webhooks(MethodView):
    """Deliveries of GitHub, GitLab and Gitea."""

    @webhooks.doc(**BODY_DOC)
    @webhooks.arguments(DeliveryQuerySchema, location="query")
    @webhooks.response(200, DeliveryReplySchema)
    @webhooks.refuses(401, 429)
    @public
    def post(self, query: dict[str, Any], provider: Provider) -> Mapping[str, Any]:
        """Take a delivery: whatever matches it is queued, once, and answered with its ids."""
        limit_rate("webhook")
        body, event = _read(provider)
        workspaces = _signed_for(provider, body, event, query["workspace"])
        with transaction() as session:
            return summarise(take_delivery(session, workspaces, _delivery(provider, body, event)))


def _read(provider: str) -> tuple[bytes, RepositoryEvent]:
    body = request.get_data(cache=True)
    if request.mimetype not in TYPES:
        raise UnsupportedMediaType(f"The body must be {' or '.join(TYPES)}.")
    try:
        payload = read_payload(body, request.mimetype)
    except MalformedPayload as error:
        raise Malformed(str(error)) from None
    return body, HOSTS[provider].read(_headers(), payload)


def _signed_for(provider: str, body: bytes, event: RepositoryEvent, named: UUID | None) -> list[Any]:
    """Return the workspaces that know the sender; the refusal is the same for a repository that nobody has."""
    headers, now = _headers(), utc_now().timestamp()
    with transaction() as session:
        found = find_workspaces(
            session,
            platform().vault,
            event.addresses,
            lambda secret: is_signed(provider, headers, body, secret, now),
            named,
        )
    if not found:
        raise DeliveryNotSigned(None if named else f"{DeliveryNotSigned.__doc__} {NAME_IT}")
    return found


def _delivery(provider: str, body: bytes, event: RepositoryEvent) -> Delivery:
    digest = hashlib.sha256(body).hexdigest()
    return Delivery(provider, HOSTS[provider].delivery_id(_headers()) or f"sha256:{digest}", digest, event)


def _headers() -> dict[str, str]:
    return {name.lower(): value for name, value in request.headers}
