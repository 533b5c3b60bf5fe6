"""What a cluster does by itself: namespaces are emptied, what lost its owner goes, workloads get pods, pods run."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from tests.support.kubernetes import kinds, objects, quotas, workloads
from tests.support.kubernetes.api import Api
from tests.support.kubernetes.kubelet import Kubelet
from tests.support.kubernetes.store import Key

Object = dict[str, Any]
_LOOK = 0.1
NEVER_READY = "test.headrace/never-ready"


class Controllers:
    """Runs after each change, in a thread of its own."""

    def __init__(self, api: Api, kubelet: Kubelet | None = None) -> None:
        self._api = api
        self._node = kubelet
        self._store = api.store
        self._kubelet = True
        self._workloads = True
        self._dirty = True
        self._settled = 0
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="controllers", daemon=True)

    def switch(self, *, kubelet: bool | None = None, workloads: bool | None = None) -> None:
        """Switch off, or on again, that pods run, or that workloads get pods."""
        with self._store.lock:
            self._kubelet = self._kubelet if kubelet is None else kubelet
            self._workloads = self._workloads if workloads is None else workloads
            self._dirty = True
            self._store.changed.notify_all()

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End, and wait for it."""
        with self._store.lock:
            self._stopping = True
            self._store.changed.notify_all()
        self._thread.join()

    def settle(self) -> None:
        """Run until nothing changes any more."""
        with self._store.lock:
            seen = -1
            while seen != self._store.version:
                seen = self._store.version
                for step in self._steps():
                    step()

    def _run(self) -> None:
        with self._store.lock:
            while not self._stopping:
                self._dirty = False
                self.settle()
                self._settled = self._store.version
                # What runs may end by itself, of which nobody tells.
                self._store.changed.wait_for(self._has_work, None if self._node is None else _LOOK)

    def _has_work(self) -> bool:
        return self._stopping or self._dirty or self._store.version != self._settled

    def _steps(self) -> list[Callable[[], None]]:
        steps = [self._fill_namespaces, self._empty_namespaces, self._collect, self._count_quotas, self._establish]
        if self._workloads:
            steps.append(lambda: workloads.run(self._api))
        if self._kubelet:
            steps.append(self._run_pods)
        return steps

    def _fill_namespaces(self) -> None:
        for namespace in self._store.list("namespaces."):
            name = namespace["metadata"]["name"]
            if namespace["metadata"].get("deletionTimestamp"):
                continue
            if self._store.get(Key("serviceaccounts.", name, "default")) is None:
                account = {"metadata": {"name": "default", "namespace": name}}
                self._api.make(kinds.BY_KEY["serviceaccounts."], account)
            if self._store.get(Key("configmaps.", name, "kube-root-ca.crt")) is None:
                body = {"metadata": {"name": "kube-root-ca.crt", "namespace": name}, "data": {"ca.crt": ""}}
                self._api.make(kinds.BY_KEY["configmaps."], body)

    def _empty_namespaces(self) -> None:
        for namespace in self._store.list("namespaces."):
            if namespace["metadata"].get("deletionTimestamp"):
                self._empty_namespace(namespace)

    def _empty_namespace(self, namespace: Object) -> None:
        name = namespace["metadata"]["name"]
        by_key = {resource.key: resource for resource in self._api.resources()}
        for key in self._store.filed(namespace=name):
            body = self._store.get(key)
            if body is not None and not body["metadata"].get("deletionTimestamp"):
                objects.end(self._store, by_key[key.kind], body, graceful=self._kubelet)
        rest = [body for key in self._store.filed(namespace=name) if (body := self._store.get(key))]
        if rest:
            namespace["status"]["conditions"] = _tell_rest(rest)
            self._store.put(Key("namespaces.", "", name), namespace)
        else:
            namespace["spec"] = {}
            if namespace["metadata"].get("finalizers"):
                self._store.put(Key("namespaces.", "", name), namespace)
            else:
                self._store.remove(Key("namespaces.", "", name))

    def _collect(self) -> None:
        """What is left of the owners that an object names? Without any, it goes."""
        by_key = {resource.key: resource for resource in self._api.resources()}
        bodies = [(key, body) for key in self._store.filed() if (body := self._store.get(key))]
        alive = {body["metadata"]["uid"] for _, body in bodies}
        ending = {body["metadata"]["uid"] for _, body in bodies if _waits(body, objects.FOREGROUND)}
        orphaning = {body["metadata"]["uid"] for _, body in bodies if _waits(body, objects.ORPHAN)}
        for key, body in bodies:
            owners = objects.owner_uids(body)
            if owners & orphaning:
                references = body["metadata"]["ownerReferences"]
                body["metadata"]["ownerReferences"] = [one for one in references if one["uid"] not in orphaning]
                self._store.put(key, body)
            elif owners and (not owners & alive or owners <= ending) and not body["metadata"].get("deletionTimestamp"):
                objects.end(self._store, by_key[key.kind], body, graceful=self._kubelet)
        self._release(by_key)

    def _release(self, by_key: dict[str, kinds.Resource]) -> None:
        for key in self._store.filed():
            body = self._store.get(key) or {"metadata": {}}
            for finalizer in (objects.FOREGROUND, objects.ORPHAN):
                if _waits(body, finalizer) and not objects.has_dependents(self._store, body):
                    body["metadata"]["finalizers"].remove(finalizer)
                    objects.end(self._store, by_key[key.kind], body, graceful=False)
                    break

    def _count_quotas(self) -> None:
        for quota in self._store.list("resourcequotas."):
            meta, hard = quota["metadata"], quota["spec"].get("hard") or {}
            used = quotas.show_use(hard, quotas.find_use(self._store, meta["namespace"]))
            quota["status"] = {"hard": hard, "used": used}
            self._store.put(Key("resourcequotas.", meta["namespace"], meta["name"]), quota)

    def _establish(self) -> None:
        kind = "customresourcedefinitions.apiextensions.k8s.io"
        for definition in self._store.list(kind):
            conditions = [{"type": name, "status": "True"} for name in ("NamesAccepted", "Established")]
            definition["status"] = {"conditions": conditions, "acceptedNames": definition["spec"]["names"]}
            self._store.put(Key(kind, "", definition["metadata"]["name"]), definition)

    def _run_pods(self) -> None:
        for pod in self._store.list("pods."):
            meta = pod["metadata"]
            key = Key("pods.", meta["namespace"], meta["name"])
            if meta.get("deletionTimestamp"):
                if not meta.get("finalizers"):
                    self._store.remove(key)
            elif NEVER_READY not in (meta.get("annotations") or {}):
                self._run_pod(key, pod)
        if self._node is not None:
            self._node.keep({pod["metadata"]["uid"] for pod in self._store.list("pods.")})

    def _run_pod(self, key: Key, pod: Object) -> None:
        if self._node is not None:
            node, pod["status"] = self._node.run(pod)
            pod["spec"] |= {} if node is None else {"nodeName": node}
        elif pod["status"].get("phase") == "Pending":
            pod["spec"]["nodeName"] = "n1"
            pod["status"] = _running(pod)
        self._store.put(key, pod)


