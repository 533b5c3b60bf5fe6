"""Making, changing and ending objects: what happens to every one of them, whoever asks, clients or controllers."""

from __future__ import annotations

import copy
import secrets
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from tests.support.kubernetes import applying, quotas
from tests.support.kubernetes.kinds import PODS, Resource
from tests.support.kubernetes.statuses import bad_request, exists, forbidden, invalid, not_found, stale
from tests.support.kubernetes.store import Key, Store
from tests.support.kubernetes.validating import prune, validate

Object = dict[str, Any]
FOREGROUND, ORPHAN = "foregroundDeletion", "orphan"
_KEPT = ("uid", "creationTimestamp", "namespace", "name", "deletionTimestamp", "deletionGracePeriodSeconds")
_COMMON = ("apiVersion", "kind", "metadata")


def key_of(resource: Resource, body: Object) -> Key:
    """Where the store has an object."""
    meta = body["metadata"]
    return Key(resource.key, meta.get("namespace", "") if resource.namespaced else "", meta["name"])


def make(store: Store, resource: Resource, body: Object, *, manager: str, dry: bool = False) -> Object:
    """Make an object and return it; raises what an API server refuses."""
    made = _shape(resource, body)
    meta = made["metadata"]
    if not meta.get("name"):
        if not meta.get("generateName"):
            raise invalid(resource.kind, "", [("metadata.name", "Required value: name or generateName is required")])
        meta["name"] = meta["generateName"] + secrets.token_hex(3)[:5]
    key = key_of(resource, made)
    if resource.namespaced:
        _check_namespace(store, resource, key)
    if store.get(key) is not None:
        raise exists(resource.shown, key.name)
    _fill(store, resource, made)
    validate(resource, made)
    if resource.namespaced:
        quotas.admit(store, resource, made)
    meta |= {"uid": str(uuid.uuid4()), "creationTimestamp": now(), "generation": 1}
    if "managedFields" not in meta:
        applying.record_update(None, made, manager)
    return made if dry else store.put(key, made)


def change(
    store: Store, resource: Resource, before: Object, after: Object, *, manager: str, part: str = "", dry: bool = False
) -> Object:
    """Write a new state of an object, or only its status, and return it; raises what an API server refuses."""
    key = key_of(resource, before)
    _check_same(resource, before, after)
    changed = _shape(resource, after) if part != "status" else _with_status(before, after)
    if part != "status":
        _keep(resource, before, changed)
    validate(resource, changed)
    if "managedFields" not in after["metadata"] or after["metadata"]["managedFields"] == before["metadata"].get(
        "managedFields"
    ):
        changed["metadata"].pop("managedFields", None)
        applying.record_update(before, changed, manager)
    if dry:
        return changed
    if changed["metadata"].get("deletionTimestamp") and not _is_held(changed):
        store.remove(key)
        return changed
    return store.put(key, changed)


def end(
    store: Store, resource: Resource, body: Object, *, propagation: str = "Background", graceful: bool = True
) -> bool:
    """Ask for an object's end; return whether it is gone at once."""
    key = key_of(resource, body)
    meta = body["metadata"]
    finalizers = meta.setdefault("finalizers", [])
    for policy, finalizer in (("Foreground", FOREGROUND), ("Orphan", ORPHAN)):
        if propagation == policy and finalizer not in finalizers and has_dependents(store, body):
            finalizers.append(finalizer)
    runs = resource is PODS and graceful and body.get("spec", {}).get("nodeName")
    if not finalizers:
        del meta["finalizers"]
    if not _is_held(body) and not runs:
        store.remove(key)
        return True
    if not meta.get("deletionTimestamp"):
        meta |= {"deletionTimestamp": now(), "deletionGracePeriodSeconds": 30 if runs else 0}
    if resource.kind == "Namespace":
        body.setdefault("status", {})["phase"] = "Terminating"
    store.put(key, body)
    return False


def has_dependents(store: Store, owner: Object) -> bool:
    """Tell whether any object names this one as its owner."""
    return any(owner_uids(store.get(key)) & {owner["metadata"]["uid"]} for key in store.filed())


def owner_uids(body: Object | None) -> set[str]:
    """The uids of an object's owners."""
    return {owner["uid"] for owner in (body or {}).get("metadata", {}).get("ownerReferences") or []}


