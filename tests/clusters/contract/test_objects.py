"""Objects: made, read, changed and ended."""

from __future__ import annotations

from datetime import datetime

import pytest

from tasks.clusters.gateways.kubernetes import (
    ObjectExists,
    ObjectInvalid,
    ObjectNotFound,
    Patch,
    RestCluster,
    StaleWrite,
    kinds,
)
from tests.clusters.contract.world import World, config_map, eventually, pod, workload

MAP = kinds.CONFIG_MAP


def test_what_is_made_is_read_again(cluster: RestCluster, space: str) -> None:
    made = cluster.create(MAP, config_map(space, data={"a": "1"}))
    meta = made["metadata"]
    assert cluster.get(MAP, "c", space) == made
    assert made["data"] == {"a": "1"}
    assert len(meta["uid"]) == 36
    assert int(meta["resourceVersion"]) > 0
    assert datetime.fromisoformat(meta["creationTimestamp"]).tzinfo


def test_a_name_is_generated(cluster: RestCluster, space: str) -> None:
    body = config_map(space)
    del body["metadata"]["name"]
    body["metadata"]["generateName"] = "some-"
    names = {cluster.create(MAP, body)["metadata"]["name"] for _ in range(3)}
    assert len(names) == 3
    assert all(name.startswith("some-") and len(name) == 10 for name in names)


def test_a_second_of_the_name_is_refused(cluster: RestCluster, space: str) -> None:
    cluster.create(MAP, config_map(space))
    with pytest.raises(ObjectExists, match="already exists"):
        cluster.create(MAP, config_map(space))


def test_nothing_is_made_in_a_namespace_that_is_not_there(cluster: RestCluster) -> None:
    with pytest.raises(ObjectNotFound, match="namespaces"):
        cluster.create(MAP, config_map("not-there"))


def test_what_is_not_there_is_not_found(cluster: RestCluster, space: str) -> None:
    with pytest.raises(ObjectNotFound, match='configmaps "x" not found'):
        cluster.get(MAP, "x", space)
    with pytest.raises(ObjectNotFound):
        cluster.delete(MAP, "x", space)
    with pytest.raises(ObjectNotFound):
        cluster.patch(MAP, "x", space, change={"data": {}})
    with pytest.raises(ObjectNotFound):
        cluster.scale(kinds.DEPLOYMENT, "x", space, 1)


def test_a_write_with_the_newest_version_is_taken(cluster: RestCluster, space: str) -> None:
    made = cluster.create(MAP, config_map(space))
    made["data"] = {"a": "2"}
    written = cluster.replace(MAP, made)
    assert written["data"] == {"a": "2"}
    assert int(written["metadata"]["resourceVersion"]) > int(made["metadata"]["resourceVersion"])


def test_a_stale_write_is_refused(cluster: RestCluster, space: str) -> None:
    made = cluster.create(MAP, config_map(space))
    cluster.patch(MAP, "c", space, change={"data": {"a": "1"}})
    made["data"] = {"a": "2"}
    with pytest.raises(StaleWrite):
        cluster.replace(MAP, made)
    stale = {"metadata": {"resourceVersion": made["metadata"]["resourceVersion"]}, "data": {"a": "3"}}
    with pytest.raises(StaleWrite):
        cluster.patch(MAP, "c", space, change=stale)
    assert cluster.get(MAP, "c", space)["data"] == {"a": "1"}


def test_a_write_that_changes_nothing_makes_no_version(cluster: RestCluster, space: str) -> None:
    made = cluster.create(MAP, config_map(space, data={"a": "1"}))
    again = cluster.patch(MAP, "c", space, change={"data": {"a": "1"}})
    assert again["metadata"]["resourceVersion"] == made["metadata"]["resourceVersion"]


def test_a_dry_run_keeps_nothing(world: World, cluster: RestCluster, space: str) -> None:
    assert cluster.create(MAP, config_map(space, "dry"), dry_run=True)["metadata"]["name"] == "dry"
    assert not world.has(MAP, "dry", space)
    cluster.create(MAP, config_map(space, data={"a": "1"}))
    assert cluster.patch(MAP, "c", space, change={"data": {"a": "2"}}, dry_run=True)["data"] == {"a": "2"}
    assert cluster.get(MAP, "c", space)["data"] == {"a": "1"}


def test_a_dry_run_is_refused_for_the_same_reasons(cluster: RestCluster, space: str) -> None:
    with pytest.raises(ObjectInvalid):
        cluster.create(MAP, config_map(space, "Not A Name"), dry_run=True)


def test_a_merge_patch_sets_and_removes(cluster: RestCluster, space: str) -> None:
    cluster.create(MAP, config_map(space, data={"a": "1", "b": "2"}))
    patched = cluster.patch(MAP, "c", space, change={"data": {"a": None, "c": "3"}, "metadata": {"labels": {"x": "y"}}})
    assert patched["data"] == {"b": "2", "c": "3"}
    assert patched["metadata"]["labels"] == {"x": "y"}


