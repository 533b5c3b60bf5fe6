"""Secrets of organizations, workspaces, pipelines and environments: written here, never read back."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask.views import MethodView
from sqlalchemy import Select

from app.http import platform, principal, requires, transaction
from app.pipelines import keeping, secrets
from app.pipelines.kept_schemas import SecretChangeSchema, SecretCreationSchema, SecretSchema, SecretValueSchema
from app.pipelines.models import Secret
from app.pipelines.routes.base import blueprint
from app.pipelines.routes.holders import list_kept, load_holder, load_kept, of_holders

SORT = {"name": Secret.name, "created_at": Secret.created_at}


@of_holders("secrets")
class Secrets(MethodView):
    """Secrets."""

    @blueprint.paged(SecretSchema, sort=SORT, default="name")
    @requires("secrets:read")
    def get(self, **place: UUID) -> Select[Secret]:
        """List the names of the secrets that are kept here; those of wider places are listed there."""
        return list_kept(Secret, place)

    @blueprint.arguments(SecretCreationSchema)
    @blueprint.response(201, SecretSchema)
    @blueprint.refuses(409)
    @requires("secrets:write")
    def post(self, body: dict[str, Any], **place: UUID) -> Secret:
        """Keep a secret; steps that name it find it in their environment."""
        with transaction() as session:
            holder = load_holder(session, place)
            return secrets.create_secret(session, platform().vault, holder, **body, created_by=principal().user_id)


@of_holders("secrets/<name>")
class OneSecret(MethodView):
    """One secret."""

    @blueprint.response(200, SecretSchema)
    @requires("secrets:read")
    def get(self, name: str, **place: UUID) -> Secret:
        """Tell of a secret all but its value."""
        with transaction() as session:
            return load_kept(session, Secret, place, name)

    @blueprint.arguments(SecretValueSchema)
    @blueprint.response(200, SecretSchema)
    @requires("secrets:write")
    def put(self, body: dict[str, Any], name: str, **place: UUID) -> Secret:
        """Replace a secret's value."""
        return _change(body, name, place)

    @blueprint.arguments(SecretChangeSchema)
    @blueprint.response(200, SecretSchema)
    @requires("secrets:write")
    def patch(self, body: dict[str, Any], name: str, **place: UUID) -> Secret:
        """Change a secret's value, or whom an organization's is for."""
        return _change(body, name, place)

    @blueprint.response(204)
    @requires("secrets:write")
    def delete(self, name: str, **place: UUID) -> None:
        """Delete a secret; steps that name it fail from then on, or find the one of a wider place."""
        with transaction() as session:
            keeping.forget(session, load_kept(session, Secret, place, name, for_update=True))


def _change(body: dict[str, Any], name: str, place: dict[str, UUID]) -> Secret:
    with transaction() as session:
        secret = load_kept(session, Secret, place, name, for_update=True)
        return secrets.change_secret(session, platform().vault, load_holder(session, place), secret, **body)
