"""What identity announces."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar
from uuid import UUID

from app.kernel.events import ClientEvent, Event


@dataclass(frozen=True, slots=True)
class _RoleEvent(Event):
    user_id: UUID
    role: str
    scope_type: str
    scope_id: UUID

    def topics(self) -> Iterable[str]:
        """Return the organization's topic."""
        return (f"organization:{self.organization_id}",)


@dataclass(frozen=True, slots=True)
class RoleAssigned(_RoleEvent):
    """Somebody was given a role in a place of the organization."""

    type: ClassVar[str] = "organization.role_assigned"


@dataclass(frozen=True, slots=True)
class RoleWithdrawn(_RoleEvent):
    """A role was taken from somebody."""

    type: ClassVar[str] = "organization.role_withdrawn"


@dataclass(frozen=True, slots=True)
class ClientUpdated(ClientEvent):
    """Fields of a client application were changed; `changed` names them, `disabled_at` when it was locked out or in."""

    type: ClassVar[str] = "client.updated"

    changed: tuple[str, ...]
