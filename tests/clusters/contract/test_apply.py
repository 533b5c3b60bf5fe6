"""Server-side apply: each manager keeps its fields, and none takes another's unasked."""

from __future__ import annotations

import pytest

from tasks.clusters.gateways.kubernetes import (
    FieldConflict,
    FieldOwner,
    Object,
    ObjectInvalid,
    ObjectNotFound,
    RestCluster,
    kinds,
)
from tests.clusters.contract.world import World, config_map, workload

MAP = kinds.CONFIG_MAP


def apply(cluster: RestCluster, space: str, data: dict[str, str], manager: str = "one", **how: bool) -> Object:
    return cluster.apply(MAP, config_map(space, data=data), manager=manager, **how)


def data(cluster: RestCluster, space: str) -> dict[str, str]:
    return cluster.get(MAP, "c", space).get("data") or {}


def test_apply_makes_and_then_changes_nothing(cluster: RestCluster, space: str) -> None:
    first = apply(cluster, space, {"a": "1"})
    again = apply(cluster, space, {"a": "1"})
    assert again["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]
    managed = first["metadata"]["managedFields"]
    assert [(one["manager"], one["operation"]) for one in managed] == [("one", "Apply")]
    assert "f:a" in managed[0]["fieldsV1"]["f:data"]


def test_what_a_manager_no_longer_says_is_removed(cluster: RestCluster, space: str) -> None:
    apply(cluster, space, {"a": "1", "b": "2"})
    apply(cluster, space, {"a": "1"})
    assert data(cluster, space) == {"a": "1"}


def test_managers_of_different_fields_live_together(cluster: RestCluster, space: str) -> None:
    apply(cluster, space, {"a": "1"})
    apply(cluster, space, {"b": "2"}, "two")
    assert data(cluster, space) == {"a": "1", "b": "2"}


def test_what_two_say_stays_until_none_does(cluster: RestCluster, space: str) -> None:
    apply(cluster, space, {"a": "1", "b": "2"})
    apply(cluster, space, {"a": "1"}, "two")
    apply(cluster, space, {"b": "2"})
    assert data(cluster, space) == {"a": "1", "b": "2"}
    apply(cluster, space, {"x": "9"}, "two")
    assert data(cluster, space) == {"b": "2", "x": "9"}


def test_a_conflict_names_each_field_and_its_manager(cluster: RestCluster, space: str) -> None:
    apply(cluster, space, {"a": "1", "b": "2", "c": "3"})
    with pytest.raises(FieldConflict) as caught:
        apply(cluster, space, {"a": "x", "b": "y", "c": "3"}, "two")
    assert set(caught.value.conflicts) == {FieldOwner(".data.a", "one"), FieldOwner(".data.b", "one")}
    assert data(cluster, space) == {"a": "1", "b": "2", "c": "3"}


def test_force_takes_the_fields(cluster: RestCluster, space: str) -> None:
    apply(cluster, space, {"a": "1", "b": "2"})
    apply(cluster, space, {"a": "x"}, "two", force=True)
    assert data(cluster, space) == {"a": "x", "b": "2"}
    with pytest.raises(FieldConflict) as caught:
        apply(cluster, space, {"a": "1", "b": "2"})
    assert caught.value.conflicts == (FieldOwner(".data.a", "two"),)


def test_what_was_written_without_apply_conflicts_too(cluster: RestCluster, space: str) -> None:
    cluster.create(MAP, config_map(space, data={"a": "1"}))
    with pytest.raises(FieldConflict) as caught:
        apply(cluster, space, {"a": "2"})
    assert caught.value.conflicts == (FieldOwner(".data.a", "headrace"),)


def test_a_patch_takes_what_it_writes_from_its_manager(cluster: RestCluster, space: str) -> None:
    apply(cluster, space, {"a": "1"})
    cluster.patch(MAP, "c", space, change={"data": {"a": "2"}})
    with pytest.raises(FieldConflict):
        apply(cluster, space, {"a": "1"})


def test_a_dry_apply_shows_and_keeps_nothing(world: World, cluster: RestCluster, space: str) -> None:
    assert apply(cluster, space, {"a": "1"}, dry_run=True)["data"] == {"a": "1"}
    assert not world.has(MAP, "c", space)
    apply(cluster, space, {"a": "1"})
    with pytest.raises(FieldConflict):
        apply(cluster, space, {"a": "2"}, "two", dry_run=True)
    assert apply(cluster, space, {"a": "2"}, "two", dry_run=True, force=True)["data"] == {"a": "2"}
    assert data(cluster, space) == {"a": "1"}


def test_containers_are_merged_by_name(cluster: RestCluster, space: str) -> None:
    body = workload("Deployment", space, replicas=0)
    cluster.apply(kinds.DEPLOYMENT, body, manager="one")
    side = workload("Deployment", space, replicas=0)
    side["spec"]["template"]["spec"]["containers"] = [{"name": "side", "image": "example/side"}]
    applied = cluster.apply(kinds.DEPLOYMENT, side, manager="two")
    found = {one["name"] for one in applied["spec"]["template"]["spec"]["containers"]}
    assert found == {"main", "side"}
    side["spec"]["template"]["spec"]["containers"] = [{"name": "other", "image": "example/other"}]
    applied = cluster.apply(kinds.DEPLOYMENT, side, manager="two")
    found = {one["name"] for one in applied["spec"]["template"]["spec"]["containers"]}
    assert found == {"main", "other"}


def test_a_conflict_in_a_container_is_named(cluster: RestCluster, space: str) -> None:
    cluster.apply(kinds.DEPLOYMENT, workload("Deployment", space, replicas=0), manager="one")
    body = workload("Deployment", space, replicas=0, image="example/other")
    with pytest.raises(FieldConflict) as caught:
        cluster.apply(kinds.DEPLOYMENT, body, manager="two")
    owner = caught.value.conflicts[0]
    assert owner == FieldOwner('.spec.template.spec.containers[name="main"].image', "one")


def test_replicas_left_out_belong_to_whoever_scales(cluster: RestCluster, space: str) -> None:
    body = workload("Deployment", space, replicas=0)
    del body["spec"]["replicas"]
    cluster.apply(kinds.DEPLOYMENT, body, manager="one")
    cluster.scale(kinds.DEPLOYMENT, "w", space, 2)
    assert cluster.apply(kinds.DEPLOYMENT, body, manager="one")["spec"]["replicas"] == 2


def test_an_object_that_is_not_valid_is_not_applied(cluster: RestCluster, space: str) -> None:
    with pytest.raises(ObjectInvalid):
        cluster.apply(MAP, config_map(space, "Not-A-Name"), manager="one")
    with pytest.raises(ObjectNotFound):
        cluster.apply(MAP, config_map("not-there"), manager="one")
