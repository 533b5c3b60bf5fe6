"""Projects of a workspace without a cluster: made, nested, bounded, changed, deleted; and bad input."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import pytest
from flask.testing import FlaskClient

from tests.support.identity import Person, data_of, error_of

API = "/api/v1/workspaces"


@pytest.fixture
def path(client: FlaskClient, alice: Person, team: UUID) -> str:
    """The path of the projects of the team's workspace, which has the standard plan."""
    body = {"name": "Web shop", "organization_id": str(team)}
    return f"{API}/{data_of(client.post(API, json=body, headers=alice.headers), 201)['id']}/projects"


def make(client: FlaskClient, person: Person, path: str, name: str = "front", **fields: Any) -> Any:
    return client.post(path, json={"name": name, **fields}, headers=person.headers)


def test_a_project_is_made_at_once_and_gets_a_small_share(client: FlaskClient, alice: Person, path: str) -> None:
    made = data_of(make(client, alice, path, labels={"team": "web"}), 201)
    assert (made["status"], made["namespace"], made["depth"], made["provisioning"]) == ("active", None, 1, None)
    assert made["resource_quota"] == {
        "cpu": "1",
        "memory": "2Gi",
        "storage": "10Gi",
        "pods": "10",
        "services": "5",
        "persistent_volume_claims": "5",
    }
    assert data_of(client.get(f"{path}/{made['id']}", headers=alice.headers)) == made
    assert [one["id"] for one in data_of(client.get(path, headers=alice.headers))] == [made["id"]]


def test_projects_are_nested_five_deep(client: FlaskClient, alice: Person, path: str) -> None:
    quota = {"cpu": "2", "memory": "2Gi"}
    above = data_of(make(client, alice, path, "p1", resource_quota=quota), 201)
    for depth in range(2, 6):
        below = make(client, alice, f"{path}/{above['id']}/subprojects", f"p{depth}", resource_quota=quota)
        above = data_of(below, 201)
        assert above["depth"] == depth
    refused = error_of(make(client, alice, path, "p6", parent_id=above["id"]), 422)
    assert refused["errors"][0]["field"] == "parent_id"


def test_children_have_no_more_than_their_parent_together(client: FlaskClient, alice: Person, path: str) -> None:
    above = data_of(make(client, alice, path, "above", resource_quota={"cpu": "2"}), 201)
    children = f"{path}/{above['id']}/subprojects"
    data_of(make(client, alice, children, "one", resource_quota={"cpu": "1500m"}), 201)
    error = error_of(make(client, alice, children, "two", resource_quota={"cpu": "600m"}), 422)
    assert (error["code"], error["errors"][0]["field"]) == ("QUOTA_EXCEEDED", "resource_quota.cpu")
    smaller = client.patch(f"{path}/{above['id']}", json={"resource_quota": {"cpu": "1"}}, headers=alice.headers)
    assert error_of(smaller, 422)["code"] == "QUOTA_EXCEEDED"
    larger = client.patch(f"{path}/{above['id']}", json={"resource_quota": {"cpu": "9"}}, headers=alice.headers)
    assert error_of(larger, 422)["code"] == "QUOTA_EXCEEDED"


