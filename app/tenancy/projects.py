"""What is done with projects. Whoever makes or changes one holds the lock of the workspace's row, so that projects that
are made at once cannot have more than there is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Select, exists, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.identity import User, read_rights
from app.kernel.errors import AlreadyExists, FieldError, Invalid, NotFound
from app.kernel.events import announce
from app.kernel.ids import new_id
from app.tenancy import courses, operations, quotas
from app.tenancy.access import role_of
from app.tenancy.errors import QuotaExceeded, WorkspaceInUse
from app.tenancy.models import Project, ProjectMember, Provisioning, Workspace
from app.tenancy.models.projects import DEPTH_LIMIT
from app.tenancy.placing import refuse_unready
from app.tenancy.provisioning_events import ProjectCreated, ProjectDeleted, ProjectMembersChanged, ProjectUpdated
from app.tenancy.spaces import claim_spaces, share_of
from app.tenancy.virtual import refuse_virtual

ON_CLUSTER = ("labels", "quota")


def projects_of(workspace_id: UUID, filters: dict[str, Any]) -> Select[Project]:
    """Select the projects of a workspace; filters: status, parent_id, search in name."""
    rows = select(Project).where(Project.workspace_id == workspace_id)
    rows = rows.where(*(getattr(Project, name) == filters[name] for name in ("status", "parent_id") if name in filters))
    if "search" in filters:
        found = (one.icontains(filters["search"], autoescape=True) for one in (Project.name, Project.display_name))
        rows = rows.where(next(found) | next(found))
    return rows


def create_project(
    session: Session, workspace: Workspace, fields: dict[str, Any], caller_id: UUID
) -> tuple[Project, Provisioning | None]:
    """Make a project of a workspace whose row the caller has locked; on a cluster, begin to give it its namespace.

    Raises NotFound for its parent, Invalid for one that lies too deep, QuotaExceeded, AlreadyExists, and what
    `refuse_unready` raises for a workspace with a cluster.
    """
    if workspace.is_provisioned:
        refuse_virtual(workspace)
        refuse_unready(workspace)
    parent = _find_parent(session, workspace, fields.pop("parent_id", None))
    left = _left_for_children(session, workspace, parent)
    quota = quotas.fill(fields.pop("resource_quota", {}), left)
    _refuse_excess(quota, left)
    project = Project(
        id=new_id(),
        organization_id=workspace.organization_id,
        workspace_id=workspace.id,
        parent_id=parent.id if parent else None,
        depth=parent.depth + 1 if parent else 1,
        quota=quota,
        created_by=caller_id,
        **fields,
    )
    session.add(project)
    _flush_name(session, project.name)
    announce(session, ProjectCreated(*_whose(project), project.name))
    if not workspace.is_provisioned:
        session.refresh(project)
        return project, None
    claim_spaces(session, workspace, project)
    begun = operations.begin(session, workspace, courses.PROVISION_PROJECT, caller_id, project=project)
    session.refresh(project)
    return project, begun


def _find_parent(session: Session, workspace: Workspace, parent_id: UUID | None) -> Project | None:
    if parent_id is None:
        return None
    parent = session.get(Project, parent_id)
    if parent is None or parent.workspace_id != workspace.id:
        raise NotFound(resource_type="project", resource_id=str(parent_id))
    if parent.depth >= DEPTH_LIMIT:
        fault = FieldError("parent_id", f"lies {parent.depth} deep already; projects are nested {DEPTH_LIMIT} deep")
        raise Invalid(errors=[fault])
    if parent.status != "active":
        raise Invalid(errors=[FieldError("parent_id", f"is {parent.status}")])
    return parent


def _left_for_children(
    session: Session, workspace: Workspace, parent: Project | None, but: Project | None = None
) -> quotas.Amounts:
    others = [one for one in _all_of(session, workspace.id) if one is not but]
    return share_of(parent or workspace, others)


def _all_of(session: Session, workspace_id: UUID) -> Sequence[Project]:
    return session.scalars(select(Project).where(Project.workspace_id == workspace_id)).all()


def _refuse_excess(quota: dict[str, str], left: quotas.Amounts) -> None:
    if excess := quotas.find_excess(quota, left):
        raise QuotaExceeded(errors=excess)


def _flush_name(session: Session, name: str) -> None:
    try:
        session.flush()
    except IntegrityError as error:
        raise AlreadyExists(f"The workspace has a project called {name} already.", field="name") from error


def change_project(
    session: Session, workspace: Workspace, project: Project, fields: dict[str, Any], caller_id: UUID
) -> Provisioning | None:
    """Write the given fields; what shows on the cluster is put there by an operation. Raises QuotaExceeded for more
    than the parent has left, or less than its own projects have; AlreadyExists."""
    wanted = _read_wanted(session, workspace, project, fields)
    changed = {name: value for name, value in wanted.items() if getattr(project, name) != value}
    on_cluster = workspace.is_provisioned and any(name in ON_CLUSTER for name in changed)
    if on_cluster:
        refuse_unready(workspace)
    kept = {name: getattr(project, name) for name in changed if name in ON_CLUSTER}
    for name, value in changed.items():
        setattr(project, name, value)
    _flush_name(session, project.name)
    if changed:
        announce(session, ProjectUpdated(*_whose(project), tuple(sorted(changed))))
    begun = None
    if on_cluster:
        values = {"before": kept, "after": {name: changed[name] for name in kept}}
        begun = operations.begin(session, workspace, courses.CHANGE_PROJECT, caller_id, project=project, wanted=values)
    session.refresh(project)
    return begun


def _read_wanted(session: Session, workspace: Workspace, project: Project, fields: dict[str, Any]) -> dict[str, Any]:
    wanted = dict(fields)
    if "resource_quota" in wanted:
        left = _left_for(session, workspace, project)
        wanted["quota"] = quotas.fill(project.quota | wanted.pop("resource_quota"), left)
        refuse_quota(session, workspace, project, wanted["quota"])
    return wanted


def refuse_quota(session: Session, workspace: Workspace, project: Project, quota: dict[str, str]) -> None:
    """Raise QuotaExceeded for more than a project's parent has left, or less than its own projects have."""
    _refuse_excess(quota, _left_for(session, workspace, project))
    given = quotas.left_of(quota, (one.quota for one in _all_of(session, workspace.id) if one.parent_id == project.id))
    if lacking := [name for name, amount in given.items() if amount < 0]:
        faults = [FieldError(f"resource_quota.{name}", "is less than its own projects have") for name in lacking]
        raise QuotaExceeded(errors=faults)


