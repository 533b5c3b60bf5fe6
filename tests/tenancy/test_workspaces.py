"""Workspaces: made, listed, read, changed and deleted."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.factory import create_app
from app.kernel.db import Database
from app.kernel.events import EventRecord
from app.tenancy import Activity, Workspace, WorkspaceInUse, before_deletion, hooks, tells_activity
from config.settings import Settings
from tests.support.identity import Person, data_of, error_of
from tests.support.tenancy import make_workspace

PATH = "/api/v1/workspaces"
REPOSITORY = "https://git.example.com/team/shop.git"


def create(client: FlaskClient, person: Person, path: str = PATH, **fields: Any) -> Any:
    return client.post(path, json={"name": "Web shop", **fields}, headers=person.headers)


def names(client: FlaskClient, person: Person, query: str = "", path: str = PATH) -> list[str]:
    return [row["name"] for row in data_of(client.get(path + query, headers=person.headers))]


def events_of(database: Database, workspace_id: str) -> list[tuple[str, dict[str, Any]]]:
    with database.transaction() as session:
        rows = session.scalars(select(EventRecord).order_by(EventRecord.created_at, EventRecord.id))
        return [(row.type, row.data) for row in rows if row.data.get("workspace_id") == workspace_id]


@pytest.fixture
def keep_hooks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a test register hooks that nobody else meets."""
    monkeypatch.setattr(hooks, "_objections", [])
    monkeypatch.setattr(hooks, "_readers", [])


def test_a_workspace_is_made_in_the_callers_own_organization(client: FlaskClient, alice: Person) -> None:
    made = data_of(create(client, alice, repository_url=REPOSITORY, description="The shop"), 201)
    assert (made["slug"], made["plan"], made["status"], made["branch"]) == ("web-shop", "standard", "active", "main")
    assert (made["organization_id"], made["owner_id"]) == (str(alice.organization_id), str(alice.user.id))
    assert (made["repository_url"], made["description"]) == (REPOSITORY, "The shop")
    assert (made["pipelines_count"], made["last_execution"]) == (0, None)
    assert data_of(client.get(f"{PATH}/{made['id']}", headers=alice.headers)) == made


def test_a_workspace_is_made_in_an_organization_that_body_or_path_names(
    client: FlaskClient, bob: Person, team: UUID
) -> None:
    by_body = data_of(create(client, bob, organization_id=str(team)), 201)
    by_path = data_of(create(client, bob, f"/api/v1/organizations/{team}/workspaces", name="Docs"), 201)
    assert {by_body["organization_id"], by_path["organization_id"]} == {str(team)}
    assert by_body["owner_id"] == str(bob.user.id)
    nested = f"/api/v1/organizations/{team}/workspaces/{by_path['id']}"
    assert data_of(client.get(nested, headers=bob.headers)) == by_path
    changed = data_of(client.patch(nested, json={"name": "Papers"}, headers=bob.headers))
    assert changed["name"] == "Papers"


def test_people_see_the_workspaces_of_their_organizations(
    client: FlaskClient, alice: Person, bob: Person, charlie: Person, team: UUID
) -> None:
    create(client, alice, name="Own")
    create(client, alice, name="Shared", organization_id=str(team))
    assert names(client, alice) == ["Shared", "Own"]
    assert names(client, bob) == ["Shared"]
    assert names(client, charlie) == []
    assert names(client, bob, path=f"/api/v1/organizations/{team}/workspaces") == ["Shared"]


def test_the_list_is_filtered_sorted_and_searched(client: FlaskClient, alice: Person, team: UUID) -> None:
    create(client, alice, name="B 100%", organization_id=str(team))
    sleeping = data_of(create(client, alice, name="A rest"), 201)["id"]
    client.patch(f"{PATH}/{sleeping}", json={"status": "inactive"}, headers=alice.headers)
    assert names(client, alice, "?sort=name") == ["A rest", "B 100%"]
    assert names(client, alice, "?sort=created_at") == ["B 100%", "A rest"]
    assert names(client, alice, "?status=inactive") == ["A rest"]
    assert names(client, alice, f"?organization_id={team}") == ["B 100%"]
    assert names(client, alice, "?search=B%20100") == ["B 100%"]
    assert names(client, alice, "?search=REST") == ["A rest"]
    assert names(client, alice, "?search=0%25") == ["B 100%"]
    assert names(client, alice, "?search=_") == []


