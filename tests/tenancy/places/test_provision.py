"""Workspaces that are put on a cluster: what is there then, and what is told meanwhile."""

from __future__ import annotations

from uuid import uuid4

import pytest
from flask import Flask

from app.kernel.db import Database
from tasks.clusters.gateways.kubernetes import kinds
from tests.support.identity import data_of, error_of, join, make_person
from tests.support.places import Yard, make_cluster

pytestmark = pytest.mark.slow


def test_a_workspace_with_a_cluster_is_put_there_by_a_job(yard: Yard) -> None:
    made = yard.place()
    assert (made["status"], made["cluster_id"], made["isolation"]) == (
        "provisioning",
        str(yard.cluster_id),
        "namespace",
    )
    assert [phase["status"] for phase in made["provisioning"]["phases"]] == ["pending"] * 7
    yard.work()
    found = yard.workspace(made["id"])
    assert (found["status"], found["provisioning"]["status"]) == ("active", "succeeded")
    assert {phase["status"] for phase in found["provisioning"]["phases"]} == {"done"}
    assert all(phase["seconds"] >= 0 for phase in found["provisioning"]["phases"])
    job = yard.job(made["job_id"])
    assert (job.status, job.percent, job.kind) == ("succeeded", 100.0, "workspaces.provision")


def test_its_namespace_has_all_that_it_has_to(yard: Yard) -> None:
    found = yard.placed()
    space = found["namespace"]
    assert space.startswith("ws-web-shop-")
    assert yard.namespaces() == [space, f"{space}-access"]
    labels = yard.cluster.get(kinds.NAMESPACE, space)["metadata"]["labels"]
    assert labels["tenancy.headrace/workspace"] == found["id"]
    hard = yard.cluster.get(kinds.RESOURCE_QUOTA, "headrace", space)["status"]["hard"]
    assert (hard["requests.cpu"], hard["limits.memory"], hard["pods"]) == ("8", "16Gi", "100")
    policies = {one["metadata"]["name"] for one in yard.cluster.list_page(kinds.NETWORK_POLICY, space).items}
    assert policies == {"headrace-default-deny", "headrace-same-namespace", "headrace-dns"}
    assert yard.subjects(space, "admin") == [f"member-{yard.alice.user.id.hex}"]
    assert (yard.subjects(space, "edit"), yard.subjects(space, "view")) == ([], [])
    assert not yard.has(kinds.POD, "headrace-verify", space)


def test_members_of_the_organization_are_let_in_by_what_they_may(yard: Yard, app: Flask, database: Database) -> None:
    people = {role: make_person(app, database, role) for role in ("admin", "member", "viewer")}
    for role, person in people.items():
        join(database, person, yard.alice.organization_id, role)
    space = yard.placed()["namespace"]
    expected = {"admin": ["admin"], "edit": ["member"], "view": ["viewer"]}
    for role, names in expected.items():
        accounts = {f"member-{people[name].user.id.hex}" for name in names}
        assert set(yard.subjects(space, role)) - {f"member-{yard.alice.user.id.hex}"} == accounts


def test_how_far_it_is_is_told_with_the_time_of_each_phase(yard: Yard) -> None:
    made = yard.placed()
    told = [event for event in yard.events("provisioning.progress") if event["workspace_id"] == made["id"]]
    names = [phase["name"] for phase in made["provisioning"]["phases"]]
    assert list(dict.fromkeys(event["phase"] for event in told)) == names
    percents = [event["percent"] for event in told]
    assert percents == sorted(percents)
    (completed,) = yard.events("provisioning.completed")
    assert (completed["percent"], sorted(completed["seconds"])) == (100.0, sorted(names))
    statuses = [(event["previous_status"], event["new_status"]) for event in yard.events("workspace.status_changed")]
    assert statuses == [("active", "provisioning"), ("provisioning", "active")]


def test_with_an_isolation_alone_a_cluster_of_the_organization_is_chosen(yard: Yard) -> None:
    body = {"name": "Chosen", "isolation": "namespace"}
    made = data_of(yard.ask("POST", "/workspaces", body), 202)
    assert made["cluster_id"] == str(yard.cluster_id)


def test_without_a_cluster_to_choose_it_is_refused(yard: Yard, app: Flask, database: Database) -> None:
    charlie = make_person(app, database, "charlie")
    refused = yard.ask("POST", "/workspaces", {"name": "No place", "isolation": "namespace"}, person=charlie)
    assert error_of(refused, 422)["errors"][0]["field"] == "isolation"


def test_a_cluster_of_another_organization_does_not_exist(yard: Yard, app: Flask, database: Database) -> None:
    charlie = make_person(app, database, "charlie")
    theirs = make_cluster(app, database, charlie, yard.access)
    for cluster_id in (theirs, uuid4()):
        refused = yard.ask("POST", "/workspaces", {"name": "Theirs", "cluster_id": str(cluster_id)})
        assert error_of(refused, 404)["details"] == {"resource_type": "cluster", "resource_id": str(cluster_id)}


def test_who_may_not_make_namespaces_puts_nothing_on_a_cluster(yard: Yard, app: Flask, database: Database) -> None:
    bob = make_person(app, database, "bob")
    join(database, bob, yard.alice.organization_id, "member")
    body = {"name": "Bob's", "organization_id": str(yard.alice.organization_id), "cluster_id": str(yard.cluster_id)}
    error = error_of(yard.ask("POST", "/workspaces", body, person=bob), 403)
    assert error["details"] == {"required_permission": "namespaces:write"}


def test_a_cluster_with_workspaces_stays(yard: Yard) -> None:
    yard.placed()
    assert error_of(yard.ask("DELETE", f"/clusters/{yard.cluster_id}"), 409)["code"] == "RESOURCE_IN_USE"
