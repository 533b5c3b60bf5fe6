"""Cluster API: one object on a management cluster says what is wanted, its conditions say how far it is.

Kinds: https://cluster-api.sigs.k8s.io/reference/api/; the cluster is of a ClusterClass.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, Final
from uuid import UUID

from app.clusters import Access, AccessRules, KubeconfigInvalid, read_kubeconfig
from app.kernel.clock import utc_now
from tasks.clusters.gateways.kubernetes import Cluster, ClusterAway, ClusterError, Kind, Object, ObjectNotFound, kinds
from tasks.clusters.gateways.providers.base import Order, ProviderAway, ProviderFailed, Ready, Working

MANAGER: Final = "headrace"
CLUSTER: Final = Kind("cluster.x-k8s.io/v1beta1", "Cluster", "clusters")
MARK: Final = "headrace-cluster"

Open = Callable[[UUID], AbstractContextManager[Cluster]]


class CapiProvider:
    """`open_cluster` opens the management cluster by its id; `rules` are those of every cluster's address."""

    def __init__(self, open_cluster: Open, rules: AccessRules) -> None:
        self._open = open_cluster
        self._rules = rules

    def ensure(self, order: Order) -> Working | Ready:
        try:
            with self._open(UUID(order.parameters["management_cluster_id"])) as management:
                return self._ensure(management, order)
        except ClusterAway as error:
            raise ProviderAway(f"The management cluster does not answer: {error.message}") from error
        except ClusterError as error:
            raise ProviderFailed(f"The management cluster refuses: {error.message}") from error

    def remove(self, order: Order) -> Working | None:
        try:
            with self._open(UUID(order.parameters["management_cluster_id"])) as management:
                return _remove(management, order)
        except ClusterAway as error:
            raise ProviderAway(f"The management cluster does not answer: {error.message}") from error
        except ClusterError as error:
            raise ProviderFailed(f"The management cluster refuses: {error.message}") from error

    def _ensure(self, management: Cluster, order: Order) -> Working | Ready:
        _refuse_others(_find(management, CLUSTER, order), order)
        made = management.apply(CLUSTER, _wanted(order), manager=MANAGER)
        status = made.get("status") if isinstance(made.get("status"), dict) else {}
        phase = str((status or {}).get("phase", "Pending"))
        if phase == "Failed":
            raise ProviderFailed(f"Cluster API says: {str((status or {}).get('failureMessage', phase))[:300]}")
        waiting = _find_waiting(made, phase)
        if waiting is not None:
            return waiting
        secret = _find(management, kinds.SECRET, order, "-kubeconfig")
        if secret is None:
            return Working(90, "kubeconfig", "Cluster API has not written the kubeconfig yet")
        return Ready(self._read_access(secret))

    def _read_access(self, secret: Object) -> Access:
        try:
            text = base64.b64decode((secret.get("data") or {})["value"])
            return read_kubeconfig(text, self._rules, now=utc_now())
        except (KeyError, TypeError, binascii.Error):
            raise ProviderFailed("The secret of Cluster API holds no kubeconfig.") from None
        except KubeconfigInvalid as error:
            first = error.errors[0]
            raise ProviderFailed(
                f"The kubeconfig of Cluster API cannot be used: {first.field} {first.message}"
            ) from None


def _wanted(order: Order) -> Object:
    wanted = order.parameters
    topology: Object = {
        "class": wanted["cluster_class"],
        "version": wanted["version"],
        "controlPlane": {"replicas": wanted.get("control_plane_replicas", 1)},
    }
    if wanted.get("worker_class"):
        workers = {"class": wanted["worker_class"], "name": "main", "replicas": wanted.get("worker_replicas", 1)}
        topology["workers"] = {"machineDeployments": [workers]}
    meta = {"name": order.key, "namespace": _namespace(order), "labels": {MARK: str(order.cluster_id)}}
    return {"apiVersion": CLUSTER.api_version, "kind": CLUSTER.name, "metadata": meta, "spec": {"topology": topology}}


def _find_waiting(made: Object, phase: str) -> Working | None:
    """Return what the cluster waits for, by those of its conditions that do not hold."""
    conditions = _conditions(made)
    ready = sum(one.get("status") == "True" for one in conditions)
    if phase == "Provisioned" and all(one.get("status") == "True" for one in conditions if one.get("type") == "Ready"):
        observed = (made.get("status") or {}).get("observedGeneration", made["metadata"].get("generation"))
        if observed == made["metadata"].get("generation"):
            return None
    open_ones = [one for one in conditions if one.get("status") != "True"]
    said = open_ones[0] if open_ones else {}
    why = said.get("message") or said.get("reason") or phase
    return Working(10 + 70 * ready / max(len(conditions), 1), str(said.get("type", phase)), str(why)[:300])


def _conditions(made: Object) -> list[dict[str, Any]]:
    found = (made.get("status") or {}).get("conditions")
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def _remove(management: Cluster, order: Order) -> Working | None:
    found = _find(management, CLUSTER, order)
    if found is None or _mark_of(found) != str(order.cluster_id):
        return None
    if "deletionTimestamp" not in found["metadata"]:
        management.delete(CLUSTER, order.key, _namespace(order), propagation="Foreground", uid=found["metadata"]["uid"])
    holding = ", ".join(found["metadata"].get("finalizers") or ()) or "its machines"
    return Working(50, "deleting", f"Cluster API removes it; what holds it: {holding[:200]}")


def _refuse_others(found: Object | None, order: Order) -> None:
    if found is not None and _mark_of(found) != str(order.cluster_id):
        raise ProviderFailed("The management cluster has a cluster of this name that is not ours; it is left alone.")


def _mark_of(found: Object) -> str | None:
    labels = found["metadata"].get("labels")
    return labels.get(MARK) if isinstance(labels, dict) else None


def _find(management: Cluster, kind: Kind, order: Order, suffix: str = "") -> Object | None:
    try:
        return management.get(kind, order.key + suffix, _namespace(order))
    except ObjectNotFound:
        return None


def _namespace(order: Order) -> str:
    return str(order.parameters.get("namespace") or "default")
