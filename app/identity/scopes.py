"""Where roles are given: an organization, or a narrower place inside of one, as higher rooms know them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.orm import Session

from app.identity.permissions import CLUSTER, NAMESPACE
from app.kernel.errors import FieldError, Invalid, NotFound
from app.kernel.principal import namespace_place

FindOrganization = Callable[[Session, UUID], UUID | None]

_finders: dict[str, FindOrganization] = {}


def finds_scope(scope_type: str) -> Callable[[FindOrganization], FindOrganization]:
    """Register the function that returns the organization of a scope's id, or None when there is none; at import."""

    def register(find: FindOrganization) -> FindOrganization:
        _finders[scope_type] = find
        return find

    return register


@dataclass(frozen=True, slots=True)
class Scope:
    """A place a role is given in. A namespace goes by its name and the id of its cluster."""

    type: str
    id: UUID
    namespace: str | None = None

    @property
    def place(self) -> UUID:
        """The id that grants go by."""
        return namespace_place(self.id, self.namespace) if self.namespace is not None else self.id

    def organization(self, session: Session) -> UUID:
        """Return the organization it lies in. Raises Invalid for a kind nobody knows yet, NotFound for an id."""
        kind = CLUSTER if self.type == NAMESPACE else self.type
        if kind not in _finders:
            raise Invalid(errors=[FieldError("scope.type", f"There is no {kind} to give roles in yet.")])
        organization_id = _finders[kind](session, self.id)
        if organization_id is None:
            raise NotFound(resource_type=kind, resource_id=str(self.id))
        return organization_id
