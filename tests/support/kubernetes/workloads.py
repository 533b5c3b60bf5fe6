"""Deployments, replica sets and stateful sets: each gets the pods it wants, and says how many are ready."""

from __future__ import annotations

import copy
import hashlib
import json
from typing import Any

from tests.support.kubernetes import objects
from tests.support.kubernetes.api import Api
from tests.support.kubernetes.kinds import BY_KEY, PODS, Resource
from tests.support.kubernetes.statuses import ApiError
from tests.support.kubernetes.store import Key

Object = dict[str, Any]
_DEPLOYMENTS, _SETS, _STATEFUL = (BY_KEY[f"{name}.apps"] for name in ("deployments", "replicasets", "statefulsets"))


def run(api: Api) -> None:
    """Take one step for each workload."""
    for body in _wanted(api, _DEPLOYMENTS):
        _run_deployment(api, body)
    for body in _wanted(api, _SETS):
        _run_pods(api, _SETS, body, numbered=False)
    for body in _wanted(api, _STATEFUL):
        _run_pods(api, _STATEFUL, body, numbered=True)


def _wanted(api: Api, resource: Resource) -> list[Object]:
    return [body for body in api.store.list(resource.key) if not body["metadata"].get("deletionTimestamp")]


def _run_deployment(api: Api, body: Object) -> None:
    meta, spec = body["metadata"], body["spec"]
    mark = hashlib.sha256(json.dumps(spec["template"], sort_keys=True).encode()).hexdigest()[:10]
    current = f"{meta['name']}-{mark}"
    sets = _owned(api, _SETS, body)
    if current not in {one["metadata"]["name"] for one in sets}:
        template = copy.deepcopy(spec["template"])
        template["metadata"] = _marked(template.get("metadata") or {}, mark)
        api.make(
            _SETS,
            {
                "metadata": _child_meta(_DEPLOYMENTS, body, current, template),
                "spec": {"replicas": spec["replicas"], "selector": spec["selector"], "template": template},
            },
        )
        return
    for one in sets:
        wanted = spec["replicas"] if one["metadata"]["name"] == current else 0
        if one["spec"]["replicas"] != wanted:
            one["spec"]["replicas"] = wanted
            one["metadata"]["generation"] += 1
            api.store.put(objects.key_of(_SETS, one), one)
    newest = next(one for one in sets if one["metadata"]["name"] == current).get("status", {})
    _tell(api, _DEPLOYMENTS, body, newest.get("replicas", 0), newest.get("readyReplicas", 0), _failure(newest))


def _marked(meta: Object, mark: str) -> Object:
    return meta | {"labels": {**(meta.get("labels") or {}), "pod-template-hash": mark}}


def _run_pods(api: Api, resource: Resource, body: Object, *, numbered: bool) -> None:
    meta, wanted = body["metadata"], body["spec"]["replicas"]
    pods = sorted(_owned(api, PODS, body), key=lambda pod: (len(pod["metadata"]["name"]), pod["metadata"]["name"]))
    failure = None
    for number in range(len(pods), wanted):
        template = copy.deepcopy(body["spec"]["template"])
        name = f"{meta['name']}-{number}" if numbered else f"{meta['name']}-{meta['generation']}{number}"
        try:
            api.make(PODS, {"metadata": _child_meta(resource, body, name, template), "spec": template["spec"]})
        except ApiError as error:
            failure = error.message
            break
    for pod in pods[wanted:]:
        if not pod["metadata"].get("deletionTimestamp"):
            objects.end(api.store, PODS, pod)
    pods = [pod for pod in _owned(api, PODS, body) if not pod["metadata"].get("deletionTimestamp")]
    ready = sum(1 for pod in pods if pod["status"].get("phase") == "Running")
    _tell(api, resource, body, len(pods), ready, failure)


def _owned(api: Api, resource: Resource, owner: Object) -> list[Object]:
    uid = owner["metadata"]["uid"]
    found = api.store.list(resource.key, owner["metadata"]["namespace"])
    return [body for body in found if uid in objects.owner_uids(body)]


def _child_meta(resource: Resource, owner: Object, name: str, template: Object) -> Object:
    meta = owner["metadata"]
    reference = {"apiVersion": resource.api_version, "kind": resource.kind, "name": meta["name"], "uid": meta["uid"]}
    told = template.get("metadata") or {}
    return {
        "name": name,
        "namespace": meta["namespace"],
        "labels": told.get("labels") or {},
        "annotations": told.get("annotations") or {},
        "ownerReferences": [reference | {"controller": True, "blockOwnerDeletion": True}],
    }


def _tell(api: Api, resource: Resource, body: Object, replicas: int, ready: int, failure: str | None) -> None:
    wanted = body["spec"]["replicas"]
    status: Object = {
        "observedGeneration": body["metadata"]["generation"],
        "replicas": replicas,
        "readyReplicas": ready,
        "availableReplicas": ready,
        "updatedReplicas": replicas,
    }
    conditions = []
    if resource is _DEPLOYMENTS:
        conditions.append({"type": "Available", "status": "True" if ready >= wanted else "False"})
    if failure and resource is not _STATEFUL:
        conditions.append({"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": failure})
    if conditions:
        status["conditions"] = conditions
    key = Key(resource.key, body["metadata"]["namespace"], body["metadata"]["name"])
    now = api.store.get(key)
    if now is not None:
        now["status"] = status
        api.store.put(key, now)


def _failure(status: Object) -> str | None:
    told = [one["message"] for one in status.get("conditions", []) if one["type"] == "ReplicaFailure"]
    return told[0] if told else None
