"""Invitations: an address is asked to join an organization. A token works once, for seven days, for that address alone,
and for an account that has confirmed it: whoever invites sees the token too, so having it does not show who reads the
address's mails.

Only the token's hash is kept. What the inviter may is asked again when the invitation is accepted: else whoever is
about to lose a role could invite a second self to keep it.
"""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, Select, exists, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.identity import (
    PERMISSIONS_OF_ROLE,
    AccountMail,
    Desk,
    EmailNotVerified,
    Letter,
    Membership,
    User,
    ask_for_mail,
    read_rights,
    refuse_beyond,
    writes_mail,
)
from app.kernel.clock import database_now
from app.kernel.crypto import Vault, hash_token
from app.kernel.errors import AlreadyExists, NotFound
from app.kernel.events import announce
from app.kernel.ids import new_id
from app.kernel.principal import Principal
from app.tenancy.errors import InvitationOver
from app.tenancy.events import OrganizationInvitationCreated, OrganizationMemberAdded
from app.tenancy.models import Invitation, Organization

LIFETIME = timedelta(days=7)
MAIL = "invitation"


def open_invitations(organization_id: UUID) -> Select[Invitation]:
    """Select the invitations to an organization that can still be accepted."""
    return select(Invitation).where(Invitation.organization_id == organization_id, Invitation.is_open())


def invite(
    session: Session, vault: Vault, caller: Principal, organization: Organization, email: str, role: str
) -> tuple[Invitation, str]:
    """Invite an address, by mail; return the invitation with its token, which only the vault can tell again.

    Raises Forbidden for a role beyond the caller's, AlreadyExists for a member and for an address that is invited.
    """
    refuse_beyond(caller, PERMISSIONS_OF_ROLE[role], organization.id)
    _refuse_member(session, organization.id, func.lower(User.email) == email.lower())
    _cancel_expired(session, organization.id, email)
    invitation_id = new_id()
    token = _derive_token(vault, invitation_id)
    invitation = Invitation(
        id=invitation_id,
        organization_id=organization.id,
        email=email,
        role=role,
        token_hash=hash_token(token),
        invited_by=caller.user_id,
        expires_at=database_now() + LIFETIME,
    )
    session.add(invitation)
    try:
        session.flush()
    except IntegrityError as error:
        raise AlreadyExists("This address is invited already; cancel that invitation to send another.") from error
    announce(session, OrganizationInvitationCreated(organization.id, invitation.id, role, caller.user_id))
    ask_for_mail(session, MAIL, email, invitation_id=str(invitation.id))
    return invitation, token


@writes_mail(MAIL)
def _write_invitation(session: Session, mail: AccountMail, desk: Desk) -> Letter | None:
    found = session.execute(
        select(Invitation, Invitation.token_hash, Organization.name, User.username)
        .join(Organization, Organization.id == Invitation.organization_id)
        .join(User, User.id == Invitation.invited_by)
        .where(Invitation.id == UUID(mail.details["invitation_id"]), Invitation.is_open())
    ).one_or_none()
    if found is None:
        return None
    invitation, token_hash, organization, inviter = found
    token = _stored_token(desk.vault, token_hash, invitation.id)
    if token is None:
        return None
    return Letter(
        "An invitation",
        (
            f"Hello, {inviter} invites you to the organization {organization}, as {invitation.role}.",
            "The link works once, for seven days, for an account that has confirmed this address.",
            "If it surprises you, ignore it.",
        ),
        "Join the organization",
        f"{desk.public_url}/console/invitations#token={token}",
        token,
    )


def _derive_token(vault: Vault, invitation_id: UUID) -> str:
    """Return the token of an invitation: made from its id by the platform's key, so that the mail can carry what nobody
    has kept."""
    return vault.fingerprint(_said_of(invitation_id))


def _said_of(invitation_id: UUID) -> bytes:
    return f"invitation/{invitation_id}".encode()


def _stored_token(vault: Vault, token_hash: str, invitation_id: UUID) -> str | None:
    """Return the token that an invitation was made with, also when the platform's key has changed since."""
    tokens = vault.fingerprints(_said_of(invitation_id))
    return next((token for token in tokens if hash_token(token) == token_hash), None)


def cancel(session: Session, invitation: Invitation) -> None:
    """Cancel an invitation. Raises InvitationOver unless it is open."""
    _refuse_over(session, invitation)
    invitation.cancelled_at = database_now()
    session.flush()


def accept(session: Session, caller: Principal, token: str) -> Membership:
    """Let the caller join by a token.

    Raises NotFound for no token of ours and for one that was made for another address, EmailNotVerified for an account
    that has not confirmed the address; InvitationOver for one that was used, cancelled or has expired, or whose inviter
    may not invite any more; AlreadyExists for a member.
    """
    mine = select(Invitation).where(Invitation.token_hash == hash_token(token)).with_for_update()
    invitation = session.scalars(mine).one_or_none()
    user = session.get_one(User, caller.user_id)
    if invitation is None or user.email.lower() != invitation.email.lower():
        raise NotFound("There is no invitation with this token for the address of your account.")
    if not user.email_verified:
        raise EmailNotVerified("Confirm the address of your account first; the invitation waits.")
    _refuse_over(session, invitation)
    inviter = read_rights(session, invitation.invited_by)
    if inviter is None or inviter.lacks(
        PERMISSIONS_OF_ROLE[invitation.role] | {"members:write"}, invitation.organization_id
    ):
        raise InvitationOver("Whoever sent this invitation may not invite any more.")
    _refuse_member(session, invitation.organization_id, User.id == user.id)
    return _join(session, invitation, user)


def _join(session: Session, invitation: Invitation, user: User) -> Membership:
    member = Membership(user=user, organization_id=invitation.organization_id, role=invitation.role)
    session.add(member)
    invitation.accepted_at, invitation.accepted_by = database_now(), user.id
    session.flush()
    announce(
        session, OrganizationMemberAdded(invitation.organization_id, user.id, invitation.role, invitation.invited_by)
    )
    return member


def _refuse_over(session: Session, invitation: Invitation) -> None:
    if not session.scalar(select(exists().where(Invitation.id == invitation.id, Invitation.is_open()))):
        raise InvitationOver


def _refuse_member(session: Session, organization_id: UUID, who: ColumnElement[bool]) -> None:
    member = select(Membership.id).join(User).where(Membership.organization_id == organization_id, who)
    if session.execute(member).first():
        raise AlreadyExists("This user is a member already.")


def _cancel_expired(session: Session, organization_id: UUID, email: str) -> None:
    """Make room: an invitation that has run out must not stand in the way of the next."""
    over = select(Invitation).where(
        Invitation.organization_id == organization_id,
        func.lower(Invitation.email) == email.lower(),
        Invitation.accepted_at.is_(None),
        Invitation.cancelled_at.is_(None),
        Invitation.expires_at <= database_now(),
    )
    for invitation in session.scalars(over):
        invitation.cancelled_at = database_now()
    session.flush()
