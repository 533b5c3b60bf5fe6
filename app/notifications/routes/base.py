"""The room's blueprint, and what its routes share."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy.orm import Session

from app.http import Blueprint, check, principal
from app.tenancy import personal_organization

blueprint = Blueprint("notifications", description="Mails to one or to many, and what became of each")


def find_owner(session: Session, organization_id: UUID | None) -> dict[str, UUID]:
    """Return for whom the caller acts: their application, or an organization. Raises NotFound or Forbidden."""
    caller = principal()
    if caller.client_id is not None and organization_id is None:
        check(caller.client_id, kind="client")
        return {"client_id": caller.client_id}
    found = organization_id or personal_organization(session, caller.user_id)
    check(found)
    return {"organization_id": found}
