"""The room's blueprint, and what its routes share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from app.http import Blueprint, check, platform, principal
from app.kernel.errors import FieldError, Invalid
from app.tenancy import personal_organization
from app.webhooks.rules import Destinations

blueprint = Blueprint("webhooks-out", description="Being told of events by signed requests to a server of one's own")


def check_url(body: Mapping[str, Any]) -> None:
    """Raise Invalid for an address that must not be told of events."""
    rules = Destinations.of(allow_private=platform().allow_private_addresses, ports=platform().webhook_ports)
    fault = rules.find_fault(body["url"]) if "url" in body else None
    if fault:
        raise Invalid(errors=[FieldError("url", f"This address {fault}.")])


def find_owner(session: Session, organization_id: UUID | None) -> dict[str, UUID]:
    """Return whose a new webhook is: the caller's application, or an organization. Raises NotFound or Forbidden."""
    caller = principal()
    if caller.client_id is not None and organization_id is None:
        check(caller.client_id, kind="client")
        return {"client_id": caller.client_id}
    found = organization_id or personal_organization(session, caller.user_id)
    check(found)
    return {"organization_id": found}
