"""Spaces as they have to be: what each namespace of a workspace is to hold, by what the database says now."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.tenancy import names, quotas
from app.tenancy.access import Rights, Roles, by_role, read_project_roles, roles_in_project
from app.tenancy.errors import WorkspaceNotReady
from app.tenancy.models import ACTIVE, DELETING, SUSPENDED, VCLUSTER, Project, Space, Workspace


@dataclass(frozen=True, slots=True)
class WantedSpace:
    """A namespace: what it is called and for whom it is, its hard quota, and the users of each role (admin, edit,
    view). `access` is the namespace of the members' accounts. One that is not `settled` may be there or not."""

    name: str
    access: str
    organization_id: UUID
    workspace_id: UUID
    project_id: UUID | None
    hard: dict[str, str]
    users: dict[str, tuple[UUID, ...]]
    labels: dict[str, str] = field(default_factory=dict)
    suspended: bool = False
    settled: bool = True

    @property
    def members(self) -> tuple[UUID, ...]:
        """All who have a role."""
        return tuple(sorted({user_id for some in self.users.values() for user_id in some}))


@dataclass(frozen=True, slots=True)
class WantedWorkspace:
    """A workspace on a cluster, with the spaces of its projects. Of one that is a virtual cluster, `inside` is what its
    members have there; on the host they have nothing."""

    host_id: UUID
    own: WantedSpace
    projects: tuple[WantedSpace, ...]
    inside: WantedSpace | None = None

    @property
    def entered(self) -> WantedSpace:
        """Where its members come in."""
        return self.inside or self.own

    @property
    def spaces(self) -> tuple[WantedSpace, ...]:
        """All of its spaces, its own first."""
        return (self.own, *self.projects)

    @property
    def settled(self) -> tuple[WantedSpace, ...]:
        """Those of its spaces that have to be there."""
        return tuple(space for space in self.spaces if space.settled)

    def project(self, project_id: UUID | None) -> WantedSpace:
        """Return the space of a project, or for None that of the workspace itself."""
        return next(space for space in self.spaces if space.project_id == project_id)


def claim_spaces(session: Session, workspace: Workspace, project: Project | None = None) -> None:
    """Give a workspace, or a project of it, the names of its namespaces; another's can never be the same."""
    if project is not None:
        project.namespace = names.namespace_name("pr", project.name, project.id)
        claimed = {"project": project.namespace}
    else:
        workspace.namespace = names.namespace_name("ws", workspace.slug, workspace.id)
        claimed = {"workspace": workspace.namespace, "access": names.access_name(workspace.namespace)}
    for purpose, name in claimed.items():
        session.add(_space(workspace, project, purpose, name))
    session.flush()


def _space(workspace: Workspace, project: Project | None, purpose: str, name: str) -> Space:
    project_id = project.id if project else None
    return Space(
        workspace_id=workspace.id, project_id=project_id, host_id=workspace.host_id, name=name, purpose=purpose
    )


def restore_spaces(session: Session, workspace: Workspace, project: Project | None = None) -> None:
    """Claim the names again that an undo has given up."""
    mine = select(Space.id).where(Space.workspace_id == workspace.id, Space.project_id == (project and project.id))
    if session.scalars(mine.limit(1)).first() is None:
        claim_spaces(session, workspace, project)


def want_workspace(
    session: Session, workspace: Workspace, rights: Rights | None = None, also: Iterable[UUID] = ()
) -> WantedWorkspace:
    """Return what a workspace has to have on its cluster now; `also` are users who are to be let in if they may.

    Raises WorkspaceNotReady for one without a cluster.
    """
    if workspace.host_id is None:
        raise WorkspaceNotReady
    projects = session.scalars(select(Project).where(Project.workspace_id == workspace.id).order_by(Project.id)).all()
    roles = (rights or Rights(session)).roles_in(workspace, also)
    inside = _want_inside(workspace, roles) if workspace.isolation == VCLUSTER else None
    if inside is not None:
        roles = {}
    members = read_project_roles(session, workspace.id)
    # What one that is being deleted had is its parent's again.
    staying = [project for project in projects if project.status != DELETING]
    placed = (project for project in projects if project.namespace is not None)
    return WantedWorkspace(
        workspace.host_id,
        _want(workspace, None, share_of(workspace, staying), roles),
        tuple(
            _want(workspace, project, share_of(project, staying), roles_in_project(members.get(project.id, {}), roles))
            for project in placed
        ),
        inside,
    )


def _want_inside(workspace: Workspace, roles: Roles) -> WantedSpace:
    return WantedSpace(
        name="default",
        access=names.ACCESS_INSIDE,
        organization_id=workspace.organization_id,
        workspace_id=workspace.id,
        project_id=None,
        hard={},
        users=by_role(roles),
        suspended=workspace.status == SUSPENDED,
    )


def _want(workspace: Workspace, project: Project | None, share: quotas.Amounts, roles: Roles) -> WantedSpace:
    own = workspace.namespace or ""
    return WantedSpace(
        name=own if project is None else project.namespace or "",
        access=names.access_name(own),
        organization_id=workspace.organization_id,
        workspace_id=workspace.id,
        project_id=project.id if project else None,
        hard=quotas.hard_of(share),
        users=by_role(roles),
        labels=dict(project.labels) if project else {},
        suspended=workspace.status == SUSPENDED,
        settled=(project or workspace).status in (ACTIVE, SUSPENDED),
    )


def share_of(owner: Workspace | Project, projects: Sequence[Project]) -> quotas.Amounts:
    """Return what is left to a workspace or project itself when its projects have theirs."""
    if isinstance(owner, Workspace):
        whole, parent_id = quotas.OF_PLAN[owner.plan], None
    else:
        whole, parent_id = owner.quota, owner.id
    return quotas.left_of(whole, (project.quota for project in projects if project.parent_id == parent_id))
