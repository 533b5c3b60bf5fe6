"""Reconciling: what is on a cluster is held against what has to be there, and set right; what is used is noted.

A cluster is asked for all objects of a kind at once, however many workspaces it has.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from app.jobs import Run
from app.tenancy import (
    Repair,
    WantedSpace,
    WantedWorkspace,
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
    NamespaceTerminating,
    NotAuthenticated,
    Object,
    ObjectNotFound,
    StaleWrite,
    kinds,
)
from tasks.clusters.opening import open_cluster
from tasks.tenancy import manifests
from tasks.tenancy.differences import find_differences, find_managers
from tasks.tenancy.manifests import Wanted
from tasks.tenancy.members import Door, end_strangers, look_at, look_at_quiet, put_members
from tasks.tenancy.objects import find, is_going, ours_of, put, put_labels, remove
from tasks.tools import Tools

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

Place = tuple[str, str, str]


def ask_for_all(run: Run) -> dict[str, Any]:
    """Ask for a look at each cluster that workspaces have a place on."""
    with run.recording() as (session, _job):
        asked = ask_to_reconcile(session)
    return {"clusters": asked}


@dataclass(frozen=True, slots=True)
class Seen:
    """All objects of ours on a cluster."""

    objects: dict[Place, Object]

    def get(self, kind: Kind, body: Object) -> Object | None:
        """Return the one that is named as another."""
        return self.objects.get(_place_of(kind, body))

    def of(self, kind: Kind) -> Iterator[Object]:
        """Yield those of a kind."""
        return (live for (name, _, _), live in self.objects.items() if name == kind.name)


def reconcile_host(run: Run, host_id: UUID, tools: Tools) -> dict[str, Any]:
    """Repair what is on a cluster, and note what is used; raises as clusters do."""
    with run.reading() as session:
        quiet, others = wanted_on_host(session, host_id)
    with open_cluster(run, tools, host_id) as cluster:
        seen = _see(run, cluster)
        lost = [(one, space) for one in quiet for space in _find_lost(seen, one)]
        repairs = [repair for one in quiet for repair in _try_to_repair(run, cluster, seen, one)]
        for one in others:
            _shut_out(run, cluster, seen, one)
        left = _remove_leftovers(run, cluster, seen, host_id)
    with run.recording() as (session, _job):
        note_repairs(session, repairs)
        note_use(session, host_id, list(_use_of(seen)))
    begun = sum(_place_again(run, one, space) for one, space in lost)
    return {"workspaces": len(quiet), "repaired": len(repairs), "placed_again": begun, "removed": left}


def _see(run: Run, cluster: Cluster) -> Seen:
    objects: dict[Place, Object] = {}
    for kind in LISTED:
        run.check()
        for live in ours_of(cluster, kind):
            objects[_place_of(kind, live)] = live
    return Seen(objects)


def _find_lost(seen: Seen, wanted: WantedWorkspace) -> list[WantedSpace]:
    """Return the spaces whose namespaces are not there; the workspace's own stands for that of its accounts."""
    own = wanted.own
    lost = [own] if not _has(seen, own.name) or not _has(seen, own.access) else []
    return lost + [space for space in wanted.settled if space.project_id and not _has(seen, space.name)]


def _has(seen: Seen, namespace: str) -> bool:
    return (kinds.NAMESPACE.name, "", namespace) in seen.objects


def _try_to_repair(run: Run, cluster: Cluster, seen: Seen, wanted: WantedWorkspace) -> list[Repair]:
    """Repair a workspace. What the cluster refuses in one of them keeps no other from being looked after."""
    done: list[Repair] = []
    try:
        for repair in _repair(run, cluster, seen, wanted):
            done.append(repair)  # noqa: PERF402 - what was done before it raises is told
    except (ClusterAway, NotAuthenticated):
        raise
    except ClusterError as error:
        about = {"workspace_id": str(wanted.own.workspace_id), "code": error.code}
        log.warning("a workspace could not be repaired", extra=about)
    return done