def test_a_json_patch_is_done_when_its_test_holds(cluster: RestCluster, space: str) -> None:
    cluster.create(MAP, config_map(space, data={"a": "1"}))
    change = [{"op": "test", "path": "/data/a", "value": "1"}, {"op": "replace", "path": "/data/a", "value": "2"}]
    assert cluster.patch(MAP, "c", space, change=change, form=Patch.JSON)["data"] == {"a": "2"}
    with pytest.raises(ObjectInvalid):
        cluster.patch(MAP, "c", space, change=change, form=Patch.JSON)


def test_a_strategic_patch_merges_containers_by_name(cluster: RestCluster, space: str) -> None:
    cluster.create(kinds.DEPLOYMENT, workload("Deployment", space, replicas=0))
    container = {"name": "side", "image": "example/side"}
    change = {"spec": {"template": {"spec": {"containers": [container]}}}}
    patched = cluster.patch(kinds.DEPLOYMENT, "w", space, change=change, form=Patch.STRATEGIC)
    names = [one["name"] for one in patched["spec"]["template"]["spec"]["containers"]]
    assert sorted(names) == ["main", "side"]


def test_status_and_spec_are_written_apart(cluster: RestCluster, space: str) -> None:
    body = pod(space) | {"status": {"phase": "Failed"}}
    assert cluster.create(kinds.POD, body)["status"]["phase"] == "Pending"
    change = {"status": {"message": "told"}, "metadata": {"labels": {"x": "y"}}}
    assert "message" not in cluster.patch(kinds.POD, "p", space, change=change)["status"]
    patched = cluster.patch(kinds.POD, "p", space, change={"status": {"message": "told"}}, subresource="status")
    assert patched["status"]["message"] == "told"


def test_the_generation_rises_with_the_spec_alone(cluster: RestCluster, space: str) -> None:
    cluster.create(kinds.DEPLOYMENT, workload("Deployment", space, replicas=0))
    labelled = cluster.patch(kinds.DEPLOYMENT, "w", space, change={"metadata": {"labels": {"x": "y"}}})
    assert labelled["metadata"]["generation"] == 1
    paused = cluster.patch(kinds.DEPLOYMENT, "w", space, change={"spec": {"minReadySeconds": 1}})
    assert paused["metadata"]["generation"] == 2


@pytest.mark.parametrize("name", ["Upper", "under_score", "-dash", "x" * 254])
def test_a_name_that_is_none_is_refused_by_its_field(cluster: RestCluster, space: str, name: str) -> None:
    with pytest.raises(ObjectInvalid) as caught:
        cluster.create(MAP, config_map(space, name))
    assert [cause.field for cause in caught.value.causes] == ["metadata.name"]


def test_a_namespace_has_at_most_63_characters(cluster: RestCluster) -> None:
    with pytest.raises(ObjectInvalid) as caught:
        cluster.create(kinds.NAMESPACE, {"metadata": {"name": "n" * 64}})
    assert caught.value.causes[0].field == "metadata.name"


def test_a_workload_must_select_its_own_pods(cluster: RestCluster, space: str) -> None:
    body = workload("Deployment", space)
    body["spec"]["selector"]["matchLabels"] = {"app": "another"}
    with pytest.raises(ObjectInvalid) as caught:
        cluster.create(kinds.DEPLOYMENT, body)
    assert "spec.template.metadata.labels" in [cause.field for cause in caught.value.causes]


def test_what_cannot_be_decoded_is_refused(cluster: RestCluster, space: str) -> None:
    with pytest.raises(ObjectInvalid):
        cluster.create(MAP, config_map(space, data={"a": 1}))


def test_an_object_of_another_kind_is_refused(cluster: RestCluster, space: str) -> None:
    with pytest.raises(ObjectInvalid):
        cluster.create(MAP, config_map(space) | {"kind": "Secret"})


def test_what_is_deleted_is_gone(world: World, cluster: RestCluster, space: str) -> None:
    cluster.create(MAP, config_map(space))
    cluster.delete(MAP, "c", space)
    assert not world.has(MAP, "c", space)


def test_another_object_of_the_name_is_not_deleted(world: World, cluster: RestCluster, space: str) -> None:
    first = cluster.create(MAP, config_map(space))
    cluster.delete(MAP, "c", space, uid=first["metadata"]["uid"])
    cluster.create(MAP, config_map(space))
    with pytest.raises(StaleWrite):
        cluster.delete(MAP, "c", space, uid=first["metadata"]["uid"])
    assert world.has(MAP, "c", space)


def test_a_finalizer_holds_an_object(world: World, cluster: RestCluster, space: str) -> None:
    cluster.create(MAP, config_map(space, finalizers=["example.com/held"]))
    cluster.delete(MAP, "c", space)
    assert cluster.get(MAP, "c", space)["metadata"]["deletionTimestamp"]
    cluster.patch(MAP, "c", space, change={"metadata": {"finalizers": None}})
    assert not world.has(MAP, "c", space)


def test_a_running_pod_is_ended_gracefully(world: World, cluster: RestCluster, space: str) -> None:
    cluster.create(kinds.POD, pod(space))
    eventually(lambda: cluster.get(kinds.POD, "p", space)["status"]["phase"] == "Running")
    cluster.delete(kinds.POD, "p", space)
    eventually(lambda: not world.has(kinds.POD, "p", space))
