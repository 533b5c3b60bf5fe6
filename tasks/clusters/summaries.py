"""Objects of a cluster in few words, as lists show them. What a server sends may be of any form and size."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from app.clusters import Seen
from app.kernel.clock import read_time
from tasks.clusters.containers import describe_parts
from tasks.clusters.fields import (
    LONGEST_MESSAGE,
    MOST_PARTS,
    at,
    clean,
    condition,
    maps,
    number,
    owner,
    text,
    texts,
)
from tasks.clusters.gateways.kubernetes import Object
from tasks.clusters.troubles import describe_containers, describe_node, describe_pod

_ROLE: Final = "node-role.kubernetes.io/"


def summarize_node(node: Object) -> Seen:
    """Return a node: `Ready`, `NotReady` or `Unknown`, with its version, roles and size."""
    ready = {"True": "Ready", "False": "NotReady"}.get(str(condition(node, "Ready").get("status")), "Unknown")
    labels = at(node, "metadata", "labels")
    roles = [name.removeprefix(_ROLE) for name in labels if name.startswith(_ROLE)] if isinstance(labels, dict) else []
    data = {
        "version": text(node, "status", "nodeInfo", "kubeletVersion"),
        "roles": sorted(clean(role) for role in roles)[:MOST_PARTS],
        "cpu": text(node, "status", "capacity", "cpu"),
        "memory": text(node, "status", "capacity", "memory"),
        "pods": text(node, "status", "capacity", "pods"),
        "unschedulable": at(node, "spec", "unschedulable") is True,
        **describe_node(node),
    }
    return _seen(node, ready, data)


def summarize_namespace(namespace: Object) -> Seen:
    """Return a namespace: `Active` or `Terminating`."""
    return _seen(namespace, text(namespace, "status", "phase"), {})


def summarize_pod(pod: Object) -> Seen:
    """Return a pod with what kubectl shows as its status: why a container waits or ended, before the phase."""
    containers = list(maps(pod, "status", "containerStatuses"))
    data = {
        "ready": sum(one.get("ready") is True for one in containers),
        "containers": len(list(maps(pod, "spec", "containers"))),
        "restarts": sum(number(one.get("restartCount")) or 0 for one in containers),
        "node": text(pod, "spec", "nodeName"),
        "ip": text(pod, "status", "podIP"),
        **describe_pod(pod),
        **describe_containers(pod),
        "parts": describe_parts(pod),
    }
    return _seen(pod, _pod_status(pod, containers), data)


def summarize_service(service: Object) -> Seen:
    """Return a service with its addresses and ports."""
    outside = [one.get("ip") or one.get("hostname") for one in maps(service, "status", "loadBalancer", "ingress")]
    external = at(service, "spec", "externalIPs")
    outside += external if isinstance(external, list) else []
    data = {
        "type": text(service, "spec", "type"),
        "cluster_ip": text(service, "spec", "clusterIP"),
        "external_ips": [clean(one) for one in outside if isinstance(one, str)][:MOST_PARTS],
        "ports": [_port(one) for one in maps(service, "spec", "ports")],
        "selector": texts(service, "spec", "selector"),
    }
    return _seen(service, None, data)


def summarize_deployment(deployment: Object) -> Seen:
    """Return a deployment: `Available`, `Progressing` or `Failed`, with its replicas."""
    progress = condition(deployment, "Progressing")
    data: dict[str, Any] = {
        "replicas": number(at(deployment, "spec", "replicas")) or 0,
        "ready": number(at(deployment, "status", "readyReplicas")) or 0,
        "updated": number(at(deployment, "status", "updatedReplicas")) or 0,
        "available": number(at(deployment, "status", "availableReplicas")) or 0,
        "labels": texts(deployment, "spec", "template", "metadata", "labels"),
        "reason": text(progress, "reason"),
        "message": text(progress, "message", longest=LONGEST_MESSAGE),
        "since": text(progress, "lastTransitionTime"),
    }
    if progress.get("status") == "False":
        status = "Failed"
    else:
        status = "Available" if data["available"] >= data["replicas"] else "Progressing"
    return _seen(deployment, status, data)


def summarize_event(event: Object) -> Seen:
    """Return an event: `Normal` or `Warning`, what it is about and how often it happened."""
    data = {
        "reason": text(event, "reason"),
        "message": text(event, "message", longest=LONGEST_MESSAGE),
        "object_kind": text(event, "involvedObject", "kind"),
        "object_name": text(event, "involvedObject", "name"),
        "count": number(event.get("count")) or 1,
        "last_seen": text(event, "lastTimestamp") or text(event, "eventTime"),
    }
    return _seen(event, text(event, "type"), data)


def summarize_job(job: Object) -> Seen:
    """Return a job: `Complete`, `Failed`, `Suspended` or `Running`, with what ended it."""
    ends = {kind: condition(job, kind) for kind in ("Failed", "Complete")}
    done = next((kind for kind, one in ends.items() if one.get("status") == "True"), None)
    ended = ends.get(done or "", {})
    data = {
        "owner": owner(job),
        "failed": number(at(job, "status", "failed")) or 0,
        "succeeded": number(at(job, "status", "succeeded")) or 0,
        "reason": text(ended, "reason"),
        "message": text(ended, "message", longest=LONGEST_MESSAGE),
        "since": text(ended, "lastTransitionTime"),
    }
    return _seen(job, done or ("Suspended" if at(job, "spec", "suspend") is True else "Running"), data)


def summarize_claim(claim: Object) -> Seen:
    """Return a claim to a volume: `Pending`, `Bound` or `Lost`, with its size and class."""
    data = {
        "size": text(claim, "status", "capacity", "storage") or text(claim, "spec", "resources", "requests", "storage"),
        "class": text(claim, "spec", "storageClassName"),
    }
    return _seen(claim, text(claim, "status", "phase"), data)


def summarize_autoscaler(scaler: Object) -> Seen:
    """Return a horizontal pod autoscaler: `Limited` where it would want more or fewer replicas than it may."""
    limited = condition(scaler, "ScalingLimited")
    data = {
        "target_kind": text(scaler, "spec", "scaleTargetRef", "kind"),
        "target": text(scaler, "spec", "scaleTargetRef", "name"),
        "least": number(at(scaler, "spec", "minReplicas")) or 1,
        "most": number(at(scaler, "spec", "maxReplicas")) or 0,
        "current": number(at(scaler, "status", "currentReplicas")) or 0,
        "desired": number(at(scaler, "status", "desiredReplicas")) or 0,
        "reason": text(limited, "reason"),
        "message": text(limited, "message", longest=LONGEST_MESSAGE),
        "since": text(limited, "lastTransitionTime"),
        "metrics": _utilizations(scaler),
    }
    return _seen(scaler, "Limited" if limited.get("status") == "True" else "Free", data)


def summarize_quota(quota: Object) -> Seen:
    """Return a quota: what it allows of each resource, and what is used."""
    data = {"hard": texts(quota, "status", "hard"), "used": texts(quota, "status", "used")}
    return _seen(quota, None, data)


def summarize_certificate(certificate: Object) -> Seen:
    """Return a certificate of cert-manager: `Ready` or `NotReady`, with its times and who issues it."""
    ready = condition(certificate, "Ready")
    data = {
        "not_before": text(certificate, "status", "notBefore"),
        "not_after": text(certificate, "status", "notAfter"),
        "renewal": text(certificate, "status", "renewalTime"),
        "issuer": text(certificate, "spec", "issuerRef", "name"),
        "reason": text(ready, "reason"),
        "message": text(ready, "message", longest=LONGEST_MESSAGE),
    }
    return _seen(certificate, "Ready" if ready.get("status") == "True" else "NotReady", data)


SUMMARIES: Final[Mapping[str, Callable[[Object], Seen]]] = {
    "nodes": summarize_node,
    "namespaces": summarize_namespace,
    "pods": summarize_pod,
    "services": summarize_service,
    "deployments": summarize_deployment,
    "events": summarize_event,
    "jobs": summarize_job,
    "persistentvolumeclaims": summarize_claim,
    "horizontalpodautoscalers": summarize_autoscaler,
    "resourcequotas": summarize_quota,
    "certificates": summarize_certificate,
}


def _seen(body: Object, status: str | None, data: dict[str, Any]) -> Seen:
    namespace, name = text(body, "metadata", "namespace") or "", text(body, "metadata", "name") or ""
    return Seen(namespace, name, status, data, read_time(at(body, "metadata", "creationTimestamp")))


def _pod_status(pod: Object, containers: list[Object]) -> str | None:
    if at(pod, "metadata", "deletionTimestamp"):
        return "Terminating"
    for one in containers:
        for state in ("waiting", "terminated"):
            reason = text(one, "state", state, "reason")
            if reason not in (None, "Completed"):
                return reason
    return text(pod, "status", "reason") or text(pod, "status", "phase")


def _utilizations(scaler: Object) -> list[dict[str, Any]]:
    """Return which resources it goes by: the use that is wanted and the one that is seen, in percent of requests."""
    seen = {
        text(one, "resource", "name"): number(at(one, "resource", "current", "averageUtilization"))
        for one in maps(scaler, "status", "currentMetrics")
    }
    wanted = ((text(one, "resource", "name"), one) for one in maps(scaler, "spec", "metrics"))
    return [
        {
            "resource": name,
            "wanted": number(at(one, "resource", "target", "averageUtilization")),
            "seen": seen.get(name),
        }
        for name, one in wanted
        if name
    ]


def _port(port: Object) -> dict[str, Any]:
    target = port.get("targetPort")
    return {
        "name": text(port, "name"),
        "port": number(port.get("port")),
        "protocol": text(port, "protocol"),
        "target": clean(str(target)) if isinstance(target, int | str) else None,
        "node_port": number(port.get("nodePort")),
    }
