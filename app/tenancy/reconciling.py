"""What is read and written when a cluster is held against what has to be there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from app import jobs
from app.jobs import Job
from app.kernel.clock import database_now
from app.kernel.events import announce
from app.tenancy import courses
from app.tenancy.access import Rights
from app.tenancy.errors import OperationRuns, WorkspaceNotReady, WorkspaceSuspended
from app.tenancy.hosts import is_usable
from app.tenancy.intents import ReconcileHost
from app.tenancy.models import ACTIVE, SUSPENDED, Provisioning, Space, SpaceRepair, Workspace
from app.tenancy.operations import is_busy
from app.tenancy.placing import change_place
from app.tenancy.provisioning_events import WorkspaceRepaired
from app.tenancy.spaces import WantedWorkspace, want_workspace


@dataclass(frozen=True, slots=True)
class Repair:
    """What was repaired; `what` is `missing` or `changed`, `managers` who had written to the `fields`."""

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
    """Ask for a look at each cluster that workspaces have a place on, which answers and is not being looked at; returns
    how many there are. One that does not answer is seen when it does again."""
    hosts = session.scalars(select(Workspace.host_id).where(Workspace.host_id.is_not(None)).distinct()).all()
    due = [host_id for host_id in hosts if host_id is not None and is_usable(session, host_id)]
    under_way = select(Job.resource_id).where(Job.kind == ReconcileHost.kind, Job.status.not_in(jobs.FINAL))
    due = sorted(set(due).difference(session.scalars(under_way)))
    for host_id in due:
        jobs.accept(session, ReconcileHost(host_id), resource=("cluster", host_id))
    return len(due)


def wanted_on_host(session: Session, host_id: UUID) -> list[WantedWorkspace]:
    """Return what the workspaces on a cluster have to have there, of those to which nothing is being done."""
    placed = select(Workspace).where(Workspace.host_id == host_id, Workspace.status.in_((ACTIVE, SUSPENDED)))
    rights = Rights(session)
    return [
        want_workspace(session, workspace, rights)
        for workspace in session.scalars(placed.order_by(Workspace.id)).all()
        if not is_busy(session, workspace.id)
    ]


def begin_repair(session: Session, workspace_id: UUID) -> bool:
    """Begin to make the namespaces of a workspace anew, which are not there any more: as an operation, for nothing may
    make them while another one takes them away."""
    workspace = session.get(Workspace, workspace_id, with_for_update=True, populate_existing=True)
    if workspace is None or workspace.host_id is None:
        return False
    try:
        change_place(session, workspace, courses.REPAIR, None)
    except (OperationRuns, WorkspaceNotReady, WorkspaceSuspended):
        return False
    return True


def note_repairs(session: Session, repairs: Sequence[Repair]) -> None:
    """Keep what was repaired, and tell of it."""
    for repair in repairs:
        if session.get(Workspace, repair.workspace_id) is None:
            continue
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


def note_use(session: Session, host_id: UUID, seen: Sequence[tuple[str, str, dict[str, Any], dict[str, Any]]]) -> None:
    """Keep the phase, use and quota of namespaces as the cluster has just said them."""
    for name, phase, used, hard in seen:
        mine = update(Space).where(Space.host_id == host_id, Space.name == name)
        session.execute(mine.values(phase=phase, used=used, hard=hard, observed_at=database_now()))


def find_known_leftovers(session: Session, host_id: UUID, made: Mapping[str, str]) -> list[str]:
    """Return which of these namespaces, each with the id of what made it, an operation of this installation made and
    nothing has any more. What another installation made, whose ids nobody here knows, is not among them."""
    had = set(session.scalars(select(Space.name).where(Space.host_id == host_id, Space.name.in_(made))))
    ids = {name: UUID(text) for name, text in made.items() if name not in had and _is_id(text)}
    known = set(
        session.scalars(
            select(Provisioning.id).where(Provisioning.id.in_(ids.values()), Provisioning.finished_at.is_not(None))
        )
    )
    return [name for name, provisioning_id in ids.items() if provisioning_id in known]


def _is_id(text: str) -> bool:
    try:
        return str(UUID(text)) == text
    except ValueError:
        return False
