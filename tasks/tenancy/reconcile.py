"""Reconciling: what is on a cluster is held against what has to be there, and set right; what is used is noted.

A cluster is asked for all objects of a kind at once, however many workspaces it has.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from typing import Any, Final
from uuid import UUID

from app.jobs import Run
from app.tenancy import (
    Repair,
    WantedSpace,
    WantedWorkspace,
    address_of,
    ask_to_reconcile,
    begin_repair,
    find_known_leftovers,
    names,
    note_repairs,
    note_use,
    read_amounts,
    wanted_on_host,
)
from tasks.clusters.gateways.kubernetes import (
    Cluster,
    ClusterAway,
    ClusterError,
    Kind,
    NotAuthenticated,
    ObjectNotFound,
    StaleWrite,
    kinds,
)
from tasks.clusters.opening import open_cluster
from tasks.tenancy import control_plane, manifests
from tasks.tenancy.members import Door, end_strangers, look_at, look_at_quiet, put_members
from tasks.tenancy.objects import is_going
from tasks.tenancy.repairing import Due, due_namespace, due_of_host, remove_unwanted, repair
from tasks.tenancy.seen import Seen, see
from tasks.tools import Tools, VirtualRules

log = logging.getLogger(__name__)

LISTED: Final = (
    kinds.NAMESPACE,
    kinds.RESOURCE_QUOTA,
    kinds.LIMIT_RANGE,
    kinds.NETWORK_POLICY,
    kinds.ROLE_BINDING,
    kinds.SERVICE_ACCOUNT,
)

_PARTS: Final = ("used", "hard")


def ask_for_all(run: Run) -> dict[str, Any]:
    """Ask for a look at each cluster that workspaces have a place on."""
    with run.recording() as (session, _job):
        asked = ask_to_reconcile(session)
    return {"clusters": asked}


def reconcile_host(run: Run, host_id: UUID, tools: Tools) -> dict[str, Any]:
    """Repair what is on a cluster, and note what is used; raises as clusters do."""
    with run.reading() as session:
        quiet, others = wanted_on_host(session, host_id)
    with open_cluster(run, tools, host_id) as cluster:
        seen = see(run, cluster, _kinds_of(quiet, tools.virtual))
        lost = [(one, space) for one in quiet for space in _find_lost(seen, one)]
        repairs = [repair for one in quiet for repair in _try_to_repair(run, cluster, seen, one, tools.virtual)]
        for one in others:
            _shut_out(run, cluster, seen, one)
        left = _remove_leftovers(run, cluster, seen, host_id)
    with run.recording() as (session, _job):
        note_repairs(session, repairs)
        note_use(session, host_id, list(_use_of(seen)))
    begun = sum(_place_again(run, one, space) for one, space in lost)
    return {"workspaces": len(quiet), "repaired": len(repairs), "placed_again": begun, "removed": left}


def _kinds_of(some: Sequence[WantedWorkspace], virtual: VirtualRules) -> tuple[Kind, ...]:
    return LISTED + (control_plane.KINDS if any(_has_control_plane(one, virtual) for one in some) else ())


def _find_lost(seen: Seen, wanted: WantedWorkspace) -> list[WantedSpace]:
    """Return the spaces whose namespaces are not there; the workspace's own stands for that of its accounts."""
    own = wanted.own
    lost = [own] if not seen.has_namespace(own.name) or not seen.has_namespace(own.access) else []
    return lost + [space for space in wanted.settled if space.project_id and not seen.has_namespace(space.name)]


def _try_to_repair(
    run: Run, cluster: Cluster, seen: Seen, wanted: WantedWorkspace, virtual: VirtualRules
) -> list[Repair]:
    """Repair a workspace. What the cluster refuses in one of them keeps no other from being looked after."""
    done: list[Repair] = []
    try:
        for repair in _repair(run, cluster, seen, wanted, virtual):
            done.append(repair)  # noqa: PERF402 - what was done before it raises is told
    except (ClusterAway, NotAuthenticated):
        raise
    except ClusterError as error:
        about = {"workspace_id": str(wanted.own.workspace_id), "code": error.code}
        log.warning("a workspace could not be repaired", extra=about)
    return done


