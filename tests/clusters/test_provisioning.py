"""Clusters that a provider makes: from the request to a connected cluster, and back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import update

from app.clusters import Cluster
from app.identity import Scope
from app.jobs import Job
from app.kernel.clock import sql_seconds
from app.kernel.db import Database
from tasks.clusters.gateways.providers.capi import CLUSTER
from tests.clusters.providers.worlds import CAPI_WISHES, EKS_WISHES, KEYS, Management, managing
from tests.support.clusters import API, Keeper, register
from tests.support.identity import Person, data_of, error_of
from tests.support.kubernetes import ApiServer
from tests.support.rights import give
from tests.support.secrets import tables_that_show
from tests.support.work import drain


@pytest.fixture
def management(
    client: FlaskClient, alice: Person, api_server: ApiServer, keeper: Keeper
) -> Iterator[tuple[str, Management]]:
    """A management cluster, registered and connected: its id, and its controllers."""
    with managing(api_server) as management:
        made = register(client, alice, api_server.access(), "management")
        keeper.drain()
        yield made["id"], management
        for body in management.cluster.list_page(CLUSTER).items:
            management.cluster.delete(CLUSTER, body["metadata"]["name"], body["metadata"]["namespace"])


def order(client: FlaskClient, person: Person, provider: str, name: str = "made", **body: Any) -> Any:
    organization = {"organization_id": str(person.organization_id)}
    return client.post(API, json={"name": name, "provider": provider, **organization, **body}, headers=person.headers)


def fields_of(response: Any) -> dict[str, str]:
    return {fault["field"]: fault["message"] for fault in error_of(response, 422)["errors"]}


def go_on(keeper: Keeper, job_id: str) -> str:
    """Let a job's time come, run it, and return its status."""
    job = keeper.job(job_id)
    with keeper.database.transaction() as session:
        merged = session.merge(job)
        merged.scheduled_for = merged.created_at
    drain(keeper.database, keeper.tools, most=20)
    return keeper.job(job_id).status


def test_what_is_tried_again_has_as_much_time_as_the_first_try(
    client: FlaskClient, alice: Person, keeper: Keeper, management: tuple[str, Management]
) -> None:
    wishes = CAPI_WISHES | {"management_cluster_id": management[0]}
    made = data_of(order(client, alice, "capi", parameters=wishes), 202)
    assert go_on(keeper, made["job_id"]) == "queued"
    hours = sql_seconds(4 * 3600)
    with keeper.database.transaction() as session:
        session.execute(update(Job).values(created_at=Job.created_at - hours))
        session.execute(update(Cluster).values(updated_at=Cluster.updated_at - hours))
    assert go_on(keeper, made["job_id"]) == "failed"
    assert (keeper.job(made["job_id"]).error or {})["code"] == "PROVISIONING_TIMED_OUT"
    data_of(client.post(f"/api/v1/jobs/{made['job_id']}/retry", headers=alice.headers), 202)
    assert go_on(keeper, made["job_id"]) == "queued"


def test_a_cluster_is_ordered_made_connected_changed_and_taken_away(
    client: FlaskClient, alice: Person, keeper: Keeper, management: tuple[str, Management]
) -> None:
    management_id, controllers = management
    wishes = CAPI_WISHES | {"management_cluster_id": management_id}
    made = data_of(order(client, alice, "capi", parameters=wishes), 202)
    assert (made["status"], made["managed"]) == ("provisioning", True)
    assert go_on(keeper, made["job_id"]) == "queued"
    assert "Pending" in (keeper.job(made["job_id"]).message or "")
    controllers.progress()
    assert go_on(keeper, made["job_id"]) == "succeeded"
    path = f"{API}/{made['id']}"
    assert data_of(client.get(path, headers=alice.headers))["status"] == "connected"

    assert error_of(client.delete(f"{API}/{management_id}", headers=alice.headers), 409)["code"] == "RESOURCE_IN_USE"
    newer = client.patch(path, json={"parameters": wishes | {"version": "v1.32.0"}}, headers=alice.headers)
    assert data_of(newer)["status"] == "provisioning"
    keeper.drain()
    assert controllers.cluster.list_page(CLUSTER).items[0]["spec"]["topology"]["version"] == "v1.32.0"
    assert error_of(client.post(f"{path}/health-check", headers=alice.headers), 409)

    gone = data_of(client.delete(path, headers=alice.headers), 202)
    for _ in range(3):
        controllers.progress()
        if go_on(keeper, gone["job_id"]) == "succeeded":
            break
    assert error_of(client.get(path, headers=alice.headers), 404)
    assert controllers.cluster.list_page(CLUSTER).items == ()


