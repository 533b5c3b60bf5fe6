"""Keys, of the caller and of organizations."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import request
from flask.views import MethodView
from sqlalchemy import Select
from sqlalchemy.orm import Session

from app.http import Blueprint, check, load, platform, principal, requires, transaction
from app.identity import api_keys as service
from app.identity.models import ApiKey
from app.identity.schemas import api_keys as schemas
from app.kernel.errors import NotFound

api_keys = Blueprint("apikeys", description="Keys with which programs act for those who made them")

SORT = {"created_at": ApiKey.created_at, "name": ApiKey.name, "last_used_at": ApiKey.last_used_at}
OF_ORGANIZATION = "/organizations/<uuid:organization_id>"


@api_keys.route("/api-keys")
@api_keys.route(f"{OF_ORGANIZATION}/api-keys", endpoint="OrganizationApiKeys")
class ApiKeys(MethodView):
    """The caller's keys, or an organization's."""

    @api_keys.paged(schemas.ApiKey, sort=SORT, default="-created_at", filters=schemas.ApiKeyFilters)
    @requires("keys:read")
    def get(self, filters: dict[str, Any], organization_id: UUID | None = None) -> Select[ApiKey]:
        """The keys that have not been revoked"""
        _check(organization_id)
        keys = service.keys_of(principal().user_id, organization_id)
        return keys.where(ApiKey.name.icontains(filters["search"], autoescape=True)) if filters else keys

    @api_keys.arguments(schemas.ApiKeyReplacement)
    @api_keys.response(201, schemas.ApiKeyShown)
    @requires("keys:write")
    def post(self, body: dict[str, Any], organization_id: UUID | None = None) -> dict[str, Any]:
        """Make a key out of permissions the caller holds; its text is shown this one time"""
        _check(organization_id)
        with transaction() as session:
            return _show(*service.make_key(session, platform().vault, principal(), organization_id, body))


@api_keys.route("/api-keys/<uuid:key_id>")
@api_keys.route(f"{OF_ORGANIZATION}/api-keys/<uuid:key_id>", endpoint="OrganizationApiKey")
class OneApiKey(MethodView):
    """A key."""

    @api_keys.response(200, schemas.ApiKey)
    @requires("keys:read")
    def get(self, key_id: UUID, organization_id: UUID | None = None) -> ApiKey:
        """A key, without its text"""
        with transaction() as session:
            return _load_key(session, key_id, organization_id)

    @api_keys.arguments(schemas.ApiKeyReplacement)
    @api_keys.response(200, schemas.ApiKey)
    @requires("keys:write")
    def put(self, body: dict[str, Any], key_id: UUID, organization_id: UUID | None = None) -> ApiKey:
        """Replace name, scopes and end of a key; its text stays"""
        with transaction() as session:
            return service.change_key(session, principal(), _load_key(session, key_id, organization_id), body)

    @api_keys.arguments(schemas.ApiKeyChange)
    @api_keys.response(200, schemas.ApiKey)
    @requires("keys:write")
    def patch(self, body: dict[str, Any], key_id: UUID, organization_id: UUID | None = None) -> ApiKey:
        """Change name, scopes or end of a key; its text stays"""
        with transaction() as session:
            return service.change_key(session, principal(), _load_key(session, key_id, organization_id), body)

    @api_keys.response(204)
    @requires("keys:write")
    def delete(self, key_id: UUID, organization_id: UUID | None = None) -> None:
        """Revoke a key; it fails from the next request on"""
        with transaction() as session:
            service.revoke_key(session, _load_key(session, key_id, organization_id))


@api_keys.route("/api-keys/<uuid:key_id>/rotate")
@api_keys.route(f"{OF_ORGANIZATION}/api-keys/<uuid:key_id>/rotate", endpoint="OrganizationApiKeyRotation")
class ApiKeyRotation(MethodView):
    """Another text for a key."""

    @api_keys.response(200, schemas.ApiKeyShown)
    @requires("keys:write")
    def post(self, key_id: UUID, organization_id: UUID | None = None) -> dict[str, Any]:
        """Give a key another text, shown this one time; the one before fails from the next request on"""
        with transaction() as session:
            key = _load_key(session, key_id, organization_id)
            return _show(key, service.rotate_key(session, platform().vault, principal(), key))


def _check(organization_id: UUID | None) -> None:
    """Hold the permission against the organization or, where none is named, the caller's account."""
    if organization_id is not None:
        check(organization_id)
    else:
        check(principal().user_id, kind="user")


def _load_key(session: Session, key_id: UUID, organization_id: UUID | None) -> ApiKey:
    """Return a key of the organization the path names or, where it names none, one of the caller's own."""
    key = load(session, ApiKey, key_id, for_update=request.method not in ("GET", "HEAD"))
    is_own = key.organization_id is not None or key.created_by == principal().user_id
    if key.revoked_at is not None or key.organization_id != organization_id or not is_own:
        raise NotFound(resource_type="api_key", resource_id=str(key_id))
    return key


def _show(key: ApiKey, text: str) -> dict[str, Any]:
    shown = schemas.ApiKey().fields
    return {name: getattr(key, name) for name in shown} | {"key": text}