def _repair(run: Run, cluster: Cluster, seen: Seen, wanted: WantedWorkspace, virtual: VirtualRules) -> Iterator[Repair]:
    """Set right what is not as it has to be.

    What has to be was read before the cluster was asked: where the two differ, both are read again, for somebody may
    have been let in or shut out meanwhile, or the workspace may have been resumed.
    """
    lost = {space.name for space in _find_lost(seen, wanted)}
    some = (due for due in _all_of(wanted, virtual) if due.space.name not in lost)
    doubtful = {due.place for due in some if due.is_amiss(seen)}
    doubtful |= {due.place for due in _none_of(wanted) if seen.get(due.kind, due.body)}
    newest = look_at_quiet(run, wanted.own.workspace_id) if doubtful else None
    if newest is not None:
        for due in (due for due in _all_of(newest, virtual) if due.place in doubtful):
            yield from repair(run, cluster, due)
        for due in (due for due in _none_of(newest) if due.place in doubtful):
            yield from remove_unwanted(run, cluster, due)
        if not lost and wanted.inside is None:
            put_members(Door(cluster), lambda: look_at_quiet(run, wanted.own.workspace_id))
    _shut_out(run, cluster, seen, wanted)


def _all_of(wanted: WantedWorkspace, virtual: VirtualRules) -> Iterator[Due]:
    """Yield all objects that a workspace has to have."""
    own = wanted.own
    yield due_namespace(own, kinds.NAMESPACE, manifests.access_namespace(own))
    for space in wanted.settled:
        yield due_namespace(space, kinds.NAMESPACE, manifests.namespace(space))
        yield from (Due(space, kind, body) for kind, body in manifests.policies_of(space))
    yield from (Due(own, kinds.SERVICE_ACCOUNT, account) for account in manifests.accounts(own, own.members))
    if _has_control_plane(wanted, virtual):
        objects = control_plane.objects_of(own, address_of(virtual.address, own.name), virtual)
        yield from (due_of_host(own, kind, body) for kind, body in objects)


def _has_control_plane(wanted: WantedWorkspace, virtual: VirtualRules) -> bool:
    """Tell whether a control plane of a workspace has to run: that of one that sleeps is put when it wakes."""
    return wanted.inside is not None and bool(virtual.address) and not wanted.own.suspended


def _none_of(wanted: WantedWorkspace) -> Iterator[Due]:
    """Yield objects of ours that a workspace must not have."""
    awake = (space for space in wanted.settled if not space.suspended)
    yield from (Due(space, kinds.RESOURCE_QUOTA, manifests.frozen(space)) for space in awake)


def _shut_out(run: Run, cluster: Cluster, seen: Seen, wanted: WantedWorkspace) -> None:
    """End the accounts of those whose membership ended by itself, at its time; that is no drift. A virtual cluster has
    its accounts inside, where the look of its members finds them."""
    if wanted.inside is not None:
        return
    known = {names.account_name(user_id) for user_id in wanted.own.members}
    access = wanted.own.access
    accounts = (live["metadata"] for live in seen.of(kinds.SERVICE_ACCOUNT))
    if any(meta.get("namespace") == access and meta["name"] not in known for meta in accounts):
        end_strangers(Door(cluster), lambda: look_at(run, wanted.own.workspace_id))


def _place_again(run: Run, wanted: WantedWorkspace, space: WantedSpace) -> int:
    with run.recording() as (session, _job):
        return int(begin_repair(session, wanted.own.workspace_id, space.project_id))


def _use_of(seen: Seen) -> Iterator[tuple[str, str, dict[str, str], dict[str, str]]]:
    """Yield each namespace with its phase, and what its quota says is used of what."""
    for live in seen.of(kinds.NAMESPACE):
        name = live["metadata"]["name"]
        quota = seen.objects.get((kinds.RESOURCE_QUOTA.name, name, manifests.QUOTA), {})
        status = quota.get("status") or {}
        phase = (live.get("status") or {}).get("phase")
        yield name, phase[:20] if isinstance(phase, str) else "", *(read_amounts(status.get(part)) for part in _PARTS)


def _remove_leftovers(run: Run, cluster: Cluster, seen: Seen, host_id: UUID) -> int:
    """Delete namespaces that an operation of ours made which has long been taken back: of a worker that was thought
    lost, and was only late."""
    namespaces = {live["metadata"]["name"]: live["metadata"] for live in seen.of(kinds.NAMESPACE) if not is_going(live)}
    made = {name: (meta.get("labels") or {}).get(names.PROVISIONING_LABEL, "") for name, meta in namespaces.items()}
    with run.reading() as session:
        leftovers = find_known_leftovers(session, host_id, made)
    for name in leftovers:
        run.check()
        _delete_exactly(cluster, name, namespaces[name].get("uid"))
    return len(leftovers)


def _delete_exactly(cluster: Cluster, name: str, uid: str | None) -> None:
    try:
        cluster.delete(kinds.NAMESPACE, name, uid=uid)
    except (ObjectNotFound, StaleWrite):
        return
