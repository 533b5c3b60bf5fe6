"""Commands in containers, as far as a server without a kubelet can answer: who may, and for what."""

from __future__ import annotations

import pytest

from tasks.clusters.gateways.kubernetes import AccessDenied, ObjectInvalid, ObjectNotFound, RestCluster, kinds
from tests.clusters.contract.world import World, binding, eventually, pod
from tests.support.kubernetes import NEVER_READY


def execute(cluster: RestCluster, space: str, name: str = "p", container: str = "main") -> None:
    with cluster.execute(name, space, ["true"], container=container):
        raise AssertionError("there is no kubelet")


def test_a_pod_that_is_not_there_runs_nothing(cluster: RestCluster, space: str) -> None:
    with pytest.raises(ObjectNotFound):
        execute(cluster, space, "nobody")


def test_a_pod_without_a_node_runs_nothing(cluster: RestCluster, space: str) -> None:
    cluster.create(kinds.POD, pod(space, annotations={NEVER_READY: "yes"}))
    with pytest.raises(ObjectInvalid, match="does not have a host assigned"):
        execute(cluster, space)


def test_a_container_that_the_pod_does_not_have_is_refused(cluster: RestCluster, space: str) -> None:
    cluster.create(kinds.POD, pod(space, annotations={NEVER_READY: "yes"}))
    with pytest.raises(ObjectInvalid, match="container other is not valid for pod p"):
        execute(cluster, space, container="other")


def test_only_who_may_runs_something(world: World, space: str) -> None:
    world.admin.create(kinds.POD, pod(space, annotations={NEVER_READY: "yes"}))
    with pytest.raises(AccessDenied):
        execute(world.bob, space)
    user = {"kind": "User", "name": "bob"}
    world.admin.create(kinds.ROLE_BINDING, binding(space, "view", **user))
    eventually(lambda: world.bob.can_i("get", kinds.POD, space))
    with pytest.raises(AccessDenied):
        execute(world.bob, space)
    world.admin.create(kinds.ROLE_BINDING, binding(space, "edit", **user))
    eventually(lambda: world.bob.can_i("get", kinds.POD, space, subresource="exec"))
    with pytest.raises(ObjectInvalid, match="host"):
        execute(world.bob, space)