@pytest.mark.parametrize("query", ["?status=gone", "?sort=plan", "?organization_id=7", "?owner=me", "?search="])
def test_a_list_asked_for_wrongly_is_refused(client: FlaskClient, alice: Person, query: str) -> None:
    assert error_of(client.get(PATH + query, headers=alice.headers), 422)["code"] == "VALIDATION_ERROR"


def test_a_change_merges(client: FlaskClient, alice: Person, database: Database) -> None:
    made = data_of(create(client, alice, repository_url=REPOSITORY), 201)
    changed = data_of(
        client.patch(f"{PATH}/{made['id']}", json={"branch": "next", "status": "inactive"}, headers=alice.headers)
    )
    expected = made | {"branch": "next", "status": "inactive", "updated_at": changed["updated_at"]}
    assert changed == expected
    assert changed["updated_at"] > made["updated_at"]
    assert [name for name, _ in events_of(database, made["id"])] == [
        "workspace.created",
        "workspace.updated",
        "workspace.status_changed",
    ]
    told = dict(events_of(database, made["id"]))
    assert told["workspace.updated"]["changed"] == ["branch", "status"]
    assert told["workspace.status_changed"]["new_status"] == "inactive"


def test_a_replacement_takes_defaults_for_what_is_left_out_and_keeps_the_slug(
    client: FlaskClient, alice: Person
) -> None:
    made = data_of(create(client, alice, repository_url=REPOSITORY, branch="next", plan="pro", description="x"), 201)
    replaced = data_of(client.put(f"{PATH}/{made['id']}", json={"name": "Mill"}, headers=alice.headers))
    assert (replaced["name"], replaced["slug"]) == ("Mill", "web-shop")
    assert (replaced["repository_url"], replaced["branch"], replaced["plan"]) == (None, "main", "standard")
    assert replaced["description"] is None


def test_a_change_that_changes_nothing_is_not_announced(client: FlaskClient, alice: Person, database: Database) -> None:
    made = data_of(create(client, alice), 201)
    data_of(client.patch(f"{PATH}/{made['id']}", json={"name": "Web shop"}, headers=alice.headers))
    assert [name for name, _ in events_of(database, made["id"])] == ["workspace.created"]


def test_a_deleted_workspace_is_gone(client: FlaskClient, alice: Person, database: Database) -> None:
    made = data_of(create(client, alice), 201)
    assert client.delete(f"{PATH}/{made['id']}", headers=alice.headers).status_code == 204
    error_of(client.get(f"{PATH}/{made['id']}", headers=alice.headers), 404)
    assert names(client, alice) == []
    assert events_of(database, made["id"])[-1] == (
        "workspace.deleted",
        {"organization_id": made["organization_id"], "workspace_id": made["id"], "name": "Web shop"},
    )


def test_a_workspace_that_a_room_needs_is_not_deleted(client: FlaskClient, alice: Person, keep_hooks: None) -> None:
    @before_deletion
    def object_always(_session: Session, _workspace: Workspace) -> None:
        raise WorkspaceInUse

    made = data_of(create(client, alice), 201)
    error = error_of(client.delete(f"{PATH}/{made['id']}", headers=alice.headers), 409)
    assert error["code"] == "RESOURCE_IN_USE"
    data_of(client.get(f"{PATH}/{made['id']}", headers=alice.headers))


def test_a_room_tells_what_goes_on_in_a_workspace(client: FlaskClient, alice: Person, keep_hooks: None) -> None:
    @tells_activity
    def tell(_session: Session, _workspace_id: UUID) -> Activity:
        return Activity(3, datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))

    made = data_of(create(client, alice), 201)
    read = data_of(client.get(f"{PATH}/{made['id']}", headers=alice.headers))
    assert (read["pipelines_count"], read["last_execution"]) == (3, "2026-01-02T03:04:05.000Z")


def test_a_slug_is_given_once_in_an_organization(client: FlaskClient, alice: Person, team: UUID) -> None:
    data_of(create(client, alice), 201)
    for name in ("Web shop", "WEB--SHOP"):
        error = error_of(create(client, alice, name=name), 409)
        assert (error["code"], error["details"]) == ("RESOURCE_ALREADY_EXISTS", {"field": "slug"})
    data_of(create(client, alice, slug="web-shop-2"), 201)
    data_of(create(client, alice, organization_id=str(team)), 201)
    docs = data_of(create(client, alice, name="Docs"), 201)
    error_of(client.patch(f"{PATH}/{docs['id']}", json={"slug": "web-shop"}, headers=alice.headers), 409)


