"""Objects of a cluster in few words, as lists show them. What a server sends may be of any form and size."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any, Final

from app.clusters import Seen
from tasks.clusters.gateways.kubernetes import Object

LONGEST: Final = 253
LONGEST_MESSAGE: Final = 1000
MOST_PARTS: Final = 20
_ROLE: Final = "node-role.kubernetes.io/"


def summarize_node(node: Object) -> Seen:
    """Return a node: `Ready`, `NotReady` or `Unknown`, with its version, roles and size."""
    ready = {"True": "Ready", "False": "NotReady"}.get(_condition(node, "Ready"), "Unknown")
    labels = _at(node, "metadata", "labels")
    roles = [name.removeprefix(_ROLE) for name in labels if name.startswith(_ROLE)] if isinstance(labels, dict) else []
    data = {
        "version": _text(node, "status", "nodeInfo", "kubeletVersion"),
        "roles": sorted(_clean(role) for role in roles)[:MOST_PARTS],
        "cpu": _text(node, "status", "capacity", "cpu"),
        "memory": _text(node, "status", "capacity", "memory"),
        "pods": _text(node, "status", "capacity", "pods"),
        "unschedulable": _at(node, "spec", "unschedulable") is True,
    }
    return _seen(node, ready, data)


def summarize_namespace(namespace: Object) -> Seen:
    """Return a namespace: `Active` or `Terminating`."""
    return _seen(namespace, _text(namespace, "status", "phase"), {})


def summarize_pod(pod: Object) -> Seen:
    """Return a pod with what kubectl shows as its status: why a container waits or ended, before the phase."""
    containers = list(_maps(pod, "status", "containerStatuses"))
    data = {
        "ready": sum(one.get("ready") is True for one in containers),
        "containers": len(list(_maps(pod, "spec", "containers"))),
        "restarts": sum(_number(one.get("restartCount")) or 0 for one in containers),
        "node": _text(pod, "spec", "nodeName"),
        "ip": _text(pod, "status", "podIP"),
    }
    return _seen(pod, _pod_status(pod, containers), data)


def summarize_service(service: Object) -> Seen:
    """Return a service with its addresses and ports."""
    outside = [one.get("ip") or one.get("hostname") for one in _maps(service, "status", "loadBalancer", "ingress")]
    external = _at(service, "spec", "externalIPs")
    outside += external if isinstance(external, list) else []
    data = {
        "type": _text(service, "spec", "type"),
        "cluster_ip": _text(service, "spec", "clusterIP"),
        "external_ips": [_clean(one) for one in outside if isinstance(one, str)][:MOST_PARTS],
        "ports": [_port(one) for one in _maps(service, "spec", "ports")],
    }
    return _seen(service, None, data)


def summarize_deployment(deployment: Object) -> Seen:
    """Return a deployment: `Available`, `Progressing` or `Failed`, with its replicas."""
    data = {
        "replicas": _number(_at(deployment, "spec", "replicas")) or 0,
        "ready": _number(_at(deployment, "status", "readyReplicas")) or 0,
        "updated": _number(_at(deployment, "status", "updatedReplicas")) or 0,
        "available": _number(_at(deployment, "status", "availableReplicas")) or 0,
    }
    if _condition(deployment, "Progressing") == "False":
        status = "Failed"
    else:
        status = "Available" if data["available"] >= data["replicas"] else "Progressing"
    return _seen(deployment, status, data)


def summarize_event(event: Object) -> Seen:
    """Return an event: `Normal` or `Warning`, what it is about and how often it happened."""
    data = {
        "reason": _text(event, "reason"),
        "message": _text(event, "message", longest=LONGEST_MESSAGE),
        "object_kind": _text(event, "involvedObject", "kind"),
        "object_name": _text(event, "involvedObject", "name"),
        "count": _number(event.get("count")) or 1,
        "last_seen": _text(event, "lastTimestamp") or _text(event, "eventTime"),
    }
    return _seen(event, _text(event, "type"), data)


SUMMARIES: Final[Mapping[str, Callable[[Object], Seen]]] = {
    "nodes": summarize_node,
    "namespaces": summarize_namespace,
    "pods": summarize_pod,
    "services": summarize_service,
    "deployments": summarize_deployment,
    "events": summarize_event,
}


def _seen(body: Object, status: str | None, data: dict[str, Any]) -> Seen:
    namespace, name = _text(body, "metadata", "namespace") or "", _text(body, "metadata", "name") or ""
    return Seen(namespace, name, status, data, _moment(_at(body, "metadata", "creationTimestamp")))


def _pod_status(pod: Object, containers: list[Object]) -> str | None:
    if _at(pod, "metadata", "deletionTimestamp"):
        return "Terminating"
    for one in containers:
        for state in ("waiting", "terminated"):
            reason = _text(one, "state", state, "reason")
            if reason not in (None, "Completed"):
                return reason
    return _text(pod, "status", "reason") or _text(pod, "status", "phase")


def _port(port: Object) -> dict[str, Any]:
    target = port.get("targetPort")
    return {
        "name": _text(port, "name"),
        "port": _number(port.get("port")),
        "protocol": _text(port, "protocol"),
        "target": _clean(str(target)) if isinstance(target, int | str) else None,
        "node_port": _number(port.get("nodePort")),
    }


def _condition(body: Object, kind: str) -> str:
    for one in _maps(body, "status", "conditions"):
        if one.get("type") == kind:
            return str(one.get("status"))
    return ""


def _at(body: Any, *path: str) -> Any:
    for step in path:
        body = body.get(step) if isinstance(body, dict) else None
    return body


def _maps(body: Object, *path: str) -> Iterable[Object]:
    found = _at(body, *path)
    return [one for one in found[:MOST_PARTS] if isinstance(one, dict)] if isinstance(found, list) else []


def _text(body: Any, *path: str, longest: int = LONGEST) -> str | None:
    found = _at(body, *path)
    return _clean(found, longest) if isinstance(found, str) and found else None


def _clean(text: str, longest: int = LONGEST) -> str:
    """The database takes no NUL, and nobody wants other control characters or half of a surrogate pair."""
    return "".join(one if one.isprintable() else " " for one in text[:longest])


def _number(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**53 else None


def _moment(value: Any) -> datetime | None:
    try:
        found = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return None
    # Beyond these years the database, or what reads from it, gives up.
    return found if found.tzinfo is not None and 1970 <= found.year < 9000 else None
