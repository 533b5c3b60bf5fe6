"""Projects on a cluster: each a namespace, with a share that its parent gives up, and with members of its own."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask

from app.kernel.db import Database
from tasks.clusters.gateways.kubernetes import kinds
from tests.clusters.contract.world import pod
from tests.support.identity import Person, data_of, error_of, join, make_person
from tests.support.kubernetes import ApiServer
from tests.support.places import Yard

pytestmark = pytest.mark.slow

HALF = {"cpu": "4", "memory": "8Gi", "storage": "50Gi", "pods": 50, "services": 25, "persistent_volume_claims": 10}


def hard_of(yard: Yard, namespace: str) -> dict[str, str]:
    hard: dict[str, str] = yard.cluster.get(kinds.RESOURCE_QUOTA, "headrace", namespace)["spec"]["hard"]
    return hard


def test_a_project_is_a_namespace_with_its_share_which_the_workspace_gives_up(yard: Yard) -> None:
    found = yard.placed()
    project = yard.project(found["id"], "front", resource_quota=HALF, labels={"team": "web"})
    assert (project["status"], project["resource_quota"]["cpu"]) == ("active", "4")
    space = project["namespace"]
    assert space.startswith("pr-front-")
    assert yard.cluster.get(kinds.NAMESPACE, space)["metadata"]["labels"]["team"] == "web"
    assert (hard_of(yard, space)["requests.cpu"], hard_of(yard, found["namespace"])["requests.cpu"]) == ("4", "4")
    assert yard.has(kinds.NETWORK_POLICY, "headrace-default-deny", space)
    assert yard.subjects(space, "admin") == [f"member-{yard.alice.user.id.hex}"]


def test_a_tree_of_projects_never_has_more_than_the_plan(yard: Yard) -> None:
    found = yard.placed()
    front = yard.project(found["id"], "front", resource_quota=HALF)
    path = f"/workspaces/{found['id']}/projects/{front['id']}"
    below = data_of(yard.ask("POST", f"{path}/subprojects", {"name": "page", "resource_quota": {"cpu": "3"}}), 202)
    yard.work()
    spaces = [found["namespace"], front["namespace"], below["namespace"]]
    assert [hard_of(yard, space)["limits.cpu"] for space in spaces] == ["4", "1", "3"]
    tree = data_of(yard.ask("GET", f"{path}/hierarchy"))
    assert [child["name"] for child in tree["children"]] == ["page"]


def test_projects_that_are_made_at_once_leave_the_workspace_what_none_of_them_has(yard: Yard) -> None:
    found = yard.placed()
    path = f"/workspaces/{found['id']}/projects"
    for name in ("a", "b", "c"):
        data_of(yard.ask("POST", path, {"name": name, "resource_quota": {"cpu": "2"}}), 202)
    yard.work()
    assert hard_of(yard, found["namespace"])["requests.cpu"] == "2"
    refused = yard.ask("POST", path, {"name": "d", "resource_quota": {"cpu": "3"}})
    error = error_of(refused, 422)
    assert (error["code"], error["errors"][0]["field"]) == ("QUOTA_EXCEEDED", "resource_quota.cpu")


def test_a_share_that_is_in_use_is_not_given_away(yard: Yard, server: ApiServer) -> None:
    found = yard.placed()
    large = {"requests": {"cpu": "6", "memory": "1Gi"}, "limits": {"cpu": "6", "memory": "1Gi"}}
    yard.cluster.create(kinds.POD, pod(found["namespace"], resources=large))
    server.controllers.settle()
    project = yard.project(found["id"], "front", resource_quota=HALF)
    assert (project["status"], project["provisioning"]["error"]["code"]) == ("failed", "QUOTA_BELOW_USE")
    assert not yard.has(kinds.NAMESPACE, project["namespace"])


def test_another_quota_and_other_labels_are_put_on_the_cluster(yard: Yard) -> None:
    found = yard.placed()
    project = yard.project(found["id"], "front", resource_quota=HALF, labels={"team": "web", "old": "yes"})
    path = f"/workspaces/{found['id']}/projects/{project['id']}"
    change = {"resource_quota": {"cpu": "6"}, "labels": {"team": "site"}, "description": "The front"}
    told = data_of(yard.ask("PATCH", path, change), 202)
    yard.work()
    assert yard.job(told["job_id"]).status == "succeeded"
    assert (hard_of(yard, project["namespace"])["pods"], hard_of(yard, project["namespace"])["limits.cpu"]) == (
        "50",
        "6",
    )
    assert hard_of(yard, found["namespace"])["limits.cpu"] == "2"
    labels = yard.cluster.get(kinds.NAMESPACE, project["namespace"])["metadata"]["labels"]
    assert (labels["team"], "old" in labels) == ("site", False)


def test_a_change_that_fails_leaves_all_as_it_was(yard: Yard, server: ApiServer) -> None:
    found = yard.placed()
    project = yard.project(found["id"], "front", resource_quota=HALF)
    large = {"requests": {"cpu": "3", "memory": "1Gi"}, "limits": {"cpu": "3", "memory": "1Gi"}}
    yard.cluster.create(kinds.POD, pod(project["namespace"], resources=large))
    server.controllers.settle()
    path = f"/workspaces/{found['id']}/projects/{project['id']}"
    told = data_of(yard.ask("PATCH", path, {"resource_quota": {"cpu": "2"}}), 202)
    yard.work()
    assert yard.job(told["job_id"]).error["code"] == "QUOTA_BELOW_USE"  # type: ignore[index]
    after = data_of(yard.ask("GET", path))
    assert (after["status"], after["resource_quota"]["cpu"]) == ("active", "4")
    assert [hard_of(yard, one["namespace"])["limits.cpu"] for one in (found, project)] == ["4", "4"]


def test_a_description_needs_no_cluster(yard: Yard) -> None:
    found = yard.placed()
    project = yard.project(found["id"], "front")
    path = f"/workspaces/{found['id']}/projects/{project['id']}"
    assert data_of(yard.ask("PATCH", path, {"description": "x"}))["description"] == "x"


def test_a_deleted_project_gives_its_share_back(yard: Yard) -> None:
    found = yard.placed()
    project = yard.project(found["id"], "front", resource_quota=HALF)
    path = f"/workspaces/{found['id']}/projects/{project['id']}"
    below = data_of(yard.ask("POST", f"{path}/subprojects", {"name": "page"}), 202)
    yard.work()
    assert error_of(yard.ask("DELETE", path), 409)["code"] == "RESOURCE_IN_USE"
    for one in (f"/workspaces/{found['id']}/projects/{below['id']}", path):
        data_of(yard.ask("DELETE", one), 202)
        yard.work()
        error_of(yard.ask("GET", one), 404)
    assert yard.namespaces() == [found["namespace"], f"{found['namespace']}-access"]
    assert hard_of(yard, found["namespace"])["limits.cpu"] == "8"


def member_of(app: Flask, database: Database, yard: Yard, name: str, role: str) -> Person:
    person = make_person(app, database, name)
    join(database, person, yard.alice.organization_id, role)
    return person


def test_members_of_a_project_have_a_role_there_and_nowhere_else(yard: Yard, app: Flask, database: Database) -> None:
    victor = member_of(app, database, yard, "victor", "viewer")
    found = yard.placed()
    project = yard.project(found["id"], "front")
    members = f"/workspaces/{found['id']}/projects/{project['id']}/members"
    roles = {"admin": "admin", "developer": "edit", "viewer": "view"}
    account = f"member-{victor.user.id.hex}"
    data_of(yard.ask("POST", members, {"user_id": str(victor.user.id), "role": "viewer"}), 201)
    for role, bound in roles.items():
        data_of(yard.ask("PUT", f"{members}/{victor.user.id}", {"role": role}))
        settle(yard)
        assert account in yard.subjects(project["namespace"], bound)
        assert bound == "view" or account not in yard.subjects(found["namespace"], bound)
    assert yard.ask("DELETE", f"{members}/{victor.user.id}").status_code == 204
    settle(yard)
    assert account not in yard.subjects(project["namespace"], "admin")


def test_a_member_of_a_project_is_one_of_its_workspace(yard: Yard, app: Flask, database: Database) -> None:
    found = yard.placed()
    project = yard.project(found["id"], "front")
    members = f"/workspaces/{found['id']}/projects/{project['id']}/members"
    stranger = make_person(app, database, "stranger")
    body: dict[str, Any] = {"user_id": str(stranger.user.id), "role": "viewer"}
    error_of(yard.ask("POST", members, body), 404)


def settle(yard: Yard) -> None:
    yard.dispatch()
    yard.work()