def test_a_making_that_is_cancelled_or_fails_leaves_a_cluster_that_can_be_removed(
    client: FlaskClient, alice: Person, keeper: Keeper, management: tuple[str, Management]
) -> None:
    management_id, controllers = management
    wishes = CAPI_WISHES | {"management_cluster_id": management_id}
    made = data_of(order(client, alice, "capi", parameters=wishes), 202)
    keeper.drain()
    client.post(f"/api/v1/jobs/{made['job_id']}/cancel", headers=alice.headers)
    assert keeper.cluster(made["id"]).status == "error"
    gone = data_of(client.delete(f"{API}/{made['id']}", headers=alice.headers), 202)
    for _ in range(3):
        go_on(keeper, gone["job_id"])
    assert controllers.cluster.list_page(CLUSTER).items == ()


def test_a_management_cluster_is_used_by_those_who_may_write_to_it(
    client: FlaskClient,
    alice: Person,
    charlie: Person,
    keeper: Keeper,
    management: tuple[str, Management],
    database: Database,
) -> None:
    wishes = CAPI_WISHES | {"management_cluster_id": management[0]}
    assert error_of(order(client, charlie, "capi", parameters=wishes), 404)
    give(database, charlie, "cluster-admin", Scope("cluster", management[0]))
    # What a cluster makes belongs where it does.
    assert error_of(order(client, charlie, "capi", parameters=wishes), 404)


def test_what_a_provider_needs_is_told_and_held_against_what_is_given(
    client: FlaskClient, alice: Person, app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = {one["name"]: one for one in data_of(client.get("/api/v1/cluster-providers", headers=alice.headers))}
    assert set(told) == {"kubeconfig", "eks", "capi", "local"}
    assert told["eks"]["usable"]
    assert "ALLOW_LOCAL_CLUSTERS" in told["local"]["reason"]
    needed = {one["name"] for one in told["eks"]["fields"] if one["required"] and not one["secret"]}
    refused = fields_of(order(client, alice, "eks", parameters={"speed": 7}, credentials=KEYS))
    assert set(refused) == {"parameters.speed", *(f"parameters.{name}" for name in needed)}
    monkeypatch.setattr(app.extensions["headrace"], "allow_local_clusters", True)
    monkeypatch.setenv("PATH", "/nowhere")
    told = {one["name"]: one for one in data_of(client.get("/api/v1/cluster-providers", headers=alice.headers))}
    assert "k3d" in told["local"]["reason"]


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"region": "eu-central-1.evil.example.com/"}, "parameters.region"),
        ({"subnet_ids": []}, "parameters.subnet_ids"),
        ({"subnet_ids": ["x"]}, "parameters.subnet_ids"),
        ({"role_arn": "admin"}, "parameters.role_arn"),
        ({"version": "latest"}, "parameters.version"),
        ({"node_groups": [{"name": "a"}]}, "parameters.node_groups"),
        ({"node_groups": [{**EKS_WISHES["node_groups"][0], "desired": 9}]}, "parameters.node_groups"),
        ({"node_groups": [{**EKS_WISHES["node_groups"][0], "max": 10**15}]}, "parameters.node_groups"),
        ({"node_groups": [EKS_WISHES["node_groups"][0]] * 2}, "parameters.node_groups"),
        ({"node_groups": [7, "x"]}, "parameters.node_groups"),
        ({"node_groups": [{**EKS_WISHES["node_groups"][0], "min": -1}]}, "parameters.node_groups"),
    ],
)
def test_wishes_that_cannot_be_are_refused(
    client: FlaskClient, alice: Person, changed: dict[str, Any], field: str
) -> None:
    reply = order(client, alice, "eks", parameters=EKS_WISHES | changed, credentials=KEYS)
    assert set(fields_of(reply)) == {field}


def test_a_providers_secrets_are_sealed_and_never_shown(client: FlaskClient, alice: Person, database: Database) -> None:
    reply = order(client, alice, "eks", parameters=EKS_WISHES, credentials=KEYS)
    made = data_of(reply, 202)
    assert made["parameters"] == EKS_WISHES
    shown = client.get(f"{API}/{made['id']}", headers=alice.headers).get_data(as_text=True)
    assert KEYS["secret_access_key"] not in reply.get_data(as_text=True) + shown
    assert tables_that_show(database, KEYS["secret_access_key"]) == []
    moved = client.patch(
        f"{API}/{made['id']}", json={"parameters": EKS_WISHES | {"region": "us-east-1"}}, headers=alice.headers
    )
    assert "parameters.region" in fields_of(moved)


def test_a_provider_that_cannot_be_used_here_is_refused(client: FlaskClient, alice: Person) -> None:
    assert "ALLOW_LOCAL_CLUSTERS" in fields_of(order(client, alice, "local"))["provider"]
    assert "parameters" in fields_of(order(client, alice, "aws", server="https://a.example", token="t", parameters={}))
    assert "kubeconfig" in fields_of(order(client, alice, "eks", server="https://a.example", token="t"))
