"""Members of organizations, and invitations to become one."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask.views import MethodView
from sqlalchemy import Select

from app.http import load, platform, principal, requires, transaction
from app.identity import Membership
from app.kernel.errors import NotFound
from app.tenancy import invitations
from app.tenancy import organizations as service
from app.tenancy.models import Invitation, Organization
from app.tenancy.routes.organizations import organizations
from app.tenancy.schemas import members as schemas

SORT = {"created_at": Membership.created_at}
SORT_INVITATIONS = {"created_at": Invitation.created_at}
ONE = "/organizations/<uuid:organization_id>"


@organizations.route(f"{ONE}/members")
class Members(MethodView):
    """The members of an organization."""

    @organizations.paged(
        schemas.OrganizationMember, sort=SORT, default="created_at", filters=schemas.OrganizationMemberFilters
    )
    @requires("members:read")
    def get(self, filters: dict[str, Any], organization_id: UUID) -> Select[Membership]:
        """The members of an organization"""
        with transaction() as session:
            load(session, Organization, organization_id)
        return service.members_of(organization_id, filters)


@organizations.route(f"{ONE}/members/<uuid:user_id>")
class OneMember(MethodView):
    """A member of an organization."""

    @organizations.response(200, schemas.OrganizationMember)
    @requires("members:read")
    def get(self, organization_id: UUID, user_id: UUID) -> Membership:
        """A member of an organization"""
        with transaction() as session:
            load(session, Organization, organization_id)
            return service.find_member(session, organization_id, user_id)

    @organizations.response(204)
    @organizations.refuses(409)
    @requires("members:write")
    def delete(self, organization_id: UUID, user_id: UUID) -> None:
        """Remove a member; they see nothing more from their next request on, and their streams end within seconds"""
        with transaction() as session:
            organization = load(session, Organization, organization_id, for_update=True)
            service.remove_member(session, principal(), organization, user_id)


@organizations.route(f"{ONE}/members/me")
class OwnMembership(MethodView):
    """The caller's membership."""

    @organizations.response(204)
    @organizations.refuses(409)
    @requires("account:write", own=True)
    def delete(self, organization_id: UUID) -> None:
        """Leave an organization"""
        with transaction() as session:
            organization = session.get(Organization, organization_id, with_for_update=True)
            if organization is None or not service.is_member(session, organization_id, principal().user_id):
                raise NotFound(resource_type="organization", resource_id=str(organization_id))
            service.remove_member(session, principal(), organization, principal().user_id)


@organizations.route(f"{ONE}/members/<uuid:user_id>/role")
class MemberRole(MethodView):
    """The role of a member."""

    @organizations.arguments(schemas.OrganizationRole)
    @organizations.response(200, schemas.OrganizationMember)
    @organizations.refuses(409)
    @requires("members:write")
    def put(self, body: dict[str, Any], organization_id: UUID, user_id: UUID) -> Membership:
        """Give a member another role; whoever makes somebody the owner becomes an administrator"""
        with transaction() as session:
            organization = load(session, Organization, organization_id, for_update=True)
            return service.change_member(session, principal(), organization, user_id, body["role"])


@organizations.route(f"{ONE}/invitations")
class Invitations(MethodView):
    """Invitations to an organization."""

    @organizations.paged(schemas.Invitation, sort=SORT_INVITATIONS, default="-created_at")
    @requires("members:read")
    def get(self, organization_id: UUID) -> Select[Invitation]:
        """The invitations that can still be accepted"""
        with transaction() as session:
            load(session, Organization, organization_id)
        return invitations.open_invitations(organization_id)

    @organizations.arguments(schemas.InvitationCreation)
    @organizations.response(201, schemas.InvitationShown)
    @requires("members:write")
    def post(self, body: dict[str, Any], organization_id: UUID) -> dict[str, Any]:
        """Invite an address; the token is shown this one time, works once and for seven days"""
        with transaction() as session:
            organization = load(session, Organization, organization_id)
            wanted = (organization, body["email"], body["role"])
            invitation, token = invitations.invite(session, platform().vault, principal(), *wanted)
            return {name: getattr(invitation, name) for name in schemas.Invitation().fields} | {"token": token}


@organizations.route("/organizations/invitations/<uuid:invitation_id>")
class OneInvitation(MethodView):
    """An invitation."""

    @organizations.response(204)
    @organizations.refuses(409)
    @requires("members:write")
    def delete(self, invitation_id: UUID) -> None:
        """Cancel an invitation"""
        with transaction() as session:
            invitations.cancel(session, load(session, Invitation, invitation_id, for_update=True))


@organizations.route("/organizations/invitations/<token>/accept")
class InvitationAcceptance(MethodView):
    """Joining an organization."""

    @organizations.response(200, schemas.Joined)
    @requires("account:write", own=True)
    def post(self, token: str) -> Membership:
        """Join an organization by an invitation's token, with an account that has confirmed the invited address"""
        with transaction() as session:
            return invitations.accept(session, principal(), token)
