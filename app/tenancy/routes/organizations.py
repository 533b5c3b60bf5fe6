"""Organizations."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask.views import MethodView

from app.http import Blueprint, load, platform, principal, requires, transaction
from app.tenancy.models import Organization
from app.tenancy.organizations import change_organization, delete_organization
from app.tenancy.plans import change_plan
from app.tenancy.queries import visible_organizations
from app.tenancy.schemas import organizations as schemas
from app.tenancy.service import create_organization

organizations = Blueprint("organizations", description="Who owns workspaces; everyone has a personal one")

SORT = {"created_at": Organization.created_at, "name": Organization.name}


@organizations.route("/organizations")
class Organizations(MethodView):
    """All organizations the caller is in."""

    @organizations.paged(schemas.Organization, sort=SORT, default="-created_at", filters=schemas.OrganizationFilters)
    @requires("organizations:read")
    def get(self, filters: dict[str, Any]) -> Any:
        """The organizations the caller is in; administrators see all"""
        return visible_organizations(principal(), filters)

    @organizations.arguments(schemas.OrganizationCreation)
    @organizations.response(201, schemas.Organization)
    @organizations.refuses(409)
    @requires("organizations:create", own=True)
    def post(self, body: dict[str, Any]) -> Organization:
        """Make an organization; the caller owns it"""
        with transaction() as session:
            return create_organization(session, principal().user_id, body)


@organizations.route("/organizations/<uuid:organization_id>")
class OneOrganization(MethodView):
    """An organization."""

    @organizations.response(200, schemas.Organization)
    @requires("organizations:read")
    def get(self, organization_id: UUID) -> Organization:
        """An organization"""
        with transaction() as session:
            return load(session, Organization, organization_id)

    @organizations.arguments(schemas.OrganizationReplacement)
    @organizations.response(200, schemas.Organization)
    @organizations.refuses(409)
    @requires("organizations:write")
    def put(self, body: dict[str, Any], organization_id: UUID) -> Organization:
        """Replace name and description; the slug stays when it is left out"""
        with transaction() as session:
            return change_organization(session, load(session, Organization, organization_id, for_update=True), body)

    @organizations.arguments(schemas.OrganizationChange)
    @organizations.response(200, schemas.Organization)
    @organizations.refuses(409)
    @requires("organizations:write")
    def patch(self, body: dict[str, Any], organization_id: UUID) -> Organization:
        """Change name, slug or description"""
        with transaction() as session:
            return change_organization(session, load(session, Organization, organization_id, for_update=True), body)

    @organizations.response(204)
    @organizations.refuses(409)
    @requires("organizations:delete")
    def delete(self, organization_id: UUID) -> None:
        """Delete an organization; refused while there are workspaces in it"""
        with transaction() as session:
            delete_organization(session, load(session, Organization, organization_id, for_update=True))


@organizations.route("/organizations/<uuid:organization_id>/plan")
class Plan(MethodView):
    """The plan of an organization."""

    @organizations.arguments(schemas.OrganizationPlan)
    @organizations.response(200, schemas.Organization)
    @requires("platform:administer", platform=True)
    def put(self, body: dict[str, Any], organization_id: UUID) -> Organization:
        """Give an organization another plan"""
        with transaction() as session:
            organization = load(session, Organization, organization_id, for_update=True)
            return change_plan(session, organization, body["plan"], platform().plan_places)
