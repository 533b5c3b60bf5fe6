"""A cluster in motion, as its API server would show it: raw objects that scripts change minute by minute.

It begins as a healthy cluster that lives: a rollout, a node that joins, jobs that end, pods that wait for a moment.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from app.clusters import Observed
from tasks.clusters.summaries import SUMMARIES

Object = dict[str, Any]
PLURALS: Mapping[str, str] = {
    "Node": "nodes",
    "Namespace": "namespaces",
    "Pod": "pods",
    "Service": "services",
    "Deployment": "deployments",
    "Event": "events",
    "Job": "jobs",
    "PersistentVolumeClaim": "persistentvolumeclaims",
    "HorizontalPodAutoscaler": "horizontalpodautoscalers",
    "ResourceQuota": "resourcequotas",
    "Certificate": "certificates",
}
HASH = "7d9f8c6b5d"
NODES = ("n1", "n2", "n3", "n4")
SERVICES: Mapping[tuple[str, str], int] = {
    ("shop", "web"): 3,
    ("shop", "cart"): 2,
    ("shop", "api"): 2,
    ("bank", "ledger"): 2,
    ("bank", "payments"): 2,
    ("ops", "worker"): 2,
}


class Scene:
    """What there is. `now` is where the script is; times of objects are minutes after `start`."""

    def __init__(self, start: datetime) -> None:
        self.start = start
        self.now = start
        self.objects: dict[tuple[str, str, str], Object] = {}
        for number, name in enumerate(NODES):
            self.put("Node", "", name, _node(name, f"10.0.0.{number + 1}", self.time(-9000)))
        self._fill()

    def time(self, minute: float) -> str:
        """Return a moment as Kubernetes writes it."""
        return (self.start + timedelta(minutes=minute)).isoformat().replace("+00:00", "Z")

    @property
    def minute(self) -> float:
        """Where the script is."""
        return (self.now - self.start).total_seconds() / 60

    def put(self, kind: str, namespace: str, name: str, body: Object, made: float = -9000.0) -> Object:
        """Put an object there."""
        meta = {"name": name, "creationTimestamp": self.time(made), **body.pop("metadata", {})}
        meta |= {"namespace": namespace} if namespace else {}
        self.objects[kind, namespace, name] = {"metadata": meta, **body}
        return self.objects[kind, namespace, name]

    def get(self, kind: str, namespace: str, name: str) -> Object:
        """Return an object, to be changed."""
        return self.objects[kind, namespace, name]

    def drop(self, kind: str, namespace: str, name: str) -> None:
        """Take an object away."""
        del self.objects[kind, namespace, name]

    def pods(self, namespace: str, workload: str) -> list[Object]:
        """Return the pods of a workload."""
        return [
            body
            for (kind, place, name), body in self.objects.items()
            if (kind, place) == ("Pod", namespace) and name.rsplit("-", 2 if HASH in name else 1)[0] == workload
        ]

    def pods_on(self, node: str) -> list[Object]:
        """Return the pods of a node."""
        return [
            body for (kind, *_), body in self.objects.items() if kind == "Pod" and body["spec"].get("nodeName") == node
        ]

    def observe(self) -> dict[str, Observed]:
        """Return the inventory that would be taken of it."""
        found: dict[str, list[Any]] = {plural: [] for plural in PLURALS.values()}
        for (kind, *_), body in self.objects.items():
            found[PLURALS[kind]].append(SUMMARIES[PLURALS[kind]](body))
        return {plural: Observed(items) for plural, items in found.items()}

    def pod(self, namespace: str, workload: str, suffix: str, node: str | None, made: float = -5000.0) -> Object:
        """Put a pod of a deployment there: running, or, without a node, one that nobody has placed."""
        labels = {"app": workload, "pod-template-hash": HASH}
        owner = {"kind": "ReplicaSet", "name": f"{workload}-{HASH}", "controller": True}
        name = f"{workload}-{HASH}-{suffix}"
        body = _pod({"labels": labels, "ownerReferences": [owner]}, node, self.time(made))
        return self.put("Pod", namespace, name, body, made)

    def event(self, namespace: str, kind: str, name: str, reason: str, message: str, made: float | None = None) -> None:
        """Let Kubernetes tell something."""
        at = self.minute if made is None else made
        told = {"type": "Warning", "reason": reason, "message": message, "count": 1, "lastTimestamp": self.time(at)}
        body = told | {"involvedObject": {"kind": kind, "name": name}}
        self.put("Event", namespace, f"{name}.{len(self.objects):x}", body, at)

    def _fill(self) -> None:
        for namespace in ("shop", "bank", "ops"):
            self.put("Namespace", "", namespace, {"status": {"phase": "Active"}})
        for number, ((namespace, name), replicas) in enumerate(SERVICES.items()):
            self.put("Deployment", namespace, name, _deployment(name, replicas, self.time(-5000)))
            self.put("Service", namespace, name, {"spec": {"type": "ClusterIP", "selector": {"app": name}}})
            for index in range(replicas):
                self.pod(namespace, name, f"aaaa{index}", NODES[(number + index) % len(NODES)])
        self._fill_state()
        self._fill_noise()

    def _fill_state(self) -> None:
        owner = {"kind": "StatefulSet", "name": "db", "controller": True}
        body = _pod({"labels": {"app": "db"}, "ownerReferences": [owner]}, "n1", self.time(-8000))
        body["spec"]["volumes"] = [{"persistentVolumeClaim": {"claimName": "data-db-0"}}]
        self.put("Pod", "shop", "db-0", body, -8000)
        self.put(
            "PersistentVolumeClaim",
            "shop",
            "data-db-0",
            {"status": {"phase": "Bound", "capacity": {"storage": "10Gi"}}},
        )
        hard = {"requests.cpu": "20", "requests.memory": "64Gi", "pods": "3", "services.loadbalancers": "0"}
        used = {"requests.cpu": "9500m", "requests.memory": "20Gi", "pods": "3", "services.loadbalancers": "0"}
        self.put("ResourceQuota", "ops", "team", {"status": {"hard": hard, "used": used}})
        self.scaler("shop", "web", current=3, most=10)
        self.job("nightly-100", -800, "Complete")
        self.certificate("shop", "web-tls", -30 * 1440, 60 * 1440)

    def _fill_noise(self) -> None:
        """What healthy clusters do all the time."""
        self.job("nightly-99", -2240, "Failed")
        self.job("import", -6 * 1440, "Failed", cron=None)
        self.put("Node", "", "joining", _node("joining", "10.0.0.9", self.time(-1), ready="False"), -1)
        waits = self.pod("shop", "web", "wait1", None, 0.0)
        waits["status"]["conditions"] = [_unplaced("0/4 nodes are available: 4 Insufficient cpu.", self.time(0))]
        self.pod("ops", "worker", "fresh", "n1", 0.0)["status"]["containerStatuses"] = [_waiting("ContainerCreating")]
        self.pods("bank", "ledger")[0]["status"]["containerStatuses"][0] |= {
            "restartCount": 4,
            "lastState": {"terminated": {"reason": "OOMKilled", "exitCode": 137, "finishedAt": self.time(-3000)}},
        }
        self.event("shop", "Pod", f"web-{HASH}-aaaa0", "Unhealthy", "Readiness probe failed: HTTP 503")
        self.scaler("bank", "ledger", current=2, most=2, least=2, limited_since=-4000.0)

    def settle(self) -> None:
        """End what goes on for a moment only: nothing of it is there a minute later."""
        for kind, namespace, name in (("Node", "", "joining"), ("Pod", "shop", f"web-{HASH}-wait1")):
            self.objects.pop((kind, namespace, name), None)
        fresh = self.objects.get(("Pod", "ops", f"worker-{HASH}-fresh"))
        if fresh is not None:
            fresh["status"] = _running(self.time(1))

    def scaler(
        self,
        namespace: str,
        target: str,
        *,
        current: int,
        most: int,
        least: int = 2,
        limited_since: float | None = None,
    ) -> None:
        """Put an autoscaler there; one that is limited wants more than it may."""
        limited = limited_since is not None
        since = self.time(limited_since if limited_since is not None else -4000)
        condition = {"type": "ScalingLimited", "status": str(limited), "lastTransitionTime": since}
        condition |= {"reason": "TooManyReplicas" if limited else "DesiredWithinRange"}
        spec = {"minReplicas": least, "maxReplicas": most, "scaleTargetRef": {"kind": "Deployment", "name": target}}
        status = {"currentReplicas": current, "desiredReplicas": current, "conditions": [condition]}
        self.put("HorizontalPodAutoscaler", namespace, target, {"spec": spec, "status": status})

    def job(self, name: str, ended: float, how: str, *, namespace: str = "ops", cron: str | None = "nightly") -> None:
        """Put a job there that has ended."""
        owners = [{"kind": "CronJob", "name": cron, "controller": True}] if cron else []
        why = {"reason": "BackoffLimitExceeded", "message": "Job has reached the specified backoff limit"}
        condition = {"type": how, "status": "True", "lastTransitionTime": self.time(ended)}
        status = {"conditions": [condition | (why if how == "Failed" else {})], "failed": int(how == "Failed")}
        self.put("Job", namespace, name, {"metadata": {"ownerReferences": owners}, "status": status}, ended - 5)

    def certificate(
        self, namespace: str, name: str, begins: float, ends: float, ready: str = "True", why: str = ""
    ) -> None:
        """Put a certificate there."""
        status = {"notBefore": self.time(begins), "notAfter": self.time(ends)}
        condition = {"type": "Ready", "status": ready, "message": why}
        body = {"spec": {"issuerRef": {"name": "letsencrypt"}}, "status": {**status, "conditions": [condition]}}
        self.put("Certificate", namespace, name, body)

    def walk(self, minutes: float, step: float) -> Iterator[float]:
        """Go on step by step, the first at once; yields the minute."""
        for index in range(int(minutes / step) + 1):
            self.now = self.start + timedelta(minutes=index * step)
            if index:
                self.settle()
            yield index * step


def _node(name: str, address: str, since: str, ready: str = "True") -> Object:
    conditions = [{"type": "Ready", "status": ready, "lastTransitionTime": since, "reason": "KubeletReady"}]
    conditions += [{"type": f"{one}Pressure", "status": "False"} for one in ("Memory", "Disk", "PID")]
    status = {"conditions": conditions, "addresses": [{"type": "InternalIP", "address": address}]}
    zone = "a" if name in ("n1", "n2") else "b"
    return {"metadata": {"labels": {"topology.kubernetes.io/zone": zone}}, "status": status}


def _deployment(name: str, replicas: int, since: str) -> Object:
    progressing = {"type": "Progressing", "status": "True", "lastTransitionTime": since}
    counts = dict.fromkeys(("readyReplicas", "updatedReplicas", "availableReplicas"), replicas)
    spec = {"replicas": replicas, "template": {"metadata": {"labels": {"app": name}}}}
    return {"spec": spec, "status": {**counts, "conditions": [progressing]}}


def _pod(meta: Object, node: str | None, since: str) -> Object:
    spec: Object = {"containers": [{"name": "main"}], **({"nodeName": node} if node else {})}
    status = _running(since) if node else {"phase": "Pending", "containerStatuses": []}
    return {"metadata": meta, "spec": spec, "status": status}


def _running(since: str) -> Object:
    ready = {"name": "main", "ready": True, "restartCount": 0, "image": "reg.example.com/x:1"}
    states = [ready | {"state": {"running": {"startedAt": since}}}]
    return {"phase": "Running", "conditions": [{"type": "PodScheduled", "status": "True"}], "containerStatuses": states}


def _waiting(reason: str, message: str = "") -> Object:
    state = {"waiting": {"reason": reason, "message": message}}
    return {"name": "main", "ready": False, "restartCount": 0, "image": "reg.example.com/x:1", "state": state}


def _unplaced(message: str, since: str) -> Object:
    said = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message}
    return said | {"lastTransitionTime": since}
