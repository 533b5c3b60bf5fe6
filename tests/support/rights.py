"""Roles given to people, as the service gives them, by whoever may give all."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from app.identity import BUILT_IN, Role, RoleAssignment, Scope, User, assign_role
from app.kernel.db import Database
from app.kernel.ids import new_id
from app.kernel.principal import Principal
from tests.support.identity import Person

ROOT = Principal(new_id(), "root", is_admin=True)


def make_role(database: Database, organization_id: UUID, permissions: Iterable[str], name: str = "own") -> Role:
    """Make an own role of an organization."""
    with database.transaction() as session:
        role = Role(organization_id=organization_id, name=name, permissions=sorted(permissions))
        session.add(role)
        session.flush()
        return role


def give(database: Database, person: Person, role: Role | str, scope: Scope, **fields: Any) -> RoleAssignment:
    """Give a role, an own one or a built-in one by its name, to a person."""
    with database.transaction() as session:
        given = session.get_one(Role, role.id if isinstance(role, Role) else BUILT_IN[role].id)
        user = session.get_one(User, person.user.id)
        return assign_role(session, ROOT, user, given, scope, **fields)
