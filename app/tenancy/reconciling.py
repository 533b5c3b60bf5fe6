"""What is read and written when a cluster is held against what has to be there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import exists, func, select, update
from sqlalchemy.orm import Session

from app import jobs
from app.jobs import Job
from app.kernel.clock import database_now
from app.kernel.events import announce
from app.tenancy import courses, operations
from app.tenancy.access import Rights
from app.tenancy.errors import OperationRuns, WorkspaceNotReady, WorkspaceSuspended
from app.tenancy.hosts import find_usable
from app.tenancy.intents import ReconcileHost
from app.tenancy.member_sync import look_for_members
from app.tenancy.models import ACTIVE, OPEN, SUSPENDED, Project, Provisioning, Space, SpaceRepair, Workspace
from app.tenancy.models.provisioning import SUCCEEDED
from app.tenancy.operations import is_busy
from app.tenancy.placing import change_place
from app.tenancy.provisioning_events import WorkspaceRepaired
from app.tenancy.spaces import WantedWorkspace, want_workspace

REPAIR_PAUSE: Final = timedelta(hours=1)
_REPAIRS: Final = (courses.REPAIR, courses.REPAIR_PROJECT)


@dataclass(frozen=True, slots=True)
class Repair:
    """What was repaired; `what` is `missing`, `changed` or `unwanted`, `managers` who had written to the `fields`."""

    organization_id: UUID
    workspace_id: UUID
    project_id: UUID | None
    namespace: str
    kind: str
    name: str
    what: str
    fields: tuple[str, ...]
    managers: tuple[str, ...]


def ask_to_reconcile(session: Session) -> int:
    """Ask for a look at each cluster that workspaces have a place on, or had, which answers and is not being looked at;
    returns how many there are. One that does not answer is seen when it does again."""
    placed = select(Workspace.host_id).where(Workspace.host_id.is_not(None))
    hosts = session.scalars(placed.union(select(Provisioning.host_id))).all()
    under_way = select(Job.resource_id).where(Job.kind == ReconcileHost.kind, Job.status.not_in(jobs.FINAL))
    due = sorted(find_usable(session, [host_id for host_id in hosts if host_id]).difference(session.scalars(under_way)))
    for host_id in due:
        jobs.accept(session, ReconcileHost(host_id), resource=("cluster", host_id))
        look_for_members(session, host_id)
    return len(due)


def wanted_on_host(session: Session, host_id: UUID) -> tuple[list[WantedWorkspace], list[WantedWorkspace]]:
    """Return what the workspaces on a cluster have to have there: those to which nothing is being done, and the others,
    which have failed or are busy."""
    has_spaces = exists().where(Space.workspace_id == Workspace.id)
    placed = select(Workspace).where(Workspace.host_id == host_id, has_spaces).order_by(Workspace.id)
    busy = set(session.scalars(select(Provisioning.workspace_id).where(Provisioning.status.in_(OPEN)).distinct()))
    rights = Rights(session)
    quiet: list[WantedWorkspace] = []
    others: list[WantedWorkspace] = []
    for workspace in session.scalars(placed).all():
        is_quiet = workspace.status in (ACTIVE, SUSPENDED) and workspace.id not in busy
        (quiet if is_quiet else others).append(want_workspace(session, workspace, rights))
    return quiet, others


def want_quiet(session: Session, workspace_id: UUID) -> WantedWorkspace | None:
    """Return what a workspace has to have on its cluster, or None where it has no place, failed, or is busy."""
    workspace = session.get(Workspace, workspace_id)
    if workspace is None or workspace.host_id is None or workspace.status not in (ACTIVE, SUSPENDED):
        return None
    return None if is_busy(session, workspace_id) else want_workspace(session, workspace)


def begin_repair(session: Session, workspace_id: UUID, project_id: UUID | None = None) -> bool:
    """Begin to make the namespaces of a workspace, or that of a project, anew, which are not there any more: as an
    operation, for nothing may make them while another one takes them away."""
    workspace = session.get(Workspace, workspace_id, with_for_update=True, populate_existing=True)
    project = session.get(Project, project_id) if project_id else None
    is_gone = workspace is None or workspace.host_id is None or (project_id is not None and project is None)
    if workspace is None or is_gone or _has_failed_lately(session, workspace_id, project_id):
        return False
    try:
        if project is None:
            change_place(session, workspace, courses.REPAIR, None)
        elif project.status == ACTIVE:
            operations.begin(session, workspace, courses.REPAIR_PROJECT, None, project=project)
    except (OperationRuns, WorkspaceNotReady, WorkspaceSuspended):
        return False
    return True


def _has_failed_lately(session: Session, workspace_id: UUID, project_id: UUID | None) -> bool:
    """Tell whether the newest operation tried to repair the same in vain: what the cluster refuses is not asked for
    each minute."""
    lately = Provisioning.finished_at > database_now() - REPAIR_PAUSE
    newest = operations.newest_of(session, workspace_id, project_id)
    if newest is None or newest.operation not in _REPAIRS or newest.status == SUCCEEDED:
        return False
    return bool(session.scalar(select(exists().where(Provisioning.id == newest.id, lately))))


def note_repairs(session: Session, repairs: Sequence[Repair]) -> None:
    """Keep what was repaired, and tell of it: of the same by the same writers once an hour."""
    for repair in repairs:
        if session.get(Workspace, repair.workspace_id) is None:
            continue
        if not _was_told_lately(session, repair):
            told = (repair.namespace, repair.kind, repair.name, repair.what, repair.fields, repair.managers)
            announce(session, WorkspaceRepaired(repair.organization_id, repair.workspace_id, *told))
        session.add(
            SpaceRepair(
                organization_id=repair.organization_id,
                workspace_id=repair.workspace_id,
                project_id=repair.project_id,
                namespace=repair.namespace,
                kind=repair.kind,
                name=repair.name,
                what=repair.what,
                fields=list(repair.fields),
                managers=list(repair.managers),
            )
        )


def _was_told_lately(session: Session, repair: Repair) -> bool:
    """Tell whether the same was told in this hour of the clock: who undoes each repair would make everybody hear of it
    each minute, but a fight that lasts is to be heard of again."""
    same = [SpaceRepair.workspace_id == repair.workspace_id, SpaceRepair.managers == list(repair.managers)]
    same += [getattr(SpaceRepair, name) == getattr(repair, name) for name in ("namespace", "kind", "name", "what")]
    this_hour = SpaceRepair.created_at >= func.date_trunc("hour", database_now())
    return bool(session.scalar(select(exists().where(*same, this_hour))))


def note_use(session: Session, host_id: UUID, seen: Sequence[tuple[str, str, dict[str, Any], dict[str, Any]]]) -> None:
    """Keep the phase, use and quota of namespaces as the cluster has just said them."""
    for name, phase, used, hard in seen:
        mine = update(Space).where(Space.host_id == host_id, Space.name == name)
        session.execute(mine.values(phase=phase, used=used, hard=hard, observed_at=database_now()))


def find_known_leftovers(session: Session, host_id: UUID, made: Mapping[str, str]) -> list[str]:
    """Return which of these namespaces, each with the id of what made it, an operation of this installation made on
    this cluster and nothing has any more.

    What another installation made, whose ids nobody here knows, is not among them; nor what was made through another
    registration of the same cluster, which is still had there.
    """
    had = set(session.scalars(select(Space.name).where(Space.name.in_(made))))
    ids = {name: UUID(text) for name, text in made.items() if name not in had and _is_id(text)}
    mine = (Provisioning.host_id == host_id, Provisioning.finished_at.is_not(None))
    known = set(session.scalars(select(Provisioning.id).where(Provisioning.id.in_(ids.values()), *mine)))
    return [name for name, provisioning_id in ids.items() if provisioning_id in known]


def _is_id(text: str) -> bool:
    try:
        return str(UUID(text)) == text
    except ValueError:
        return False
