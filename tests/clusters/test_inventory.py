"""What there is on a cluster, as lists show it without asking the cluster."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

import pytest
from flask.testing import FlaskClient

from app.clusters import Access, CheckRules, Observed, Seen, record_inventory
from app.identity import Scope
from app.kernel.db import Database
from tasks.clusters.gateways.kubernetes import RestCluster, kinds
from tasks.clusters.observing import observe
from tasks.clusters.summaries import SUMMARIES
from tests.clusters.contract.world import LOOPBACK, workload
from tests.clusters.gateways.settings import SHORT
from tests.support.clusters import API, Keeper, register
from tests.support.identity import Person, data_of, error_of
from tests.support.kubernetes import ApiServer
from tests.support.rights import give

RULES = CheckRules()
HOSTILE: list[Any] = [None, 7, "x" * 5000, [], {}, [7, None], {"a": {}}, True, "nul\x00", "\ud800"]


@pytest.fixture
def inventory(client: FlaskClient, alice: Person, api_server: ApiServer, keeper: Keeper) -> str:
    """A cluster with some objects, of which an inventory was taken; its id."""
    cluster = RestCluster(api_server.access(), rules=LOOPBACK)
    fill(cluster)
    made = register(client, alice, api_server.access())
    keeper.drain()
    cluster.close()
    return str(made["id"])


def fill(cluster: RestCluster) -> None:
    for name in ("shop", "bank"):
        cluster.apply(kinds.NAMESPACE, {"metadata": {"name": name}}, manager="tests")
        cluster.apply(kinds.DEPLOYMENT, workload("Deployment", name, "web", replicas=2), manager="tests")
    spec = {"type": "ClusterIP", "ports": [{"port": 80, "targetPort": 8080, "protocol": "TCP"}]}
    cluster.apply(kinds.SERVICE, {"metadata": {"name": "web", "namespace": "shop"}, "spec": spec}, manager="tests")
    status = {"conditions": [{"type": "Ready", "status": "True"}], "nodeInfo": {"kubeletVersion": "v1.31.0"}}
    cluster.apply(kinds.NODE, {"metadata": {"name": "n1"}}, manager="tests")
    cluster.patch(kinds.NODE, "n1", change={"status": status}, subresource="status")


def read(client: FlaskClient, person: Person, cluster_id: str, kind: str, **query: str) -> Any:
    return data_of(client.get(f"{API}/{cluster_id}/{kind}", query_string=query, headers=person.headers))


def test_each_kind_is_listed_with_the_time_it_was_seen(client: FlaskClient, alice: Person, inventory: str) -> None:
    names = {one["name"]: one["status"] for one in read(client, alice, inventory, "namespaces")}
    assert names["shop"] == "Active"
    assert [one["name"] for one in read(client, alice, inventory, "nodes")] == ["n1"]
    (service,) = read(client, alice, inventory, "services", namespace="shop")
    assert service["ports"][0] == {"name": None, "port": 80, "protocol": "TCP", "target": "8080", "node_port": None}
    deployments = read(client, alice, inventory, "deployments", search="WE")
    assert [(one["namespace"], one["replicas"]) for one in deployments] == [("bank", 2), ("shop", 2)]
    pods = read(client, alice, inventory, "pods", namespace="bank")
    assert all(pod["name"].startswith("web-") and pod["observed_at"] for pod in pods)
    assert read(client, alice, inventory, "events") == []
    assert read(client, alice, inventory, "pods", status="CrashLoopBackOff") == []


def test_a_dead_cluster_is_read_as_it_was_last_seen(
    client: FlaskClient, alice: Person, api_server: ApiServer, keeper: Keeper, inventory: str
) -> None:
    before = read(client, alice, inventory, "deployments")
    api_server.faults.add("black hole")
    client.post(f"{API}/{inventory}/health-check", headers=alice.headers)
    keeper.drain()
    seen = len(api_server.seen)
    assert read(client, alice, inventory, "deployments") == before
    assert len(api_server.seen) == seen


def test_lists_are_paged_and_say_which_filters_they_take(client: FlaskClient, alice: Person, inventory: str) -> None:
    first = client.get(f"{API}/{inventory}/deployments?limit=1", headers=alice.headers).get_json()
    cursor = first["meta"]["pagination"]["next_cursor"]
    (second,) = read(client, alice, inventory, "deployments", limit="1", cursor=cursor)
    assert {first["data"][0]["namespace"], second["namespace"]} == {"bank", "shop"}
    refused = client.get(f"{API}/{inventory}/nodes?namespace=x", headers=alice.headers)
    assert error_of(refused, 422)["errors"][0]["field"] == "namespace"


def test_health_tells_how_current_the_inventory_is_and_counts_nodes(
    client: FlaskClient, alice: Person, inventory: str
) -> None:
    health = data_of(client.get(f"{API}/{inventory}/health", headers=alice.headers))
    assert {one["kind"]: one["error"] for one in health["inventory"]} == dict.fromkeys(SUMMARIES)
    assert (health["node_count"], health["ready_nodes"], health["warnings"]) == (1, 1, [])
    assert data_of(client.get(f"{API}/{inventory}", headers=alice.headers))["ready_nodes"] == 1


def test_who_reads_one_namespace_sees_that_one_alone(
    client: FlaskClient, alice: Person, charlie: Person, inventory: str, database: Database
) -> None:
    assert error_of(client.get(f"{API}/{inventory}/pods", headers=charlie.headers), 404)
    give(database, charlie, "namespace-viewer", Scope("namespace", UUID(inventory), "shop"))
    assert {one["namespace"] for one in read(client, charlie, inventory, "deployments")} == {"shop"}
    assert read(client, charlie, inventory, "deployments", namespace="bank") == []
    assert [one["name"] for one in read(client, charlie, inventory, "namespaces")] == ["shop"]
    assert error_of(client.get(f"{API}/{inventory}/nodes", headers=charlie.headers), 404)
    assert error_of(client.get(f"{API}/{inventory}", headers=charlie.headers), 404)


def test_what_credentials_may_not_list_is_told(
    client: FlaskClient, alice: Person, api_server: ApiServer, keeper: Keeper
) -> None:
    made = register(client, alice, api_server.access(api_server.token_for("bob")))
    keeper.drain()
    health = data_of(client.get(f"{API}/{made['id']}/health", headers=alice.headers))
    assert health["healthy"]
    told = {one["kind"]: one["error"] for one in health["inventory"]}
    # Of kinds that it does not know a cluster says so to everybody.
    assert told.pop("certificates") is None
    assert all("may not list" in error for error in told.values())
    assert health["node_count"] is None


@pytest.fixture
def cluster_id(client: FlaskClient, alice: Person) -> UUID:
    """A cluster that nobody asks."""
    return UUID(register(client, alice, Access("https://kube.example.com", token="t"))["id"])


def record(database: Database, cluster_id: UUID, *names: str, status: str = "Running", **said: Any) -> None:
    data = {"ready": 1, "containers": 1, "restarts": 0, "node": None, "ip": None}
    pods = [Seen("shop", name, status, data) for name in names]
    with database.transaction() as session:
        assert record_inventory(session, cluster_id, {"pods": Observed(pods, **said)}, RULES)


def test_changes_are_told_by_count_and_first_names_and_sameness_is_not(
    database: Database, cluster_id: UUID, keeper: Keeper
) -> None:
    record(database, cluster_id, *(f"p{number:03}" for number in range(50)))
    record(database, cluster_id, *(f"p{number:03}" for number in range(50)))
    record(database, cluster_id, "p000", "q", status="Failed")
    first, second = (event["changes"]["pods"] for event in keeper.events("cluster.inventory_changed"))
    assert first["added"]["count"] == 50
    assert len(first["added"]["names"]) == 20
    assert (second["added"]["names"], second["changed"]["names"]) == (["shop/q"], ["shop/p000"])
    assert second["removed"]["count"] == 49


def test_a_listing_that_failed_leaves_what_was_seen_before(
    database: Database, cluster_id: UUID, client: FlaskClient, alice: Person
) -> None:
    record(database, cluster_id, "p", truncated=True)
    with database.transaction() as session:
        record_inventory(session, cluster_id, {"pods": Observed(error="no longer")}, RULES)
    assert [one["name"] for one in read(client, alice, str(cluster_id), "pods")] == ["p"]
    health = data_of(client.get(f"{API}/{cluster_id}/health", headers=alice.headers))
    (pods,) = health["inventory"]
    assert (pods["count"], pods["truncated"], pods["error"]) == (1, True, "no longer")


def test_an_inventory_holds_so_many_objects_and_no_more(api_server: ApiServer) -> None:
    cluster = RestCluster(api_server.access(), rules=LOOPBACK)
    cluster.apply(kinds.NAMESPACE, {"metadata": {"name": "many"}}, manager="tests")
    for number in range(7):
        body = {"metadata": {"name": f"s{number}", "namespace": "many"}, "spec": {"ports": [{"port": 80}]}}
        cluster.apply(kinds.SERVICE, body, manager="tests")
    found = observe(cluster, 5)["services"]
    assert (len(found.items), found.truncated) == (5, True)
    assert not observe(cluster, 50)["services"].truncated
    cluster.close()


@pytest.mark.parametrize("kind", SUMMARIES)
@pytest.mark.parametrize("value", HOSTILE, ids=range(len(HOSTILE)))
def test_objects_of_any_form_are_summarized(kind: str, value: Any) -> None:
    body = {"metadata": {"name": "n", "labels": value, "creationTimestamp": value}, "spec": value, "status": value}
    parts = ("conditions", "containerStatuses", "capacity", "phase", "loadBalancer", "nodeInfo", "readyReplicas")
    deeper = body | {"status": dict.fromkeys(parts, value), "spec": {"ports": [value, {"port": value}]}}
    for one in (body, deeper, body | {"metadata": {"name": "n"}, "involvedObject": value, "message": value}):
        seen = SUMMARIES[kind](one)
        said = json.dumps([seen.status, seen.data])
        assert "\\u0000" not in said
        assert "\\ud800" not in said
        assert len(said) < 20_000
        assert seen.digest()


def test_of_ports_of_containers_those_that_can_be_probed_by_a_connection_are_kept() -> None:
    ports = [{"containerPort": 53, "protocol": "UDP"}, {"containerPort": 80}, {"containerPort": 81, "protocol": "TCP"}]
    seen = SUMMARIES["pods"]({"metadata": {"name": "n"}, "spec": {"containers": [{"name": "dns", "ports": ports}]}})
    assert [part["ports"] for part in seen.data["parts"]] == [[80, 81]]


@pytest.mark.parametrize("written", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "1969-12-31T00:00:00Z"])
def test_times_that_no_database_keeps_are_none(written: str) -> None:
    assert SUMMARIES["pods"]({"metadata": {"name": "n", "creationTimestamp": written}}).created_at is None


def test_a_list_of_nonsense_takes_nothing_else_down(api_server: ApiServer) -> None:
    api_server.faults.add("answer", path="/api/v1/pods", status=200, body=b'{"items": [{"metadata": 7}, null, 3]}')
    api_server.faults.add("answer", path="/api/v1/services", status=200, body=b"<html>")
    cluster = RestCluster(api_server.access(), rules=LOOPBACK, limits=SHORT)
    found = observe(cluster, 10)
    cluster.close()
    assert found["pods"] == Observed([])
    assert "not JSON" in (found["services"].error or "")
    assert found["namespaces"].error is None
