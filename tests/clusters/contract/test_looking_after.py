"""What the platform does with a cluster by itself: checks, inventories, and applying what users give."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any
from uuid import uuid4

import pytest

from app.clusters import ApplyRights, Order
from app.clusters.manifests import read_manifests
from app.kernel.ids import new_id
from tasks.clusters.applying import ApplyRefused, apply_order
from tasks.clusters.checking import check
from tasks.clusters.gateways.kubernetes import Object, ObjectNotFound, RestCluster, kinds
from tasks.clusters.observing import observe
from tests.clusters.contract.world import World, config_map, eventually, workload

ALL = ApplyRights(everywhere=True, wide=True, namespaces=frozenset())


def apply(cluster: RestCluster, *bodies: Object, rights: ApplyRights = ALL, **how: Any) -> list[dict[str, Any]]:
    text = "\n---\n".join(json.dumps(body) for body in bodies)
    wanted = {"namespace": "default", "dry_run": False, "force": False} | how
    return apply_order(cluster, Order(new_id(), read_manifests(text), rights=rights, **wanted), lambda _: None)


def outcomes(told: Sequence[dict[str, Any]]) -> list[str]:
    return [one["outcome"] for one in told]


def test_a_check_finds_a_server_well_and_knows_its_version(world: World) -> None:
    found = check(world.admin)
    assert found.healthy
    assert (found.version or "").startswith("v1.")
    assert (found.latency_ms or 0) > 0


def test_a_check_finds_a_server_well_whose_user_may_see_nothing(world: World) -> None:
    assert check(world.bob).healthy


def test_a_check_tells_that_nobody_knows_a_token(world: World) -> None:
    stranger = world.open("no-such-token")
    assert (check(stranger).healthy, check(stranger).step) == (False, "authentication")
    stranger.close()


def test_an_inventory_has_what_is_there(world: World, space: str) -> None:
    world.admin.apply(kinds.DEPLOYMENT, workload("Deployment", space, "web"), manager="tests")
    ports = [{"port": 80, "protocol": "TCP"}]
    service = {"metadata": {"name": "web", "namespace": space}, "spec": {"ports": ports}}
    world.admin.apply(kinds.SERVICE, service, manager="tests")

    def seen(kind: str) -> dict[str, Any]:
        return {one.name: one for one in observe(world.admin, 2000)[kind].items if space in (one.namespace, one.name)}

    assert seen("namespaces")[space].status == "Active"
    assert seen("services")["web"].data["ports"][0]["port"] == 80
    assert seen("deployments")["web"].data["replicas"] == 1
    eventually(lambda: seen("pods"))
    (pod,) = seen("pods").values()
    assert (pod.namespace, pod.data["containers"]) == (space, 1)
    assert all(one.error is None for one in observe(world.admin, 2000).values())


def test_a_user_without_rights_is_told_so_for_each_kind(world: World) -> None:
    observed = observe(world.bob, 10)
    # Of a kind that the server does not know there is nothing, and nothing to be told.
    assert (observed.pop("certificates").error, len(observed)) == (None, 10)
    assert all("may not list" in (one.error or "") for one in observed.values())


def test_objects_are_created_left_alone_and_configured(world: World, space: str) -> None:
    one, web = config_map(space, data={"a": "1"}), workload("Deployment", space, "web")
    assert outcomes(apply(world.admin, one, web)) == ["created", "created"]
    assert outcomes(apply(world.admin, one)) == ["unchanged"]
    assert outcomes(apply(world.admin, config_map(space, data={"a": "2"}))) == ["configured"]


def test_a_dry_run_leaves_nothing(world: World, space: str) -> None:
    assert outcomes(apply(world.admin, config_map(space), dry_run=True)) == ["created"]
    with pytest.raises(ObjectNotFound):
        world.admin.get(kinds.CONFIG_MAP, "c", space)


def test_conflicts_are_told_by_field_and_manager(world: World, space: str) -> None:
    world.admin.apply(kinds.CONFIG_MAP, config_map(space, data={"a": "theirs"}), manager="somebody")
    wanted = config_map(space, data={"a": "ours"})
    (told,) = apply(world.admin, wanted)
    assert (told["outcome"], told["conflicts"]) == ("conflict", [{"field": ".data.a", "manager": "somebody"}])
    assert outcomes(apply(world.admin, wanted, force=True)) == ["configured"]


def test_what_a_server_does_not_take_says_why_and_the_next_is_applied(world: World, space: str) -> None:
    bad = workload("Deployment", space, "bad")
    del bad["spec"]["selector"]
    told = apply(world.admin, bad, config_map(space))
    assert outcomes(told) == ["failed", "created"]
    assert told[0]["code"] in ("OBJECT_INVALID", "CLUSTER_ACCESS_DENIED")


def test_the_kind_that_the_server_knows_decides_who_may_write_it(world: World, space: str) -> None:
    """A namespace in the manifest does not make an object of the whole cluster one of that namespace."""
    name = f"r-{uuid4().hex[:8]}"
    role = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "rules": []}
    role |= {"metadata": {"name": name, "namespace": space}}
    inside = ApplyRights(everywhere=False, wide=False, namespaces=frozenset({space}))
    with pytest.raises(ApplyRefused) as caught:
        apply(world.admin, config_map(space), role, rights=inside)
    assert [one["name"] for one in caught.value.details["objects"]] == [name]
    assert not world.has(kinds.CONFIG_MAP, "c", space)
    assert outcomes(apply(world.admin, config_map(space), rights=inside)) == ["created"]
