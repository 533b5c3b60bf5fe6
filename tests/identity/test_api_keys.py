"""Keys: made, used, bounded by their scopes and by their maker, rotated, revoked, expired."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import delete, func, select, text, update

from app import jobs
from app.identity import Membership, User, rights_ended
from app.identity.models import ApiKey
from app.jobs import MoveJobs
from app.kernel.clock import utc_now
from app.kernel.db import Database
from tests.identity.test_rights import Right
from tests.support.identity import Person, data_of, error_of, join, make_person
from tests.support.tenancy import make_workspace

KEYS = "/api/v1/api-keys"
WORKSPACES = "/api/v1/workspaces"
JOBS = "/api/v1/jobs"


@pytest.fixture
def bob(app: Flask, database: Database, alice: Person) -> Person:
    person = make_person(app, database, "bob")
    join(database, person, alice.organization_id, "admin")
    return person


def make(client: FlaskClient, person: Person, *scopes: str, path: str = KEYS, **fields: Any) -> dict[str, Any]:
    body = {"name": "deployment", "scopes": list(scopes), **fields}
    made: dict[str, Any] = data_of(client.post(path, json=body, headers=person.headers), 201)
    return made


def bearer(made: dict[str, Any]) -> dict[str, str]:
    return {"Authorization": f"Bearer {made['key']}"}


def test_a_key_is_shown_once_and_kept_as_a_keyed_hash(client: FlaskClient, alice: Person, database: Database) -> None:
    made = make(client, alice, "workspaces:read")
    assert made["key"].startswith(made["prefix"])
    shown = data_of(client.get(f"{KEYS}/{made['id']}", headers=alice.headers))
    assert shown == {name: value for name, value in made.items() if name != "key"}
    assert data_of(client.get(KEYS, headers=alice.headers)) == [shown]
    with database.transaction() as session:
        row = str(session.execute(text("SELECT api_keys::text FROM api_keys")).scalar_one())
    assert made["key"][len(made["prefix"]) :] not in row


def test_a_key_may_what_its_scopes_say_in_either_header(client: FlaskClient, alice: Person, database: Database) -> None:
    make_workspace(database, alice)
    made = make(client, alice, "workspaces:read")
    for headers in (bearer(made), {"X-API-Key": made["key"]}, {"Authorization": f"bearer {made['key']}"}):
        assert len(data_of(client.get(WORKSPACES, headers=headers))) == 1
    refused = error_of(client.post(WORKSPACES, json={"name": "W"}, headers=bearer(made)), 403)
    assert refused["details"] == {"required_permission": "workspaces:write"}
    verified = data_of(client.get("/api/v1/auth/verify", headers=bearer(made)))
    assert (verified["scopes"], verified["subject"]) == (["workspaces:read"], str(alice.user.id))
    assert error_of(client.get("/api/v1/auth/me", headers=bearer(made)), 403)["details"] == {
        "required_permission": "account:read"
    }


def test_a_key_can_never_do_more_than_its_maker_at_that_moment(
    client: FlaskClient, alice: Person, bob: Person, database: Database
) -> None:
    workspace = make_workspace(database, alice)
    made = make(client, bob, "workspaces:read", "workspaces:write")
    path = f"{WORKSPACES}/{workspace.id}"
    data_of(client.patch(path, json={"name": "Bob's"}, headers=bearer(made)))
    with database.transaction() as session:
        session.execute(update(Membership).where(Membership.user_id == bob.user.id).values(role="viewer"))
    refused = client.patch(path, json={"name": "Again"}, headers=bearer(made))
    assert error_of(refused, 403)["details"] == {"required_permission": "workspaces:write"}
    with database.transaction() as session:
        session.execute(delete(Membership).where(Membership.user_id == bob.user.id))
    assert client.get(path, headers=bearer(made)).status_code == 404


def test_nobody_makes_a_key_beyond_themselves(client: FlaskClient, alice: Person, bob: Person) -> None:
    for scopes, missing in ((["users:administer"], "users:administer"), (["jobs:read", "platform:administer"], None)):
        refused = client.post(KEYS, json={"name": "k", "scopes": scopes}, headers=alice.headers)
        expected = missing or "platform:administer"
        assert error_of(refused, 403)["details"] == {"required_permission": expected}
    path = f"/api/v1/organizations/{alice.organization_id}/api-keys"
    refused = client.post(path, json={"name": "k", "scopes": ["organizations:delete"]}, headers=bob.headers)
    assert error_of(refused, 403)["details"] == {"required_permission": "organizations:delete"}


@pytest.mark.parametrize("scope", ["keys:write", "account:write", "no:such", "*"])
def test_no_key_makes_keys_or_takes_an_account_over(client: FlaskClient, alice: Person, scope: str) -> None:
    refused = client.post(KEYS, json={"name": "k", "scopes": [scope]}, headers=alice.headers)
    assert error_of(refused, 422)["errors"][0]["field"] == "scopes.0"
    made = make(client, alice, "keys:read", "account:read")
    for method, path, body in (
        ("post", KEYS, {"name": "k", "scopes": ["jobs:read"]}),
        ("post", f"{KEYS}/{made['id']}/rotate", None),
        ("delete", f"{KEYS}/{made['id']}", None),
        ("patch", "/api/v1/users/me", {"display_name": "x"}),
    ):
        assert client.open(path, method=method, json=body, headers=bearer(made)).status_code == 403


def test_a_rotated_key_has_another_text_and_the_one_before_fails(client: FlaskClient, alice: Person) -> None:
    made = make(client, alice, "workspaces:read")
    data_of(client.get(WORKSPACES, headers=bearer(made)))
    rotated = data_of(client.post(f"{KEYS}/{made['id']}/rotate", headers=alice.headers))
    assert (rotated["id"], rotated["last_used_at"]) == (made["id"], None)
    assert error_of(client.get(WORKSPACES, headers=bearer(made)), 401)["code"] == "TOKEN_INVALID"
    data_of(client.get(WORKSPACES, headers=bearer(rotated)))


def test_a_key_fails_at_the_next_request_after_it_was_revoked(client: FlaskClient, alice: Person) -> None:
    made = make(client, alice, "workspaces:read")
    data_of(client.get(WORKSPACES, headers=bearer(made)))
    assert client.delete(f"{KEYS}/{made['id']}", headers=alice.headers).status_code == 204
    refused = client.get(WORKSPACES, headers=bearer(made))
    assert error_of(refused, 401)["code"] == "TOKEN_REVOKED"
    assert "invalid_token" in refused.headers["WWW-Authenticate"]
    assert data_of(client.get(KEYS, headers=alice.headers)) == []
    for method in ("get", "delete"):
        assert client.open(f"{KEYS}/{made['id']}", method=method, headers=alice.headers).status_code == 404


def test_a_key_has_an_end_and_ends_with_its_makers_account(
    client: FlaskClient, alice: Person, database: Database
) -> None:
    soon = (utc_now() + timedelta(hours=1)).isoformat()
    made = make(client, alice, "workspaces:read", expires_at=soon)
    with database.transaction() as session:
        session.execute(update(ApiKey).values(expires_at=utc_now() - timedelta(seconds=1)))
    assert error_of(client.get(WORKSPACES, headers=bearer(made)), 401)["code"] == "KEY_EXPIRED"
    with database.transaction() as session:
        session.execute(update(ApiKey).values(expires_at=None))
        session.execute(update(User).where(User.id == alice.user.id).values(disabled_at=func.now()))
    assert error_of(client.get(WORKSPACES, headers=bearer(made)), 403)["code"] == "ACCOUNT_DISABLED"


def test_what_is_no_key_lets_nobody_in(client: FlaskClient, alice: Person) -> None:
    made = make(client, alice, "workspaces:read")["key"]
    other = make(client, alice, "workspaces:read")["key"]
    for junk in (made[:-1], made + "x", made[:20] + other[20:], "hr_live_", "hr_live_" + "a" * 55, "x", "\u00e9" * 9):
        error = error_of(client.get(WORKSPACES, headers={"X-API-Key": junk}), 401)
        assert error["code"] == "TOKEN_INVALID"


def test_the_last_use_is_written_once_a_minute(client: FlaskClient, alice: Person, database: Database) -> None:
    made = make(client, alice, "workspaces:read")

    def last_use() -> Any:
        with database.transaction() as session:
            return session.execute(select(ApiKey.last_used_at, ApiKey.last_used_ip, ApiKey.updated_at)).one()

    changed_at = last_use().updated_at
    client.get(WORKSPACES, headers=bearer(made))
    first = last_use()
    assert (first.last_used_ip, first.updated_at) == ("127.0.0.1", changed_at)
    client.get(WORKSPACES, headers=bearer(made))
    assert last_use() == first
    with database.transaction() as session:
        session.execute(update(ApiKey).values(last_used_at=utc_now() - timedelta(seconds=61)))
    client.get(WORKSPACES, headers=bearer(made))
    assert last_use().last_used_at >= first.last_used_at


def test_a_key_of_an_organization_reaches_nothing_outside_of_it(
    client: FlaskClient, app: Flask, alice: Person, bob: Person, database: Database
) -> None:
    shop, own = make_workspace(database, alice, "Shop"), make_workspace(database, bob, "Own")
    path = f"/api/v1/organizations/{alice.organization_id}/api-keys"
    made = make(client, bob, "workspaces:read", path=path)
    assert made["organization_id"] == str(alice.organization_id)
    assert [one["id"] for one in data_of(client.get(WORKSPACES, headers=bearer(made)))] == [str(shop.id)]
    assert client.get(f"{WORKSPACES}/{own.id}", headers=bearer(made)).status_code == 404
    root = make_person(app, database, "root-admin", role="admin")
    of_root = make(client, root, "workspaces:read", path=path)
    assert [one["id"] for one in data_of(client.get(WORKSPACES, headers=bearer(of_root)))] == [str(shop.id)]


def test_a_key_of_an_organization_does_not_reach_what_is_its_makers_alone(
    client: FlaskClient, alice: Person, bob: Person, database: Database
) -> None:
    own = make(client, bob, "jobs:read", "keys:read")
    with database.transaction() as session:
        hers = jobs.accept(session, MoveJobs(), created_by=bob.user.id)
    path = f"/api/v1/organizations/{alice.organization_id}/api-keys"
    bound = make(client, bob, "jobs:read", "jobs:cancel", "keys:read", path=path)
    assert [job["id"] for job in data_of(client.get(JOBS, headers=bearer(own)))] == [str(hers)]
    assert data_of(client.get(JOBS, headers=bearer(bound))) == []
    assert client.get(f"{JOBS}/{hers}", headers=bearer(own)).status_code == 200
    for refused in (
        client.get(f"{JOBS}/{hers}", headers=bearer(bound)),
        client.post(f"{JOBS}/{hers}/cancel", headers=bearer(bound)),
        client.get(KEYS, headers=bearer(bound)),
        client.get(f"{KEYS}/{own['id']}", headers=bearer(bound)),
    ):
        assert refused.status_code == 404


def test_an_organizations_keys_are_its_administrators_and_nobody_elses(
    client: FlaskClient, app: Flask, alice: Person, bob: Person, database: Database
) -> None:
    path = f"/api/v1/organizations/{alice.organization_id}/api-keys"
    made = make(client, alice, "workspaces:read", "audit:read", path=path)
    assert [one["id"] for one in data_of(client.get(path, headers=bob.headers))] == [made["id"]]
    refused = client.post(f"{path}/{made['id']}/rotate", headers=bob.headers)
    assert error_of(refused, 403)["details"] == {"required_permission": "audit:read"}
    charlie = make_person(app, database, "charlie")
    join(database, charlie, alice.organization_id, "member")
    for person, status in ((charlie, 404), (bob, 404)):
        assert client.get(f"{KEYS}/{made['id']}", headers=person.headers).status_code == status
    assert client.get(path, headers=charlie.headers).status_code == 404
    assert client.get(f"{path}/{uuid4()}", headers=bob.headers).status_code == 404
    assert client.delete(f"{path}/{made['id']}", headers=bob.headers).status_code == 204
    assert error_of(client.get(WORKSPACES, headers=bearer(made)), 401)["code"] == "TOKEN_REVOKED"


def test_a_key_is_changed_within_its_makers_bounds(client: FlaskClient, alice: Person, bob: Person) -> None:
    made = make(client, alice, "workspaces:read")
    path = f"{KEYS}/{made['id']}"
    changed = data_of(client.patch(path, json={"name": "n", "scopes": ["jobs:read"]}, headers=alice.headers))
    assert (changed["name"], changed["scopes"]) == ("n", ["jobs:read"])
    refused = client.patch(path, json={"scopes": ["platform:administer"]}, headers=alice.headers)
    assert error_of(refused, 403)["details"] == {"required_permission": "platform:administer"}
    past = client.patch(path, json={"expires_at": "2020-01-01T00:00:00Z"}, headers=alice.headers)
    assert error_of(past, 422)["errors"][0]["field"] == "expires_at"
    replaced = data_of(client.put(path, json={"name": "m", "scopes": ["jobs:read"]}, headers=alice.headers))
    assert replaced["name"] == "m"
    assert client.get(path, headers=bob.headers).status_code == 404


def test_an_administrator_does_not_come_by_other_peoples_keys(
    client: FlaskClient, app: Flask, alice: Person, database: Database
) -> None:
    made = make(client, alice, "workspaces:read")
    root = make_person(app, database, "root-admin", role="admin")
    assert client.post(f"{KEYS}/{made['id']}/rotate", headers=root.headers).status_code == 404


def test_a_key_that_repeats_a_request_is_told_nothing_its_maker_was(client: FlaskClient, alice: Person) -> None:
    made = make(client, alice, "workspaces:read")
    again = {"Idempotency-Key": "same"}
    first = client.post(WORKSPACES, json={"name": "W"}, headers=alice.headers | again)
    assert first.status_code == 201
    assert client.post(WORKSPACES, json={"name": "W"}, headers=bearer(made) | again).status_code == 403
    writer = make(client, alice, "workspaces:write", "workspaces:read")
    second = client.post(WORKSPACES, json={"name": "W"}, headers=bearer(writer) | again)
    assert "Idempotent-Replayed" not in second.headers


def test_what_a_key_listens_to_ends_with_the_key(client: FlaskClient, alice: Person, database: Database) -> None:
    made = make(client, alice, "jobs:read")
    rights = [Right(None, alice.organization_id, verb, UUID(made["id"])) for verb in ("jobs:read", "executions:read")]
    with database.transaction() as session:
        assert rights_ended(session, rights) == rights[1:]
        session.execute(update(ApiKey).values(revoked_at=func.now()))
        assert rights_ended(session, rights) == rights


def test_there_is_an_end_to_how_many_keys_somebody_has(
    client: FlaskClient, alice: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.identity.api_keys.MOST_KEYS", 1)
    make(client, alice, "jobs:read")
    refused = client.post(KEYS, json={"name": "k", "scopes": ["jobs:read"]}, headers=alice.headers)
    assert error_of(refused, 422)["code"] == "QUOTA_EXCEEDED"
