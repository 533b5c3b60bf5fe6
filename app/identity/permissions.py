"""What each role may do: the one table from roles to permissions (`area:verb`).

Roles of an organization contain each other: owner ⊃ admin ⊃ member ⊃ viewer. Each row names what a role holds beyond
the role below it.
"""

from __future__ import annotations

from typing import Final

from app.identity.models import ADMIN, MEMBER, ORGANIZATION_ROLES, OWNER, VIEWER
from app.kernel.principal import Principal

_BEYOND: Final[dict[str, tuple[str, ...]]] = {
    VIEWER: (
        "organizations:read",
        "members:read",
        "workspaces:read",
        "pipelines:read",
        "executions:read",
        "artifacts:read",
        "variables:read",
        "secrets:read",
        "jobs:read",
    ),
    MEMBER: (
        "workspaces:write",
        "pipelines:write",
        "executions:run",
        "executions:cancel",
        "executions:retry",
        "executions:approve",
        "variables:write",
        "jobs:cancel",
        "jobs:retry",
    ),
    ADMIN: (
        "organizations:write",
        "members:write",
        "workspaces:delete",
        "artifacts:delete",
        "secrets:write",
    ),
    OWNER: ("organizations:delete",),
}

PLATFORM_PERMISSIONS: Final = frozenset({"platform:administer", "users:administer"})
"""Held by platform administrators alone, whatever their organizations."""


def _accumulate() -> dict[str, frozenset[str]]:
    held: frozenset[str] = frozenset()
    table = {}
    for role in reversed(ORGANIZATION_ROLES):
        held |= frozenset(_BEYOND[role])
        table[role] = held
    return table


PERMISSIONS_OF_ROLE: Final = _accumulate()
PERMISSIONS: Final = PERMISSIONS_OF_ROLE[OWNER] | PLATFORM_PERMISSIONS
"""Every permission there is; a route that asks for another one is a mistake."""


def permissions_of(principal: Principal) -> frozenset[str]:
    """Return what a caller may do in at least one place."""
    return PERMISSIONS if principal.is_admin else frozenset().union(*principal.grants.values())
