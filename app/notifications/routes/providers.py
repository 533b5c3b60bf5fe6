"""Email providers."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask.views import MethodView

from app import jobs
from app.http import Reply, accepted, platform, principal, requires, transaction
from app.notifications import provider_schemas as schemas
from app.notifications.errors import NoProvider
from app.notifications.intents import ValidateProviders
from app.notifications.models import EmailProvider
from app.notifications.providers import list_providers, replace_providers
from app.notifications.routes.base import blueprint, find_owner


@blueprint.route("/clients/email-providers")
class EmailProviders(MethodView):
    """By which mails go out."""

    @blueprint.arguments(schemas.OwnerQuery, location="query")
    @blueprint.response(200, schemas.ProviderSchema(many=True))
    @requires("notifications:read")
    def get(self, query: dict[str, Any]) -> list[EmailProvider]:
        """The email providers of the caller's application, or of an organization; nothing that opens them"""
        with transaction() as session:
            return list_providers(session, find_owner(session, query.get("organization_id")))

    @blueprint.arguments(schemas.ProvidersOrder)
    @blueprint.response(200, schemas.ProviderSchema(many=True))
    @requires("notifications:write")
    def put(self, body: dict[str, Any]) -> list[EmailProvider]:
        """Say by which providers mails go out; one given without its password keeps the one it has"""
        with transaction() as session:
            owner = find_owner(session, body.get("organization_id"))
            wanted = [_flatten(one) for one in body["providers"]]
            return replace_providers(session, platform().vault, owner, wanted)


@blueprint.route("/clients/email-providers/validate")
class EmailProviderValidation(MethodView):
    """Trying them."""

    @blueprint.arguments(schemas.OwnerChoice)
    @blueprint.response(202, schemas.ValidationBegun)
    @blueprint.refuses(409)
    @requires("notifications:write")
    def post(self, body: dict[str, Any]) -> Reply:
        """Connect to each email provider and log in; the job's result tells what each says"""
        with transaction() as session:
            owner = find_owner(session, body.get("organization_id"))
            providers = list_providers(session, owner)
            return accepted({"providers": [one.name for one in providers]}, _accept(session, owner, providers))


def _flatten(given: dict[str, Any]) -> dict[str, Any]:
    config = dict(given.pop("provider_config"))
    return {**given, "kind": config.pop("provider_type"), "config": config}


def _accept(session: Any, owner: dict[str, UUID], providers: list[EmailProvider]) -> UUID:
    if not providers:
        raise NoProvider
    intent = ValidateProviders(",".join(str(one.id) for one in providers))
    organization_id = owner.get("organization_id")
    return jobs.accept(session, intent, organization_id=organization_id, created_by=principal().user_id)
