"""Reconciling: what is on a cluster is held against what has to be there, and set right; what is used is noted.

A cluster is asked for all objects of a kind at once, however many workspaces it has.
"""

from __future__ import annotations

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
    wanted_on_host,
)
from tasks.clusters.gateways.kubernetes import (
    Cluster,
    Kind,
    NamespaceTerminating,
    Object,
    ObjectNotFound,
    StaleWrite,
    kinds,
)
from tasks.clusters.opening import open_cluster
from tasks.tenancy import manifests
from tasks.tenancy.differences import find_differences, find_managers
from tasks.tenancy.manifests import Wanted
from tasks.tenancy.objects import is_going, ours_of, put, remove
from tasks.tools import Tools

LISTED: Final = (
    kinds.NAMESPACE,
    kinds.RESOURCE_QUOTA,
    kinds.LIMIT_RANGE,
    kinds.NETWORK_POLICY,
    kinds.ROLE_BINDING,
    kinds.SERVICE_ACCOUNT,
)

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

    def get(self, kind: Kind, name: str, namespace: str | None = None) -> Object | None:
        """Return one of them."""
        return self.objects.get((kind.name, namespace or "", name))

    def of(self, kind: Kind) -> Iterator[Object]:
        """Yield those of a kind."""
        return (live for (name, _, _), live in self.objects.items() if name == kind.name)


def reconcile_host(run: Run, host_id: UUID, tools: Tools) -> dict[str, Any]:
    """Repair what is on a cluster, and note what is used; raises as clusters do."""
    with run.reading() as session:
        wanted = wanted_on_host(session, host_id)
    with open_cluster(run, tools, host_id) as cluster:
        seen = _see(run, cluster)
        lost = [one for one in wanted if not _is_placed(seen, one)]
        repairs = [repair for one in wanted if one not in lost for repair in _repair(run, cluster, seen, one)]
        left = _remove_leftovers(run, cluster, seen, host_id)
    with run.recording() as (session, _job):
        note_repairs(session, repairs)
        note_use(session, host_id, list(_use_of(seen)))
    begun = sum(_place_again(run, one) for one in lost)
    return {"workspaces": len(wanted), "repaired": len(repairs), "placed_again": begun, "removed": left}


def _see(run: Run, cluster: Cluster) -> Seen:
    objects: dict[Place, Object] = {}
    for kind in LISTED:
        run.check()
        for live in ours_of(cluster, kind):
            meta = live["metadata"]
            objects[kind.name, meta.get("namespace", ""), meta["name"]] = live
    return Seen(objects)


def _is_placed(seen: Seen, wanted: WantedWorkspace) -> bool:
    """Tell whether all namespaces of a workspace are there; what is in them may be missing."""
    needed = [wanted.own.access, *(space.name for space in wanted.settled)]
    return all(seen.get(kinds.NAMESPACE, name) is not None for name in needed)


def _repair(run: Run, cluster: Cluster, seen: Seen, wanted: WantedWorkspace) -> Iterator[Repair]:
    for space in wanted.settled:
        for kind, body in manifests.policies_of(space):
            yield from _repair_one(run, cluster, seen, space, (kind, body))
    for account in manifests.accounts(wanted.own, wanted.own.members):
        yield from _repair_one(run, cluster, seen, wanted.own, (kinds.SERVICE_ACCOUNT, account))
    known = {names.account_name(user_id) for user_id in wanted.own.members}
    for live in seen.of(kinds.SERVICE_ACCOUNT):
        meta = live["metadata"]
        if meta["namespace"] == wanted.own.access and meta["name"] not in known:
            # Whose membership ended by itself, at its time; that is no drift.
            remove(cluster, kinds.SERVICE_ACCOUNT, meta["name"], meta["namespace"])


def _repair_one(run: Run, cluster: Cluster, seen: Seen, space: WantedSpace, one: Wanted) -> Iterator[Repair]:
    kind, body = one
    name, namespace = body["metadata"]["name"], body["metadata"]["namespace"]
    live = seen.get(kind, name, namespace)
    differences = [] if live is None else find_differences(body, live)
    if live is not None and not differences:
        return
    run.check()
    try:
        put(cluster, kind, body)
    except (NamespaceTerminating, ObjectNotFound, StaleWrite):
        # Its namespace has just gone, or somebody writes now: the next look sees.
        return
    yield Repair(
        space.organization_id,
        space.workspace_id,
        space.project_id,
        namespace,
        kind.name,
        name,
        "missing" if live is None else "changed",
        tuple(differences[:20]),
        tuple(find_managers(live, differences)) if live else (),
    )


def _place_again(run: Run, wanted: WantedWorkspace) -> int:
    with run.recording() as (session, _job):
        return int(begin_repair(session, wanted.own.workspace_id))


def _use_of(seen: Seen) -> Iterator[tuple[str, str, dict[str, Any], dict[str, Any]]]:
    """Yield each namespace with its phase, and what its quota says is used of what."""
    for live in seen.of(kinds.NAMESPACE):
        name = live["metadata"]["name"]
        quota = seen.get(kinds.RESOURCE_QUOTA, manifests.QUOTA, name) or {}
        status = quota.get("status") or {}
        phase = str((live.get("status") or {}).get("phase", ""))
        yield name, phase, status.get("used") or {}, status.get("hard") or {}


def _remove_leftovers(run: Run, cluster: Cluster, seen: Seen, host_id: UUID) -> int:
    """Delete namespaces that an operation of ours made which has long been taken back: of a worker that was thought
    lost, and was only late."""
    made = {
        live["metadata"]["name"]: (live["metadata"].get("labels") or {}).get(names.PROVISIONING_LABEL, "")
        for live in seen.of(kinds.NAMESPACE)
        if not is_going(live)
    }
    with run.reading() as session:
        leftovers = find_known_leftovers(session, host_id, made)
    for name in leftovers:
        run.check()
        live = seen.get(kinds.NAMESPACE, name)
        if live is not None:
            _delete_exactly(cluster, name, live["metadata"]["uid"])
    return len(leftovers)


def _delete_exactly(cluster: Cluster, name: str, uid: str) -> None:
    try:
        cluster.delete(kinds.NAMESPACE, name, uid=uid)
    except (ObjectNotFound, StaleWrite):
        return