def test_names_without_letters_of_ascii_get_a_slug_too(client: FlaskClient, alice: Person) -> None:
    slugs = {data_of(create(client, alice, name="水車"), 201)["slug"] for _ in range(2)}
    assert len(slugs) == 2
    assert all(slug.startswith("workspace-") for slug in slugs)


def test_a_change_of_a_workspace_that_has_changed_since_is_refused(client: FlaskClient, alice: Person) -> None:
    path = f"{PATH}/{data_of(create(client, alice), 201)['id']}"
    guarded = {**alice.headers, "If-Match": client.get(path, headers=alice.headers).headers["ETag"]}
    data_of(client.patch(path, json={"name": "First"}, headers=guarded))
    assert error_of(client.patch(path, json={"name": "Second"}, headers=guarded), 412)["code"] == "PRECONDITION_FAILED"
    error_of(client.delete(path, headers=guarded), 412)


def test_a_creation_sent_twice_with_one_key_makes_one_workspace(client: FlaskClient, alice: Person) -> None:
    headers = {**alice.headers, "Idempotency-Key": "once"}
    made = [data_of(client.post(PATH, json={"name": "Web shop"}, headers=headers), 201) for _ in range(2)]
    assert made[0] == made[1]
    assert names(client, alice) == ["Web shop"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"name": None}, "name"),
        ({"name": "a\x07"}, "name"),
        ({"slug": "Web_shop"}, "slug"),
        ({"slug": "x" * 64}, "slug"),
        ({"plan": "gold"}, "plan"),
        ({"status": "provisioning"}, "status"),
        ({"branch": "--upload-pack=x"}, "branch"),
        ({"branch": "a..b"}, "branch"),
        ({"branch": ""}, "branch"),
        ({"repository_url": "https://alice:secret@git.example.com/x.git"}, "repository_url"),
        ({"repository_url": "file:///srv/git/x.git"}, "repository_url"),
        ({"repository_url": "http://127.0.0.1:8080/x.git"}, "repository_url"),
        ({"repository_url": "ext::sh -c id"}, "repository_url"),
        ({"repository_url": 7}, "repository_url"),
        ({"organization_id": "7"}, "organization_id"),
        ({"owner_id": "01a2023e-0395-7dba-96ef-4079bcadc051"}, "owner_id"),
    ],
)
def test_a_change_that_is_not_valid_is_refused_by_field(
    client: FlaskClient, alice: Person, body: dict[str, Any], field: str
) -> None:
    path = f"{PATH}/{data_of(create(client, alice), 201)['id']}"
    error = error_of(client.patch(path, json=body, headers=alice.headers), 422)
    assert {fault["field"] for fault in error["errors"]} == {field}


def test_a_refused_address_is_not_repeated_in_the_answer(client: FlaskClient, alice: Person) -> None:
    refused = create(client, alice, repository_url="https://alice:hunter2@git.example.com/x.git")
    (fault,) = error_of(refused, 422)["errors"]
    assert "secrets" in fault["message"]
    assert "hunter2" not in refused.get_data(as_text=True)


def test_an_installation_may_allow_local_repositories(
    settings: Settings, alice: Person, database: Database, hints: Any
) -> None:
    open_settings = replace(settings, allow_file_repositories=True, allow_private_addresses=True)
    client = create_app(open_settings, sender=hints, database=database).test_client()
    for number, url in enumerate(("file:///srv/git/x.git", "http://127.0.0.1:8080/x.git")):
        made = data_of(create(client, alice, name=f"Local {number}", repository_url=url), 201)
        assert made["repository_url"] == url


def test_the_factory_of_the_tests_makes_what_the_routes_show(
    client: FlaskClient, alice: Person, database: Database
) -> None:
    workspace = make_workspace(database, alice, repository_url="file:///srv/git/x.git")
    read = data_of(client.get(f"{PATH}/{workspace.id}", headers=alice.headers))
    assert (read["id"], read["repository_url"]) == (str(workspace.id), "file:///srv/git/x.git")
