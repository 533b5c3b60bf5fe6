"""Who may do what in a workspace's namespaces: people's rights here, as the roles that Kubernetes has."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final
from uuid import UUID

from sqlalchemy import select, union
from sqlalchemy.orm import Session

from app.identity import Membership, RoleAssignment, assignments_in, read_rights_of
from app.kernel.principal import Principal
from app.tenancy.models import ProjectMember, Workspace, WorkspaceCredential

ADMIN: Final = "admin"
EDIT: Final = "edit"
VIEW: Final = "view"
ROLES: Final = (ADMIN, EDIT, VIEW)

_BY_RIGHT: Final = (("members:write", ADMIN), ("workspaces:write", EDIT), ("workspaces:read", VIEW))
OF_PROJECT_ROLE: Final = {"admin": ADMIN, "developer": EDIT, "viewer": VIEW}

Roles = Mapping[UUID, tuple[str, ...]]


def role_of(caller: Principal, workspace: Workspace) -> str | None:
    """Return the cluster role that somebody's rights in a workspace come to, or None."""
    places = (workspace.organization_id, workspace.id)
    return next((role for right, role in _BY_RIGHT if caller.may(right, *places)), None)


class Rights:
    """Looks up what people may, each once and many by one query; for one transaction."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._known: dict[UUID, Principal | None] = {}

    def roles_in(self, workspace: Workspace, also: Iterable[UUID] = ()) -> Roles:
        """Return the cluster roles of a workspace's members, of who has a kubeconfig of it, and of some `also`."""
        candidates = sorted({*self._candidates(workspace), *also})
        self._learn(candidates)
        found = ((user_id, self.role_of(user_id, workspace)) for user_id in candidates)
        return {user_id: (role,) for user_id, role in found if role is not None}

    def role_of(self, user_id: UUID, workspace: Workspace) -> str | None:
        """Return the cluster role of one user in a workspace."""
        self._learn((user_id,))
        caller = self._known[user_id]
        return role_of(caller, workspace) if caller is not None else None

    def _learn(self, user_ids: Iterable[UUID]) -> None:
        new = [user_id for user_id in user_ids if user_id not in self._known]
        if new:
            self._known |= dict.fromkeys(new) | read_rights_of(self._session, new)

    def _candidates(self, workspace: Workspace) -> Sequence[UUID]:
        members = select(Membership.user_id).where(Membership.organization_id == workspace.organization_id)
        holders = [
            assignments_in(place).with_only_columns(RoleAssignment.user_id)
            for place in (workspace.organization_id, workspace.id)
        ]
        held = select(WorkspaceCredential.user_id).where(WorkspaceCredential.workspace_id == workspace.id)
        return self._session.scalars(union(members, *holders, held)).all()


def read_project_roles(session: Session, workspace_id: UUID) -> dict[UUID, dict[UUID, str]]:
    """Return the cluster roles that the members of a workspace's projects have in them, by project and user."""
    columns = (ProjectMember.project_id, ProjectMember.user_id, ProjectMember.role)
    found: dict[UUID, dict[UUID, str]] = {}
    for project_id, user_id, role in session.execute(
        select(*columns).where(ProjectMember.workspace_id == workspace_id)
    ):
        found.setdefault(project_id, {})[user_id] = OF_PROJECT_ROLE[role]
    return found


def roles_in_project(members: Mapping[UUID, str], of_workspace: Roles) -> Roles:
    """Return what everybody is in a project's namespace: what they are in the workspace, and in the project as well.
    Whoever is no member of the workspace any more is none of its projects."""
    return {
        user_id: (*roles, members[user_id]) if user_id in members else roles for user_id, roles in of_workspace.items()
    }


def by_role(roles: Roles) -> dict[str, tuple[UUID, ...]]:
    """Return the users who have each role, in order; all roles are there."""
    return {role: tuple(sorted(user_id for user_id, held in roles.items() if role in held)) for role in ROLES}
