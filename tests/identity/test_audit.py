"""The audit log: what is written, by whom it is read, and that nobody changes it."""

from __future__ import annotations

import csv
import io
import json
from typing import Any
from uuid import UUID

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select, text
from sqlalchemy.exc import DBAPIError

from app.http import audit as frame
from app.kernel.audit import AuditEntry, make_audit_partitions
from app.kernel.db import Database
from tests.support.identity import PASSWORD, Person, data_of, error_of, join, make_person
from tests.support.tenancy import make_workspace

LOG = "/api/v1/admin/audit-log"
CANARY = "canary-that-must-not-be-told"


@pytest.fixture(autouse=True)
def an_empty_log(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests whose transactions really commit leave entries: within this test's transaction they are gone."""
    monkeypatch.setattr(frame, "_refusals", frame.Refusals())
    with database.transaction() as session:
        session.execute(text("SET LOCAL session_replication_role = replica"))
        session.execute(text("DELETE FROM audit_log"))
        session.execute(text("SET LOCAL session_replication_role = origin"))


@pytest.fixture
def root(app: Flask, database: Database) -> Person:
    return make_person(app, database, "root-admin", role="admin")


@pytest.fixture
def path(database: Database, alice: Person) -> str:
    return f"/api/v1/workspaces/{make_workspace(database, alice).id}"


def entries(client: FlaskClient, root: Person, query: str = "") -> list[dict[str, Any]]:
    listed: list[dict[str, Any]] = data_of(client.get(f"{LOG}?limit=100&{query}", headers=root.headers))
    return listed


def test_a_change_is_logged_with_what_was_and_what_is(
    client: FlaskClient, alice: Person, root: Person, path: str
) -> None:
    headers = alice.headers | {"User-Agent": "tests/1", "X-Request-ID": "the-request"}
    data_of(client.patch(path, json={"name": "New", "plan": "pro"}, headers=headers))
    (entry,) = entries(client, root)
    assert entry["changes"] == {"name": ["Web shop", "New"], "plan": ["standard", "pro"]}
    assert (entry["actor"], entry["actor_id"], entry["key_id"]) == ("alice", str(alice.user.id), None)
    assert (entry["action"], entry["operation"]) == (
        "workspaces:write",
        "PATCH /api/v1/workspaces/<uuid:workspace_id>",
    )
    assert (entry["resource_type"], entry["resource_id"]) == ("workspace", path.rpartition("/")[2])
    assert (entry["outcome"], entry["change"], entry["count"]) == ("succeeded", "updated", 1)
    assert (entry["address"], entry["user_agent"], entry["request_id"]) == ("127.0.0.1", "tests/1", "the-request")
    assert entry["organization_id"] == str(alice.organization_id)


def test_a_moment_that_the_database_sets_is_logged_too(client: FlaskClient, alice: Person, root: Person) -> None:
    path = f"/api/v1/admin/users/{alice.user.id}"
    data_of(client.patch(f"{path}/disable", headers=root.headers))
    data_of(client.patch(f"{path}/enable", headers=root.headers))
    enabled, disabled = entries(client, root, f"resource_id={alice.user.id}")
    assert disabled["changes"] == {"disabled_at": [None, "(by the database)"]}
    assert enabled["changes"]["disabled_at"][1] is None


def test_the_keys_of_a_disabled_user_and_of_a_removed_member_are_logged_as_revoked(
    client: FlaskClient, app: Flask, alice: Person, root: Person, database: Database
) -> None:
    bob = make_person(app, database, "bob")
    join(database, bob, alice.organization_id, "admin")
    own, theirs = "/api/v1/api-keys", f"/api/v1/organizations/{alice.organization_id}/api-keys"
    body = {"name": "k", "scopes": ["jobs:read"]}
    made = [data_of(client.post(path, json=body, headers=bob.headers), 201)["id"] for path in (own, theirs)]
    member = f"/api/v1/organizations/{alice.organization_id}/members/{bob.user.id}"
    assert client.delete(member, headers=alice.headers).status_code == 204
    data_of(client.patch(f"/api/v1/admin/users/{bob.user.id}/disable", headers=root.headers))
    for key_id, actor in zip(made, ("root-admin", "alice"), strict=True):
        entry = entries(client, root, f"resource_id={key_id}")[0]
        assert (entry["resource_type"], entry["actor"], entry["change"]) == ("api_key", actor, "updated")
        assert list(entry["changes"]) == ["revoked_at"]


def test_what_is_made_and_deleted_is_logged(client: FlaskClient, alice: Person, root: Person) -> None:
    made = data_of(client.post("/api/v1/workspaces", json={"name": "W"}, headers=alice.headers), 201)
    assert client.delete(f"/api/v1/workspaces/{made['id']}", headers=alice.headers).status_code == 204
    deleted, created = entries(client, root, f"resource_id={made['id']}")
    assert (created["change"], created["changes"]["name"]) == ("created", [None, "W"])
    assert (deleted["change"], deleted["changes"]["name"]) == ("deleted", ["W", None])


def test_a_login_and_a_logout_are_logged_by_name(client: FlaskClient, alice: Person, root: Person) -> None:
    body = {"username": "alice", "password": PASSWORD}
    logged_in = data_of(client.post("/api/v1/auth/login", json=body))
    (entry,) = entries(client, root, "resource_type=login_session")
    assert (entry["action"], entry["actor"], entry["resource_type"]) == ("auth:login", "alice", "login_session")
    client.post("/api/v1/auth/logout", headers={"Authorization": f"Bearer {logged_in['access_token']}"})
    assert entries(client, root)[0]["changes"] == {"end_reason": [None, "logout"]}


def test_what_changes_no_row_that_is_looked_at_is_logged_all_the_same(
    client: FlaskClient, alice: Person, root: Person, database: Database
) -> None:
    workspace = make_workspace(database, alice, repository_url="https://git.example.com/team/shop.git")
    definition = {"name": "shop", "stages": [{"name": "a", "steps": [{"name": "b", "run": "true"}]}]}
    pipelines = f"/api/v1/workspaces/{workspace.id}/pipelines"
    pipeline = data_of(client.post(pipelines, json=definition, headers=alice.headers), 201)
    started = f"/api/v1/pipelines/{pipeline['id']}/executions"
    data_of(client.post(started, json={}, headers=alice.headers | {"Idempotency-Key": "once"}), 202)
    entry = entries(client, root)[0]
    assert (entry["action"], entry["resource_type"], entry["resource_id"]) == (
        "executions:run",
        "pipeline",
        pipeline["id"],
    )


def test_no_secret_gets_into_the_log(client: FlaskClient, alice: Person, root: Person, path: str) -> None:
    client.post(f"{path}/secrets", json={"name": "TOKEN", "value": CANARY}, headers=alice.headers)
    client.put(f"{path}/secrets/TOKEN", json={"value": CANARY + "2"}, headers=alice.headers)
    key = data_of(
        client.post("/api/v1/api-keys", json={"name": "k", "scopes": ["jobs:read"]}, headers=alice.headers), 201
    )["key"]
    passwords = {"current_password": PASSWORD, "new_password": CANARY}
    assert client.post("/api/v1/auth/change-password", json=passwords, headers=alice.headers).status_code == 204
    client.post("/api/v1/auth/login", json={"username": CANARY, "password": CANARY})
    said = json.dumps(entries(client, root))
    assert CANARY not in said
    assert key not in said
    assert PASSWORD not in said
    hidden = [entry["changes"] for entry in entries(client, root, "resource_type=user")]
    assert hidden == [{"password_hash": ["(hidden)", "(hidden)"]}]


def test_what_is_rolled_back_is_not_logged(client: FlaskClient, alice: Person, root: Person, path: str) -> None:
    client.post("/api/v1/workspaces", json={"name": "Other", "slug": "other"}, headers=alice.headers)
    before = len(entries(client, root))
    assert client.patch(path, json={"slug": "other"}, headers=alice.headers).status_code == 409
    assert len(entries(client, root)) == before
    data_of(client.get(path, headers=alice.headers))
    assert len(entries(client, root)) == before


def test_a_refusal_is_logged_to_the_organization_whose_thing_it_was(
    client: FlaskClient, app: Flask, alice: Person, root: Person, path: str, database: Database
) -> None:
    victor, charlie = make_person(app, database, "victor"), make_person(app, database, "charlie")
    join(database, victor, alice.organization_id, "viewer")
    client.delete(path, headers=victor.headers)
    client.get(path, headers=charlie.headers)
    client.get(path)
    log = data_of(client.get(f"/api/v1/organizations/{alice.organization_id}/audit-log", headers=alice.headers))
    told = [(entry["actor"], entry["action"], entry["code"], entry["outcome"]) for entry in log]
    assert told == [
        ("charlie", "workspaces:read", "RESOURCE_NOT_FOUND", "refused"),
        ("victor", "workspaces:delete", "INSUFFICIENT_PERMISSIONS", "refused"),
    ]
    assert {entry["resource_id"] for entry in log} == {path.rpartition("/")[2]}
    (nobody,) = entries(client, root, "outcome=refused&action=workspaces:read&start_date=2020-01-01")[:1]
    assert (nobody["actor"], nobody["code"]) == (None, "AUTH_REQUIRED")


def test_the_same_refusal_is_written_once_a_minute_with_how_many_there_were(
    client: FlaskClient, alice: Person, root: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [1000.0]
    monkeypatch.setattr(frame.time, "monotonic", lambda: clock[0])
    path = f"/api/v1/jobs/{UUID(int=7)}"
    for _ in range(5):
        assert client.get(path, headers=alice.headers).status_code == 404
    assert [entry["count"] for entry in entries(client, root)] == [1]
    clock[0] += 61
    client.get(path, headers=alice.headers)
    assert sorted(entry["count"] for entry in entries(client, root)) == [1, 1, 4]


def test_there_is_a_bound_to_what_is_written_of_refusals() -> None:
    refusals = frame.Refusals()

    def refuse(times: int, who: str = "") -> int:
        return sum(len(refusals.admit((who or number, "DELETE /", str(number)), {})) for number in range(times))

    assert refuse(frame.MOST_OF_ONE + 50, "noisy") == frame.MOST_OF_ONE
    assert refuse(1, "quiet") == 1
    assert refuse(frame.MOST_IN_WINDOW) == frame.MOST_IN_WINDOW - frame.MOST_OF_ONE - 1
    assert refuse(frame.MOST_KNOWN * 2) == 0
    assert len(refusals._windows) <= frame.MOST_KNOWN


def test_a_login_that_fails_is_logged_without_what_was_tried(client: FlaskClient, alice: Person, root: Person) -> None:
    error_of(client.post("/api/v1/auth/login", json={"username": "alice", "password": "wrong"}), 401)
    (entry,) = entries(client, root)
    assert (entry["action"], entry["code"], entry["address"]) == ("auth:login", "INVALID_CREDENTIALS", "127.0.0.1")
    assert "wrong" not in json.dumps(entry)


@pytest.mark.parametrize(
    "statement",
    ["UPDATE audit_log SET actor = 'x'", "DELETE FROM audit_log", "TRUNCATE audit_log", "TRUNCATE audit_log_rest"],
)
def test_the_database_itself_keeps_the_log_as_it_is(
    client: FlaskClient, alice: Person, path: str, database: Database, statement: str
) -> None:
    client.patch(path, json={"name": "New"}, headers=alice.headers)
    with pytest.raises(DBAPIError, match="only ever added to"), database.transaction() as session:
        session.execute(text(statement))


def test_weeks_are_made_ahead_what_waited_is_moved_there_and_stays_guarded(
    client: FlaskClient, alice: Person, path: str, database: Database
) -> None:
    client.patch(path, json={"name": "New"}, headers=alice.headers)
    with database.transaction() as session:
        make_audit_partitions(session)
        make_audit_partitions(session)
        waiting = session.execute(text("SELECT count(*) FROM audit_log_rest")).scalar_one()
        week = session.execute(select(text("tableoid::regclass::text")).select_from(AuditEntry).limit(1)).scalar_one()
    assert waiting == 0
    for statement in (f"TRUNCATE {week}", f"DELETE FROM {week}", "DELETE FROM audit_log"):
        with pytest.raises(DBAPIError, match="only ever added to"), database.transaction() as session:
            session.execute(text(statement))


def test_the_log_is_filtered(client: FlaskClient, alice: Person, root: Person, path: str) -> None:
    client.patch(path, json={"name": "New"}, headers=alice.headers)
    client.delete(path)
    assert len(entries(client, root)) == 2
    today = entries(client, root)[0]["created_at"][:10]
    for query, count in {
        "actor=alice": 1,
        f"actor={alice.user.id}": 1,
        "actor=bob": 0,
        "action=workspaces": 2,
        "action=workspaces:delete": 1,
        "action=work": 0,
        "outcome=refused": 1,
        f"organization_id={alice.organization_id}": 1,
        f"start_date={today}&end_date={today}": 2,
        "end_date=2020-01-01": 0,
        "start_date=2020-01-01T00:00:00Z": 2,
    }.items():
        assert len(entries(client, root, query)) == count, query
    for wrong in ("start_date=soon", "end_date=9999-12-31"):
        assert client.get(f"{LOG}?{wrong}", headers=root.headers).status_code == 422


def test_the_log_is_exported_as_lines_and_as_a_table(
    client: FlaskClient, alice: Person, root: Person, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.identity.audit_log.BATCH", 2)
    for name in ("=1+1", "b", "c", "d", "e"):
        client.patch(path, json={"name": name}, headers=alice.headers | {"User-Agent": "=cmd()"})
    lines = client.get(f"{LOG}/export", headers=root.headers).get_data(as_text=True).splitlines()
    assert [json.loads(line)["changes"]["name"][1] for line in lines] == ["=1+1", "b", "c", "d", "e"]
    own = f"/api/v1/organizations/{alice.organization_id}/audit-log/export?format=csv"
    table = list(csv.DictReader(io.StringIO(client.get(own, headers=alice.headers).get_data(as_text=True))))
    assert [json.loads(row["changes"])["name"][1] for row in table] == ["=1+1", "b", "c", "d", "e"]
    assert {row["user_agent"] for row in table} == {"'=cmd()"}


def test_the_log_is_read_by_administrators_and_its_part_by_the_owner(
    client: FlaskClient, app: Flask, alice: Person, path: str, database: Database
) -> None:
    anna = make_person(app, database, "anna")
    join(database, anna, alice.organization_id, "admin")
    own = f"/api/v1/organizations/{alice.organization_id}/audit-log"
    assert client.get(own, headers=anna.headers).status_code == 404
    assert client.get(LOG, headers=alice.headers).status_code == 403
    assert data_of(client.get(own, headers=alice.headers)) != []
    with database.transaction() as session:
        assert session.execute(select(func.count(AuditEntry.id))).scalar_one() == 2