def _left_for(session: Session, workspace: Workspace, project: Project) -> quotas.Amounts:
    parent = session.get(Project, project.parent_id) if project.parent_id else None
    return _left_for_children(session, workspace, parent, but=project)


def delete_project(session: Session, workspace: Workspace, project: Project, caller_id: UUID) -> Provisioning | None:
    """Delete a project, or begin to take it off its cluster first. Raises WorkspaceInUse while it has projects."""
    if session.scalar(select(exists().where(Project.parent_id == project.id))):
        raise WorkspaceInUse("The project has projects of its own; delete them first.")
    if project.namespace is not None:
        return operations.begin(session, workspace, courses.DELETE_PROJECT, caller_id, project=project)
    announce(session, ProjectDeleted(*_whose(project), project.name))
    session.delete(project)
    session.flush()
    return None


def hierarchy_of(session: Session, project: Project) -> dict[str, Any]:
    """Return a project with all below it."""
    children: dict[UUID | None, list[Project]] = {}
    for one in sorted(_all_of(session, project.workspace_id), key=lambda one: one.name):
        children.setdefault(one.parent_id, []).append(one)
    return _tree(project, children)


def _tree(project: Project, children: dict[UUID | None, list[Project]]) -> dict[str, Any]:
    below = [_tree(child, children) for child in children.get(project.id, [])]
    return {
        "id": project.id,
        "name": project.name,
        "namespace": project.namespace,
        "status": project.status,
        "resource_quota": project.quota,
        "children": below,
    }


def members_of(project_id: UUID) -> Select[ProjectMember]:
    """Select the members of a project."""
    return select(ProjectMember).where(ProjectMember.project_id == project_id)


def find_member(session: Session, project: Project, user_id: UUID) -> ProjectMember:
    """Return what a user is in a project; raises NotFound."""
    member = session.scalars(members_of(project.id).where(ProjectMember.user_id == user_id)).one_or_none()
    if member is None:
        raise NotFound(resource_type="member", resource_id=str(user_id))
    return member


def add_member(session: Session, workspace: Workspace, project: Project, user: User, role: str) -> ProjectMember:
    """Make a member of the workspace one of a project. Raises AlreadyExists; Invalid for anybody else."""
    rights = read_rights(session, user.id)
    if rights is None or role_of(rights, workspace) is None:
        raise Invalid(errors=[FieldError("user_id", "is no member of the workspace")])
    if session.scalars(members_of(project.id).where(ProjectMember.user_id == user.id)).first():
        raise AlreadyExists("The user is a member of this project already.")
    whose = {"organization_id": project.organization_id, "workspace_id": project.workspace_id}
    member = ProjectMember(project_id=project.id, user=user, role=role, **whose)
    session.add(member)
    session.flush()
    announce(session, ProjectMembersChanged(*_whose(project), user.id, role))
    return member


def change_member(session: Session, project: Project, user_id: UUID, role: str) -> ProjectMember:
    """Give a member of a project another role in it."""
    member = find_member(session, project, user_id)
    if member.role != role:
        member.role = role
        session.flush()
        announce(session, ProjectMembersChanged(*_whose(project), user_id, role))
    return member


def remove_member(session: Session, project: Project, user_id: UUID) -> None:
    """End a project's membership; what the user is in the workspace stays."""
    session.delete(find_member(session, project, user_id))
    session.flush()
    announce(session, ProjectMembersChanged(*_whose(project), user_id, None))


def _whose(project: Project) -> tuple[UUID, UUID, UUID]:
    return project.organization_id, project.workspace_id, project.id
