"""The end of a membership, and of all that hangs on it."""

from __future__ import annotations

from sqlalchemy import delete
from sqlalchemy.orm import Session

from app.identity.api_keys import revoke_keys
from app.identity.models import ApiKey, Membership, RoleAssignment


def forget_member(session: Session, member: Membership) -> None:
    """End a membership, with every role the user has in the organization and every key they made for it."""
    theirs = (RoleAssignment.user_id == member.user_id, RoleAssignment.organization_id == member.organization_id)
    session.execute(delete(RoleAssignment).where(*theirs).execution_options(synchronize_session=False))
    revoke_keys(session, ApiKey.created_by == member.user_id, ApiKey.organization_id == member.organization_id)
    session.delete(member)
    session.flush()