def _running(pod: Object) -> Object:
    names = [container["name"] for container in pod["spec"]["containers"]]
    running = {"running": {"startedAt": objects.now()}}
    types = ("Initialized", "Ready", "ContainersReady", "PodScheduled")
    return {
        "phase": "Running",
        "podIP": "10.0.0.1",
        "startTime": objects.now(),
        "conditions": [{"type": name, "status": "True"} for name in types],
        "containerStatuses": [
            {
                "name": name,
                "ready": True,
                "started": True,
                "restartCount": 0,
                "image": "x",
                "imageID": "",
                "state": running,
            }
            for name in names
        ],
    }


def _waits(body: Object, finalizer: str) -> bool:
    meta = body["metadata"]
    return bool(meta.get("deletionTimestamp")) and finalizer in (meta.get("finalizers") or [])


def _tell_rest(rest: list[Object]) -> list[Object]:
    """What keeps a namespace from going, in the words of the namespace controller."""
    counts: dict[str, int] = {}
    held: dict[str, int] = {}
    for body in rest:
        group = body["apiVersion"].rpartition("/")[0]
        counts[f"{body['kind'].lower()}s.{group}"] = counts.get(f"{body['kind'].lower()}s.{group}", 0) + 1
        for finalizer in body["metadata"].get("finalizers") or []:
            held[finalizer] = held.get(finalizer, 0) + 1
    told = ", ".join(f"{kind} has {count} resource instances" for kind, count in sorted(counts.items()))
    conditions = [
        {"type": "NamespaceContentRemaining", "status": "True", "reason": "SomeResourcesRemain"}
        | {"message": f"Some resources are remaining: {told}"}
    ]
    if held:
        told = ", ".join(f"{finalizer} in {count} resource instances" for finalizer, count in sorted(held.items()))
        conditions.append(
            {"type": "NamespaceFinalizersRemaining", "status": "True", "reason": "SomeFinalizersRemain"}
            | {"message": f"Some content in the namespace has finalizers remaining: {told}"}
        )
    return conditions
