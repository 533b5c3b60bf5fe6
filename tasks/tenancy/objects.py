"""Objects on a cluster: looked for, put as they have to be, and taken away."""

from __future__ import annotations

from collections.abc import Iterator

from app.tenancy import names
from tasks.clusters.gateways.kubernetes import (
    Cluster,
    Kind,
    Object,
    ObjectInvalid,
    ObjectNotFound,
    StaleWrite,
    kinds,
    list_all,
)
from tasks.tenancy.differences import find_differences
from tasks.tenancy.manifests import OURS, Wanted


def find(cluster: Cluster, kind: Kind, name: str, namespace: str | None = None) -> Object | None:
    """Return an object, or None."""
    try:
        return cluster.get(kind, name, namespace)
    except ObjectNotFound:
        return None


def is_ours(live: Object, workspace_id: object) -> bool:
    """Tell whether an object bears the mark of a workspace."""
    labels = live["metadata"].get("labels") or {}
    return labels.get(names.WORKSPACE_LABEL) == str(workspace_id)


def is_going(live: Object) -> bool:
    """Tell whether an object is being deleted."""
    return live["metadata"].get("deletionTimestamp") is not None


def put(cluster: Cluster, kind: Kind, wanted: Object) -> Object:
    """Make an object, or change it to what it has to be, whoever has written to it; returns it as it is then.

    Server-side apply takes our fields back and leaves what others have added. Where that makes a difference, the object
    is replaced; where it cannot be changed, as the role of a binding, it is made anew.
    """
    try:
        live = cluster.apply(kind, wanted, manager=names.MANAGER, force=True)
    except ObjectInvalid:
        if kind not in (kinds.ROLE_BINDING, kinds.CLUSTER_ROLE_BINDING):
            raise
        remove(cluster, kind, wanted["metadata"]["name"], wanted["metadata"].get("namespace"))
        live = cluster.apply(kind, wanted, manager=names.MANAGER, force=True)
    return live if not find_differences(wanted, live) else cluster.replace(kind, merged(wanted, live))


def put_labels(cluster: Cluster, wanted: Object) -> None:
    """Give a namespace the labels that it has to have, and leave all others."""
    meta = wanted["metadata"]
    cluster.patch(kinds.NAMESPACE, meta["name"], change={"metadata": {"labels": meta["labels"]}})


def merged(wanted: Object, live: Object) -> Object:
    """Return what replaces a live object: nothing but what is said, beside its labels and where it is."""
    meta = {
        name: value for name, value in live["metadata"].items() if name not in ("managedFields", "creationTimestamp")
    }
    parts = {name: part for name, part in wanted.items() if name != "metadata"}
    return {"metadata": {**meta, "labels": {**(meta.get("labels") or {}), **wanted["metadata"]["labels"]}}, **parts}


def put_all(cluster: Cluster, some: list[Wanted]) -> None:
    """Put several objects, in order."""
    for kind, wanted in some:
        put(cluster, kind, wanted)


def remove(cluster: Cluster, kind: Kind, name: str, namespace: str | None = None, *, grace: int | None = None) -> None:
    """Ask for an object's end; one that is not there is well so."""
    try:
        cluster.delete(kind, name, namespace, grace=grace)
    except ObjectNotFound:
        return


def remove_namespace(cluster: Cluster, name: str, workspace_id: object) -> str | None:
    """Delete a namespace of a workspace, and return what still holds it; None when it is gone, or is not ours."""
    live = find(cluster, kinds.NAMESPACE, name)
    if live is None or not is_ours(live, workspace_id):
        return None
    if not is_going(live):
        try:
            cluster.delete(kinds.NAMESPACE, name, uid=live["metadata"].get("uid"))
        except (ObjectNotFound, StaleWrite):
            return f"namespace {name}"
        live = find(cluster, kinds.NAMESPACE, name)
    return None if live is None else f"namespace {name} {_what_holds(live)}"


def _what_holds(live: Object) -> str:
    conditions = (live.get("status") or {}).get("conditions") or []
    told = [
        str(one.get("message", ""))[:300]
        for one in (conditions if isinstance(conditions, list) else [])
        if isinstance(one, dict) and one.get("status") == "True" and one.get("message")
    ]
    return "to go: " + "; ".join(told[:3]) if told else "to go"


def left_of(cluster: Cluster, label: str, value: object) -> list[str]:
    """Return the names of the namespaces that still bear a mark of ours."""
    found = list_all(cluster, kinds.NAMESPACE, labels=f"{OURS},{label}={value}")
    return [live["metadata"]["name"] for live in found]


def ours_of(cluster: Cluster, kind: Kind, namespace: str | None = None) -> Iterator[Object]:
    """Yield all objects of a kind that are ours."""
    return list_all(cluster, kind, namespace, labels=OURS)