def _repair(run: Run, cluster: Cluster, seen: Seen, wanted: WantedWorkspace) -> Iterator[Repair]:
    """Set right what is not as it has to be.

    What has to be was read before the cluster was asked: where the two differ, both are read again, for somebody may
    have been let in or shut out meanwhile, or the workspace may have been resumed.
    """
    lost = {space.name for space in _find_lost(seen, wanted)}
    some = [(kind, body) for space, kind, body in _all_of(wanted) if space.name not in lost]
    doubtful = {_place_of(kind, body) for kind, body in some if _differ(body, seen.get(kind, body))}
    doubtful |= {_place_of(kind, body) for _, kind, body in _none_of(wanted) if seen.get(kind, body)}
    newest = look_at_quiet(run, wanted.own.workspace_id) if doubtful else None
    if newest is not None:
        for space, kind, body in _all_of(newest):
            if _place_of(kind, body) in doubtful:
                yield from _repair_one(run, cluster, space, (kind, body))
        for space, kind, body in _none_of(newest):
            if _place_of(kind, body) in doubtful:
                yield from _remove_one(run, cluster, space, (kind, body))
        if not lost and wanted.inside is None:
            put_members(Door(cluster), lambda: look_at_quiet(run, wanted.own.workspace_id))
    _shut_out(run, cluster, seen, wanted)


def _all_of(wanted: WantedWorkspace) -> Iterator[tuple[WantedSpace, Kind, Object]]:
    """Yield all objects that a workspace has to have."""
    own = wanted.own
    yield own, kinds.NAMESPACE, manifests.access_namespace(own)
    for space in wanted.settled:
        yield space, kinds.NAMESPACE, manifests.namespace(space)
        yield from ((space, kind, body) for kind, body in manifests.policies_of(space))
    yield from ((own, kinds.SERVICE_ACCOUNT, account) for account in manifests.accounts(own, own.members))


def _none_of(wanted: WantedWorkspace) -> Iterator[tuple[WantedSpace, Kind, Object]]:
    """Yield objects of ours that a workspace must not have."""
    awake = (space for space in wanted.settled if not space.suspended)
    yield from ((space, kinds.RESOURCE_QUOTA, manifests.frozen(space)) for space in awake)


def _place_of(kind: Kind, body: Object) -> Place:
    return kind.name, body["metadata"].get("namespace") or "", body["metadata"]["name"]


def _differ(body: Object, live: Object | None) -> bool:
    return live is None or bool(find_differences(body, live))


def _repair_one(run: Run, cluster: Cluster, space: WantedSpace, one: Wanted) -> Iterator[Repair]:
    kind, body = one
    run.check()
    live = find(cluster, kind, body["metadata"]["name"], body["metadata"].get("namespace"))
    differences = [] if live is None else find_differences(body, live)
    if live is not None and not differences:
        return
    try:
        if kind == kinds.NAMESPACE:
            put_labels(cluster, body)
        else:
            put(cluster, kind, body)
    except (NamespaceTerminating, ObjectNotFound, StaleWrite):
        # Its namespace has just gone, or somebody writes now: the next look sees.
        return
    managers = tuple(find_managers(live, differences)) if live else ()
    yield _tell(space, one, "missing" if live is None else "changed", tuple(differences[:20]), managers)


def _remove_one(run: Run, cluster: Cluster, space: WantedSpace, one: Wanted) -> Iterator[Repair]:
    kind, body = one
    place = (kind, body["metadata"]["name"], body["metadata"]["namespace"])
    run.check()
    if find(cluster, *place) is not None:
        remove(cluster, *place)
        yield _tell(space, one, "unwanted")


def _tell(
    space: WantedSpace, one: Wanted, what: str, differences: tuple[str, ...] = (), managers: tuple[str, ...] = ()
) -> Repair:
    kind, meta = one[0], one[1]["metadata"]
    whose = (space.organization_id, space.workspace_id, space.project_id)
    return Repair(*whose, meta.get("namespace") or meta["name"], kind.name, meta["name"], what, differences, managers)


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
