"""Applying manifests to a cluster: all are judged before the first is written, and each says what became of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any, Final
from uuid import UUID

from app.clusters import ApplyRights, Manifest, Order, read_order
from app.jobs import Run
from app.kernel.errors import Permanent
from tasks.clusters.gateways.kubernetes import (
    AccessDenied,
    Cluster,
    ClusterAway,
    ClusterError,
    FieldConflict,
    Kind,
    NotAuthenticated,
    Object,
    ObjectInvalid,
    ObjectNotFound,
)
from tasks.clusters.opening import open_cluster
from tasks.tools import Tools

MANAGER: Final = "headrace"
SECONDS: Final = 600.0
# What the server changes by itself at each write.
_KEPT_BY_SERVER: Final = ("managedFields", "resourceVersion", "generation")


class ApplyRefused(Permanent):
    """Some of the objects may not be written by you; nothing was applied."""

    code = "APPLY_REFUSED"


class ApplyFailed(Permanent):
    """Some of the objects could not be applied."""

    code = "APPLY_FAILED"


@dataclass(frozen=True, slots=True)
class _Placed:
    """An object with its kind and where it lies; `kind` is None where the cluster does not have it."""

    manifest: Manifest
    kind: Kind | None
    namespace: str | None

    def describe(self, outcome: str, **more: Any) -> dict[str, Any]:
        """Return what the result says of it."""
        one = self.manifest
        named = {"api_version": one.api_version, "kind": one.kind, "namespace": self.namespace, "name": one.name}
        return {**named, "outcome": outcome, **more}


def apply(run: Run, apply_id: UUID, tools: Tools) -> dict[str, Any]:
    """Apply what was asked for; raises ApplyRefused, ApplyFailed with what became of each object, ClusterAway."""
    with run.reading() as session:
        order = read_order(session, tools.vault, apply_id)

    def tell(done: int) -> None:
        total = len(order.manifests)
        run.progress(100 * done / total, phase="applying", current=done, total=total)

    with open_cluster(run, tools, order.cluster_id, seconds=SECONDS) as cluster:
        told = apply_order(cluster, order, tell)
    failed = sum("code" in one for one in told)
    result = {"dry_run": order.dry_run, "applied": len(told) - failed, "failed": failed, "objects": told}
    if failed:
        raise ApplyFailed(f"{failed} of {len(told)} objects could not be applied.", **result)
    return result


def apply_order(cluster: Cluster, order: Order, tell: Callable[[int], None]) -> list[dict[str, Any]]:
    """Apply objects one after the other and return what became of each; raises ApplyRefused, ClusterAway."""
    placed = [_place(cluster, one, order.namespace) for one in order.manifests]
    if refused := list(_judge(placed, order.rights)):
        raise ApplyRefused(objects=refused)
    told = []
    for position, one in enumerate(placed):
        tell(position)
        told.append(_try_one(cluster, one, order))
    return told


def _place(cluster: Cluster, manifest: Manifest, namespace: str) -> _Placed:
    try:
        kind = cluster.find_kind(manifest.api_version, manifest.kind)
    except ObjectNotFound:
        # Its definition may be among what is applied before it; until that is known it counts as the widest there is.
        return _Placed(manifest, None, manifest.namespace or None)
    return _Placed(manifest, kind, (manifest.namespace or namespace) if kind.namespaced else None)


def _judge(placed: list[_Placed], rights: ApplyRights) -> Iterator[dict[str, Any]]:
    for one in placed:
        if not rights.allow(one.namespace, guarded=one.manifest.is_guarded):
            needed = "namespaces:write"
            if one.namespace is None or one.manifest.is_guarded:
                needed = "clusters:apply"
            yield one.describe("refused", code="INSUFFICIENT_PERMISSIONS", required_permission=needed)


def _try_one(cluster: Cluster, one: _Placed, order: Order) -> dict[str, Any]:
    try:
        return _apply_one(cluster, one, order)
    except (ClusterAway, NotAuthenticated):
        raise
    except FieldConflict as error:
        conflicts = [asdict(conflict) for conflict in error.conflicts]
        return one.describe("conflict", code=error.code, message=error.message, conflicts=conflicts)
    except ClusterError as error:
        causes = [asdict(cause) for cause in error.causes] if isinstance(error, ObjectInvalid) else []
        return one.describe("failed", code=error.code, message=error.message, causes=causes)


def _apply_one(cluster: Cluster, one: _Placed, order: Order) -> dict[str, Any]:
    if one.kind is None:
        one = _place(cluster, one.manifest, order.namespace)
        if one.kind is None:
            raise ObjectNotFound(f"The cluster has no {one.manifest.kind} of {one.manifest.api_version}.")
        if not order.rights.allow(one.namespace, guarded=one.manifest.is_guarded):
            raise AccessDenied("You may not write this.")
    before = _find(cluster, one.kind, one)
    after = cluster.apply(one.kind, _body(one), manager=MANAGER, force=order.force, dry_run=order.dry_run)
    return one.describe(_compare(before, after))


def _body(one: _Placed) -> Object:
    meta = {name: value for name, value in one.manifest.body["metadata"].items() if name != "namespace"}
    placed = {"namespace": one.namespace} if one.namespace else {}
    return one.manifest.body | {"metadata": meta | placed}


def _find(cluster: Cluster, kind: Kind, one: _Placed) -> Object | None:
    try:
        return cluster.get(kind, one.manifest.name, one.namespace)
    except ObjectNotFound:
        return None


def _compare(before: Object | None, after: Object) -> str:
    if before is None:
        return "created"
    return "unchanged" if _stripped(before) == _stripped(after) else "configured"


def _stripped(body: Object) -> Object:
    meta = {name: value for name, value in body.get("metadata", {}).items() if name not in _KEPT_BY_SERVER}
    return {key: value for key, value in body.items() if key not in ("metadata", "status")} | {"metadata": meta}
