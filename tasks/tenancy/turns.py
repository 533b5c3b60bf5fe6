"""Doing an operation, and undoing it: one turn of its job at a time."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

from app.clusters import Access, AccessRules
from app.jobs import Run
from app.tenancy import (
    MAKING,
    RUNNING,
    UNDOING,
    Project,
    Provisioning,
    ProvisioningPhase,
    WantedWorkspace,
    Workspace,
    address_of,
    keep_virtual,
    names,
    operations,
    want_workspace,
)
from tasks.clusters.gateways.kubernetes import Cluster, ClusterError
from tasks.clusters.opening import TURN_SECONDS, open_access_to, open_cluster
from tasks.phases import Wait, ensure_all, undo_all
from tasks.tenancy.ledger import RunLedger, TakenOver
from tasks.tenancy.members import reveal_inside
from tasks.tenancy.objects import left_of
from tasks.tenancy.phases import Inside, Site, make_phases
from tasks.tools import Tools

# What comes about within a moment is waited for: another turn would cost more than it.
MOMENT: Final = 1.0
PAUSE: Final = 0.05


@dataclass(frozen=True, slots=True)
class Told:
    """An operation as it was read at the beginning of a turn."""

    operation: str
    status: str
    host_id: UUID
    workspace_id: UUID
    project_id: UUID | None
    parent_id: UUID | None
    labels: frozenset[str]
    phases: list[ProvisioningPhase] = field(repr=False)


def operate(run: Run, provisioning_id: UUID, tools: Tools) -> dict[str, Any] | None:
    """Make the phases of an operation hold, from the first that does not; or wait for another turn."""
    told = _read(run, provisioning_id)
    if told is None or told.status != RUNNING:
        raise TakenOver
    with open_cluster(run, tools, told.host_id) as cluster:
        site = _site_of(run, cluster, provisioning_id, told, tools)
        phases = make_phases(told.operation, [phase.name for phase in told.phases], site)
        ledger = RunLedger(run, provisioning_id, told.phases, undoing=False)
        waiting = _within_a_moment(run, lambda: ensure_all(phases, ledger))
    if waiting is not None:
        ledger.wait(waiting)
        return None
    with run.recording() as (session, job):
        provisioning = operations.lock(session, provisioning_id)
        if provisioning is None or provisioning.status != RUNNING:
            raise TakenOver
        operations.complete(session, provisioning)
        run.finish(session, job, {"operation": told.operation})
    return None


def undo(run: Run, provisioning_id: UUID, tools: Tools) -> dict[str, Any] | None:
    """Take back what an operation has done, the last phase first; or wait for another turn."""
    told = _read(run, provisioning_id)
    if told is None or told.status != UNDOING:
        return {"taken_over": True}
    with open_cluster(run, tools, told.host_id) as cluster:
        site = _site_of(run, cluster, provisioning_id, told, tools)
        phases = make_phases(told.operation, [phase.name for phase in told.phases], site)
        ledger = RunLedger(run, provisioning_id, told.phases, undoing=True)
        try:
            waiting = _within_a_moment(run, lambda: undo_all(phases, ledger) or _find_left(cluster, told))
        except TakenOver:
            return {"taken_over": True}
    if waiting is not None:
        ledger.wait(waiting)
        return None
    with run.recording() as (session, job):
        provisioning = operations.lock(session, provisioning_id)
        if provisioning is not None and provisioning.status == UNDOING:
            operations.finish_undo(session, provisioning)
        run.finish(session, job, {"operation": told.operation})
    return None


def _find_left(cluster: Cluster, told: Told) -> Wait | None:
    """Ask the cluster itself whether anything is left of a place that was to be made."""
    if told.operation not in MAKING:
        return None
    label, value = (names.WORKSPACE_LABEL, told.workspace_id)
    if told.project_id is not None:
        label, value = names.PROJECT_LABEL, told.project_id
    try:
        left = left_of(cluster, label, value)
    except ClusterError as error:
        return Wait(error.message)
    return Wait(f"namespaces {', '.join(left[:5])} to go") if left else None


def _within_a_moment(run: Run, act: Callable[[], Wait | None]) -> Wait | None:
    ends = time.monotonic() + MOMENT
    while (waiting := act()) is not None and time.monotonic() < ends:
        pause(run)
    return waiting


def pause(run: Run) -> None:
    """Let a moment pass in which the cluster does its part."""
    run.cancel_requested.wait(PAUSE)
    run.check()


def _read(run: Run, provisioning_id: UUID) -> Told | None:
    with run.reading() as session:
        found = session.get(Provisioning, provisioning_id)
        if found is None or session.get(Workspace, found.workspace_id) is None:
            return None
        project = session.get(Project, found.project_id) if found.project_id else None
        return Told(
            found.operation,
            found.status,
            found.host_id,
            found.workspace_id,
            found.project_id,
            project.parent_id if project else None,
            frozenset(name for values in found.wanted.values() for name in values.get("labels", {})),
            list(found.phases),
        )


def _site_of(run: Run, cluster: Cluster, provisioning_id: UUID, told: Told, tools: Tools) -> Site:
    def look_again() -> WantedWorkspace:
        run.check()
        with run.reading() as session:
            return want_workspace(session, session.get_one(Workspace, told.workspace_id))

    seen = look_again()
    return Site(
        cluster,
        lambda: seen,
        look_again,
        provisioning_id,
        told.project_id,
        told.parent_id,
        tools.verify_image,
        told.labels,
        _inside_of(run, seen, tools),
    )


def _inside_of(run: Run, wanted: WantedWorkspace, tools: Tools) -> Inside | None:
    """Return how the virtual cluster of a workspace is made and entered; None where there is none."""
    if wanted.inside is None or not tools.virtual.address:
        return None
    workspace_id = wanted.own.workspace_id

    def keep(access: Access, version: str) -> None:
        with run.recording() as (session, _job):
            kept = (access.server, version, access.to_json())
            keep_virtual(session, tools.vault, workspace_id, *kept)

    return Inside(
        tools.virtual,
        address_of(tools.virtual.address, wanted.own.name),
        AccessRules(tools.clusters.addresses, allow_unverified=tools.clusters.allow_unverified),
        lambda access: open_access_to(run, tools, access, TURN_SECONDS),
        keep,
        lambda: reveal_inside(run, tools, workspace_id),
    )