def test_a_plan_below_what_projects_have_is_refused(client: FlaskClient, alice: Person, path: str) -> None:
    data_of(make(client, alice, path, resource_quota={"cpu": "6"}), 201)
    workspace = path.removesuffix("/projects")
    error = error_of(client.patch(workspace, json={"plan": "free"}, headers=alice.headers), 422)
    assert (error["code"], error["errors"][0]["field"]) == ("QUOTA_EXCEEDED", "plan")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"name": "x" * 64}, "name"),
        ({"name": "Front"}, "name"),
        ({"name": "-front"}, "name"),
        ({"name": "front."}, "name"),
        ({"name": "../kube-system"}, "name"),
        ({"resource_quota": {"cpu": "-1"}}, "resource_quota.cpu"),
        ({"resource_quota": {"cpu": -1}}, "resource_quota.cpu"),
        ({"resource_quota": {"memory": "1e30"}}, "resource_quota.memory"),
        ({"resource_quota": {"memory": 1e30}}, "resource_quota.memory"),
        ({"resource_quota": {"pods": "1.5"}}, "resource_quota.pods"),
        ({"resource_quota": {"gpu": "1"}}, "resource_quota.gpu"),
        ({"labels": {"app.kubernetes.io/managed-by": "me"}}, "labels"),
        ({"labels": {"tenancy.headrace/workspace": "mine"}}, "labels"),
        ({"labels": {"pod-security.kubernetes.io/enforce": "privileged"}}, "labels"),
        ({"labels": {"team": "x" * 64}}, "labels"),
        ({"labels": {f"l{number}": "x" for number in range(33)}}, "labels"),
        ({"namespace": "kube-system"}, "namespace"),
    ],
)
def test_what_is_not_valid_is_refused_by_its_field(
    client: FlaskClient, alice: Person, path: str, body: dict[str, Any], field: str
) -> None:
    error = error_of(client.post(path, json={"name": "front", **body}, headers=alice.headers), 422)
    assert {fault["field"].split("[")[0] for fault in error["errors"]} == {field}


def test_a_name_is_taken_once_in_a_workspace(client: FlaskClient, alice: Person, path: str) -> None:
    data_of(make(client, alice, path), 201)
    assert error_of(make(client, alice, path), 409)["code"] == "RESOURCE_ALREADY_EXISTS"


def test_a_parent_is_of_the_same_workspace(client: FlaskClient, alice: Person, path: str, team: UUID) -> None:
    other = data_of(client.post(API, json={"name": "Other"}, headers=alice.headers), 201)
    theirs = data_of(make(client, alice, f"{API}/{other['id']}/projects"), 201)
    for parent_id in (theirs["id"], str(uuid4())):
        error = error_of(make(client, alice, path, "child", parent_id=parent_id), 404)
        assert error["details"] == {"resource_type": "project", "resource_id": parent_id}
    error_of(client.get(f"{path}/{theirs['id']}", headers=alice.headers), 404)


def test_a_project_is_replaced_changed_and_deleted(client: FlaskClient, alice: Person, path: str) -> None:
    made = data_of(make(client, alice, path, labels={"a": "b"}, description="x"), 201)
    one = f"{path}/{made['id']}"
    changed = data_of(client.patch(one, json={"resource_quota": {"cpu": "2"}}, headers=alice.headers))
    assert (changed["resource_quota"]["cpu"], changed["labels"]) == ("2", {"a": "b"})
    replaced = data_of(client.put(one, json={"name": "back"}, headers=alice.headers))
    assert (replaced["name"], replaced["labels"], replaced["description"]) == ("back", {}, None)
    assert replaced["resource_quota"]["cpu"] == "2"
    below = data_of(make(client, alice, f"{one}/subprojects", "below"), 201)
    assert error_of(client.delete(one, headers=alice.headers), 409)["code"] == "RESOURCE_IN_USE"
    for gone in (f"{path}/{below['id']}", one):
        assert client.delete(gone, headers=alice.headers).status_code == 204
        error_of(client.get(gone, headers=alice.headers), 404)


def test_viewers_read_members_make_and_administrators_delete(
    client: FlaskClient, alice: Person, bob: Person, victor: Person, charlie: Person, path: str
) -> None:
    made = data_of(make(client, bob, path), 201)
    one = f"{path}/{made['id']}"
    data_of(client.get(one, headers=victor.headers))
    assert error_of(make(client, victor, path, "x"), 403)["details"] == {"required_permission": "projects:write"}
    assert error_of(client.delete(one, headers=bob.headers), 403)["details"] == {
        "required_permission": "projects:delete"
    }
    error_of(client.get(one, headers=charlie.headers), 404)
    error_of(make(client, charlie, path, "x"), 404)


def test_what_a_project_uses_is_known_on_a_cluster_alone(client: FlaskClient, alice: Person, path: str) -> None:
    made = data_of(make(client, alice, path), 201)
    error = error_of(client.get(f"{path}/{made['id']}/resource-usage", headers=alice.headers), 409)
    assert error["code"] == "WORKSPACE_NOT_READY"