def now() -> str:
    """The present as Kubernetes writes it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _shape(resource: Resource, body: Object) -> Object:
    if not isinstance(body, dict) or not isinstance(body.get("metadata", {}), dict):
        raise bad_request("the object provided is unrecognized")
    if body.get("kind", resource.kind) != resource.kind or body.get("apiVersion", resource.api_version) != (
        resource.api_version
    ):
        raise bad_request(f"{body.get('apiVersion')} {body.get('kind')} is not {resource.api_version} {resource.kind}")
    shaped = {"apiVersion": resource.api_version, "kind": resource.kind, "metadata": {}} | copy.deepcopy(body)
    if resource.schema is not None:
        known = prune(resource.schema, {key: value for key, value in shaped.items() if key not in _COMMON})
        shaped = {key: shaped[key] for key in _COMMON} | known
    return shaped


def _fill(store: Store, resource: Resource, made: Object) -> None:
    for name in ("uid", "resourceVersion", "creationTimestamp", "deletionTimestamp", "generation", "selfLink"):
        made["metadata"].pop(name, None)
    if resource.status:
        made.pop("status", None)
    filler = _FILLERS.get(resource.kind)
    if filler is not None:
        filler(store, made)


def _fill_namespace(_store: Store, made: Object) -> None:
    made["metadata"].setdefault("labels", {})["kubernetes.io/metadata.name"] = made["metadata"]["name"]
    made["spec"] = {"finalizers": ["kubernetes"]}
    made["status"] = {"phase": "Active"}


def _fill_pod(store: Store, made: Object) -> None:
    spec = made.setdefault("spec", {})
    spec.setdefault("serviceAccountName", "default")
    namespace = made["metadata"]["namespace"]
    if store.get(Key("serviceaccounts.", namespace, spec["serviceAccountName"])) is None:
        name = spec["serviceAccountName"]
        why = f'error looking up service account {namespace}/{name}: serviceaccount "{name}" not found'
        raise forbidden("pods", made["metadata"]["name"], why)
    spec.setdefault("restartPolicy", "Always")
    if spec.get("containers"):
        quotas.default_limits(store, namespace, made)
    made["status"] = {"phase": "Pending"}


def _fill_workload(_store: Store, made: Object) -> None:
    made.setdefault("spec", {}).setdefault("replicas", 1)


_FILLERS: dict[str, Callable[[Store, Object], None]] = {
    "Namespace": _fill_namespace,
    "Pod": _fill_pod,
    "Deployment": _fill_workload,
    "ReplicaSet": _fill_workload,
    "StatefulSet": _fill_workload,
}


def _check_namespace(store: Store, resource: Resource, key: Key) -> None:
    namespace = store.get(Key("namespaces.", "", key.namespace))
    if namespace is None:
        raise not_found("namespaces", key.namespace)
    if namespace["metadata"].get("deletionTimestamp"):
        why = f"unable to create new content in namespace {key.namespace} because it is being terminated"
        said = f"namespace {key.namespace} is being terminated"
        cause = {"reason": "NamespaceTerminating", "message": said, "field": "metadata.namespace"}
        raise forbidden(resource.shown, key.name, why, [cause])


def _check_same(resource: Resource, before: Object, after: Object) -> None:
    old, new = before["metadata"], after["metadata"]
    for name in ("resourceVersion", "uid"):
        if new.get(name) and new[name] != old[name]:
            raise stale(resource.shown, old["name"])


def _with_status(before: Object, after: Object) -> Object:
    changed = copy.deepcopy(before)
    changed["status"] = copy.deepcopy(after.get("status", {}))
    return changed


def _keep(resource: Resource, before: Object, changed: Object) -> None:
    old, new = before["metadata"], changed["metadata"]
    for name in _KEPT:
        new.pop(name, None)
        if name in old:
            new[name] = old[name]
    if resource.status:
        changed.pop("status", None)
        if "status" in before:
            changed["status"] = before["status"]
    if resource.kind == "Namespace":
        changed["spec"] = before["spec"]
    grown = changed.get("spec") != before.get("spec")
    new["generation"] = old.get("generation", 1) + (1 if grown else 0)


def _is_held(body: Object) -> bool:
    held_by_kind = body["kind"] == "Namespace" and body.get("spec", {}).get("finalizers")
    return bool(body["metadata"].get("finalizers") or held_by_kind)
