"""What a cluster does by itself: namespaces are emptied, dependents follow their owners, workloads get pods."""

from __future__ import annotations

import pytest

from tasks.clusters.gateways.kubernetes import (
    Kind,
    NamespaceTerminating,
    Object,
    RestCluster,
    kinds,
    list_all,
)
from tests.clusters.contract.world import World, config_map, eventually, pod, workload

MAP = kinds.CONFIG_MAP
HELD = ["example.com/held"]


def ready(cluster: RestCluster, kind: Kind, space: str) -> int:
    return int(cluster.get(kind, "w", space).get("status", {}).get("readyReplicas", 0))


def pods(cluster: RestCluster, space: str) -> list[str]:
    return [one["metadata"]["name"] for one in list_all(cluster, kinds.POD, space)]


def owned(space: str, owner: Object) -> Object:
    reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": owner["metadata"]["uid"]}
    return config_map(space, "owned", ownerReferences=[reference | {"blockOwnerDeletion": True}])


def test_a_namespace_goes_with_all_that_is_in_it(world: World, cluster: RestCluster, space: str) -> None:
    cluster.create(MAP, config_map(space))
    cluster.create(kinds.DEPLOYMENT, workload("Deployment", space))
    cluster.delete(kinds.NAMESPACE, space)
    assert cluster.get(kinds.NAMESPACE, space)["status"]["phase"] == "Terminating" if world.is_real else True
    eventually(lambda: not world.has(kinds.NAMESPACE, space))
    assert not world.has(MAP, "c", space)
    assert pods(cluster, space) == []


def test_nothing_is_made_in_a_namespace_that_goes(world: World, cluster: RestCluster, space: str) -> None:
    cluster.create(MAP, config_map(space, "held", finalizers=HELD))
    cluster.delete(kinds.NAMESPACE, space)
    with pytest.raises(NamespaceTerminating):
        cluster.create(MAP, config_map(space, "more"))
    cluster.patch(MAP, "held", space, change={"metadata": {"finalizers": None}})
    eventually(lambda: not world.has(kinds.NAMESPACE, space))


def test_a_namespace_says_what_holds_it(world: World, cluster: RestCluster, space: str) -> None:
    cluster.create(MAP, config_map(space, "held", finalizers=HELD))
    cluster.delete(kinds.NAMESPACE, space)
    told = eventually(lambda: _conditions(cluster, space).get("NamespaceFinalizersRemaining"))
    assert "example.com/held in 1 resource instances" in told
    assert "configmaps. has 1 resource instances" in _conditions(cluster, space)["NamespaceContentRemaining"]
    cluster.patch(MAP, "held", space, change={"metadata": {"finalizers": None}})
    eventually(lambda: not world.has(kinds.NAMESPACE, space))


def _conditions(cluster: RestCluster, space: str) -> dict[str, str]:
    found = cluster.get(kinds.NAMESPACE, space)["status"].get("conditions", [])
    return {one["type"]: one["message"] for one in found if one["status"] == "True"}


def test_dependents_go_after_their_owner(world: World, cluster: RestCluster, space: str) -> None:
    owner = cluster.create(MAP, config_map(space, "owner"))
    cluster.create(MAP, owned(space, owner))
    cluster.delete(MAP, "owner", space)
    assert not world.has(MAP, "owner", space)
    eventually(lambda: not world.has(MAP, "owned", space))


def test_dependents_go_before_an_owner_that_is_deleted_in_the_foreground(
    world: World, cluster: RestCluster, space: str
) -> None:
    owner = cluster.create(MAP, config_map(space, "owner"))
    held = owned(space, owner)
    held["metadata"]["finalizers"] = HELD
    cluster.create(MAP, held)
    eventually(lambda: _is_ending(cluster, space))
    assert world.has(MAP, "owner", space)
    cluster.patch(MAP, "owned", space, change={"metadata": {"finalizers": None}})
    eventually(lambda: not world.has(MAP, "owner", space))


def _is_ending(cluster: RestCluster, space: str) -> bool:
    """Whether the dependent is being deleted. The server's collector must have seen it first, so this asks again."""
    cluster.delete(MAP, "owner", space, propagation="Foreground")
    return "deletionTimestamp" in cluster.get(MAP, "owned", space)["metadata"]


def test_orphans_stay(world: World, cluster: RestCluster, space: str) -> None:
    owner = cluster.create(MAP, config_map(space, "owner"))
    cluster.create(MAP, owned(space, owner))
    cluster.delete(MAP, "owner", space, propagation="Orphan")
    eventually(lambda: not world.has(MAP, "owner", space))
    eventually(lambda: not cluster.get(MAP, "owned", space)["metadata"].get("ownerReferences"))


def test_a_pod_runs(cluster: RestCluster, space: str) -> None:
    assert cluster.create(kinds.POD, pod(space))["status"]["phase"] == "Pending"
    running = eventually(lambda: _running(cluster, space))
    conditions = {one["type"]: one["status"] for one in running["status"]["conditions"]}
    assert conditions["Ready"] == "True"
    assert running["spec"]["nodeName"]


def _running(cluster: RestCluster, space: str) -> Object | None:
    found = cluster.get(kinds.POD, "p", space)
    return found if found["status"]["phase"] == "Running" else None


@pytest.mark.parametrize("kind", [kinds.DEPLOYMENT, kinds.STATEFUL_SET], ids=["deployment", "stateful set"])
def test_a_workload_gets_ready_sleeps_and_wakes(cluster: RestCluster, space: str, kind: Kind) -> None:
    cluster.create(kind, workload(kind.name, space, replicas=2))
    eventually(lambda: ready(cluster, kind, space) == 2)
    assert len(pods(cluster, space)) == 2
    cluster.scale(kind, "w", space, 0)
    eventually(lambda: not pods(cluster, space) and ready(cluster, kind, space) == 0)
    cluster.scale(kind, "w", space, 1)
    eventually(lambda: ready(cluster, kind, space) == 1)


def test_pods_of_a_stateful_set_are_numbered(cluster: RestCluster, space: str) -> None:
    cluster.create(kinds.STATEFUL_SET, workload("StatefulSet", space, replicas=2))
    eventually(lambda: ready(cluster, kinds.STATEFUL_SET, space) == 2)
    assert sorted(pods(cluster, space)) == ["w-0", "w-1"]


def test_a_lost_pod_is_replaced(cluster: RestCluster, space: str) -> None:
    cluster.create(kinds.DEPLOYMENT, workload("Deployment", space))
    eventually(lambda: ready(cluster, kinds.DEPLOYMENT, space) == 1)
    first = next(list_all(cluster, kinds.POD, space))["metadata"]
    cluster.delete(kinds.POD, first["name"], space)
    eventually(lambda: _is_replaced(cluster, space, first["uid"]))


def _is_replaced(cluster: RestCluster, space: str, uid: str) -> bool:
    found = [one["metadata"]["uid"] for one in list_all(cluster, kinds.POD, space)]
    return bool(found) and uid not in found and ready(cluster, kinds.DEPLOYMENT, space) == 1
