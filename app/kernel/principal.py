"""Who is asking, and what they may do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Principal:
    """The caller of a request: a user, or later a key.

    `grants` maps an organization to the permissions (`area:verb`) held in it; a platform administrator holds all.
    `session_id` names the login the credentials came from, so that what it opened can end with it.
    """

    user_id: UUID
    username: str
    is_admin: bool = False
    grants: Mapping[UUID, frozenset[str]] = field(default_factory=dict)
    session_id: UUID | None = None
    expires_at: datetime | None = None

    def may(self, permission: str, organization_id: UUID | None) -> bool:
        """Tell whether this caller holds `permission` in the organization; the one place that decides."""
        if self.is_admin:
            return True
        return organization_id is not None and permission in self.grants.get(organization_id, frozenset())

    def organizations_with(self, permission: str) -> list[UUID]:
        """Return the organizations in which this caller holds `permission`."""
        return [organization for organization, held in self.grants.items() if permission in held]
