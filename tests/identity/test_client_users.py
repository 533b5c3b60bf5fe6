"""Users of client applications: made, let in, changed and deleted by their application, never taken for accounts."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any
from uuid import uuid4

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select, text

from app.identity.models import AccountMail, ClientKey
from app.identity.permissions import CLIENT_PLANS
from app.kernel.db import Database
from tests.identity.conftest import Committing
from tests.support.clients import Holder, make_client, make_user
from tests.support.identity import PASSWORD, Person, data_of, error_of, make_person

USERS = "/api/v1/users"
LOGIN = "/api/v1/users/login"
AUTH = "/api/v1/auth"


@pytest.fixture
def shop(client: FlaskClient) -> Holder:
    return make_client(client)


@pytest.fixture
def ann(client: FlaskClient, shop: Holder) -> Holder:
    return make_user(client, shop, full_name="Ann Smith")


def verify(client: FlaskClient, holder: Holder) -> Any:
    return client.get(f"{AUTH}/verify", headers=holder.headers)


def log_in(client: FlaskClient, shop: Holder, email: str) -> Holder:
    said = data_of(client.post(LOGIN, json={"email": email}, headers=shop.headers))
    assert said["user"]["key"]["expires_at"] == said["expires_at"]
    return Holder(said["user"], said["scoped_api_key"])


def test_a_user_is_made_with_a_key_that_works_for_a_week(client: FlaskClient, shop: Holder, ann: Holder) -> None:
    assert ann.key.startswith("sk_user_")
    assert (ann.said["client_id"], ann.said["full_name"], ann.said["is_active"]) == (shop.id, "Ann Smith", True)
    said = data_of(verify(client, ann))
    assert (said["subject"], said["client_id"]) == (ann.id, shop.id)
    assert {"messages:read", "messages:write", "rooms:join"} <= set(said["scopes"])
    assert not {"rooms:write", "notifications:read", "account:write"} & set(said["scopes"])
    assert said["expires_at"] == ann.said["key"]["expires_at"]
    assert data_of(client.get(f"{AUTH}/me", headers=ann.headers))["username"] == "ann"


def test_a_login_gives_another_key_and_ends_the_one_before(client: FlaskClient, shop: Holder, ann: Holder) -> None:
    again = log_in(client, shop, "ANN@shop.example")
    assert again.said["last_login_at"] is not None
    assert error_of(verify(client, ann), 401)["code"] == "TOKEN_REVOKED"
    data_of(verify(client, again))
    unknown = client.post(LOGIN, json={"email": "nobody@shop.example"}, headers=shop.headers)
    assert error_of(unknown, 404)["details"]["resource_type"] == "user"


def test_a_key_past_its_week_is_refused_as_expired(
    client: FlaskClient, shop: Holder, ann: Holder, database: Database
) -> None:
    with database.transaction() as session:
        week = session.scalar(select(ClientKey.expires_at - ClientKey.created_at).where(ClientKey.user_id.is_not(None)))
        assert week is not None
        assert week.days in (6, 7)
        session.execute(
            text("UPDATE client_keys SET expires_at = now() - interval '1 second' WHERE user_id IS NOT NULL")
        )
    assert error_of(verify(client, ann), 401)["code"] == "KEY_EXPIRED"
    data_of(verify(client, log_in(client, shop, "ann@shop.example")))


def test_an_application_lists_and_changes_its_users(client: FlaskClient, shop: Holder, ann: Holder) -> None:
    make_user(client, shop, "bob", permissions=["read_messages"])
    listed = data_of(client.get(f"{USERS}?sort=username", headers=shop.headers))
    assert [user["username"] for user in listed] == ["ann", "bob"]
    for query, names in (("search=SMITH", ["ann"]), ("is_active=false", []), (f"client_id={uuid4()}", [])):
        assert [user["username"] for user in data_of(client.get(f"{USERS}?{query}", headers=shop.headers))] == names
    given = {"permissions": ["manage_rooms", "read_messages"]}
    twice = {"permissions": ["read_messages", *given["permissions"]]}
    assert data_of(client.patch(f"{USERS}/{ann.id}", json=twice, headers=shop.headers))["full_name"] == "Ann Smith"
    scopes = set(data_of(verify(client, ann))["scopes"])
    assert "rooms:write" in scopes
    assert "messages:write" not in scopes
    whole = {"username": "anna", "email": "anna@shop.example"}
    replaced = data_of(client.put(f"{USERS}/{ann.id}", json=whole, headers=shop.headers))
    assert (replaced["username"], replaced["full_name"], replaced["permissions"]) == (
        "anna",
        None,
        given["permissions"],
    )


def test_users_change_themselves_but_not_what_they_may(client: FlaskClient, shop: Holder, ann: Holder) -> None:
    path = f"{USERS}/{ann.id}"
    assert data_of(client.patch(path, json={"full_name": "Ann"}, headers=ann.headers))["full_name"] == "Ann"
    assert [user["id"] for user in data_of(client.get(USERS, headers=ann.headers))] == [ann.id]
    for body in ({"permissions": ["manage_rooms"]}, {"is_active": True}):
        refused = error_of(client.patch(path, json=body, headers=ann.headers), 403)
        assert refused["details"] == {"required_permission": "users:write"}
    assert error_of(client.delete(path, headers=ann.headers), 403)["code"] == "INSUFFICIENT_PERMISSIONS"
    bob = make_user(client, shop, "bob")
    for method in ("get", "delete"):
        assert client.open(f"{USERS}/{bob.id}", method=method, headers=ann.headers).status_code == 404
    for path in (USERS, LOGIN):
        assert (
            client.post(path, json={"username": "eve", "email": "e@x.example"}, headers=ann.headers).status_code == 403
        )


def test_who_is_not_active_or_deleted_loses_their_key(client: FlaskClient, shop: Holder, ann: Holder) -> None:
    path = f"{USERS}/{ann.id}"
    inactive = data_of(client.patch(path, json={"is_active": False}, headers=shop.headers))
    assert (inactive["is_active"], inactive["key"]) == (False, None)
    assert error_of(verify(client, ann), 403)["code"] == "ACCOUNT_DISABLED"
    refused = client.post(LOGIN, json={"email": "ann@shop.example"}, headers=shop.headers)
    assert error_of(refused, 403)["code"] == "ACCOUNT_DISABLED"
    data_of(client.patch(path, json={"is_active": True}, headers=shop.headers))
    assert error_of(verify(client, ann), 401)["code"] == "TOKEN_REVOKED"
    again = log_in(client, shop, "ann@shop.example")
    assert client.delete(path, headers=shop.headers).status_code == 204
    assert error_of(verify(client, again), 401)["code"] == "TOKEN_INVALID"
    assert client.get(path, headers=shop.headers).status_code == 404


def test_users_of_another_application_do_not_exist(client: FlaskClient, shop: Holder, ann: Holder) -> None:
    rival = make_client(client, "Rival")
    twin = make_user(client, rival)
    assert twin.said["email"] == ann.said["email"]
    path = f"{USERS}/{ann.id}"
    assert [user["id"] for user in data_of(client.get(USERS, headers=rival.headers))] == [twin.id]
    for method, body in (("get", None), ("patch", {"full_name": "x"}), ("delete", None)):
        reply = client.open(path, method=method, json=body, headers=rival.headers)
        assert error_of(reply, 404)["details"] == {"resource_type": "user", "resource_id": ann.id}
    log_in(client, rival, "ann@shop.example")
    data_of(verify(client, ann))


def test_names_are_unique_within_an_application_whatever_their_case(
    client: FlaskClient, shop: Holder, ann: Holder
) -> None:
    for body, field in (
        ({"username": "ANN", "email": "other@shop.example"}, "username"),
        ({"username": "other", "email": "Ann@Shop.example"}, "email"),
    ):
        refused = error_of(client.post(USERS, json=body, headers=shop.headers), 409)
        assert (refused["code"], refused["details"]) == ("RESOURCE_ALREADY_EXISTS", {"field": field})
    bob = make_user(client, shop, "bob")
    taken = client.patch(f"{USERS}/{bob.id}", json={"username": "Ann"}, headers=shop.headers)
    assert error_of(taken, 409)["details"] == {"field": "username"}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("username", "\u0430nn"),
        ("username", "ann\n"),
        ("username", "an"),
        ("email", "ann@shop.example\r\nBcc: eve@example.com"),
        ("email", "ann@\u0455hop.example"),
        ("email", "ann"),
        ("full_name", "Ann\u0000"),
        ("full_name", "Ann\r\nSmith"),
        ("permissions", ["messages:write"]),
        ("permissions", "read_messages"),
        ("client_id", "0198c000-0000-7000-8000-000000000000"),
        ("role", "admin"),
        ("password", PASSWORD),
    ],
)
def test_what_is_no_user_is_refused(client: FlaskClient, shop: Holder, field: str, value: Any) -> None:
    body = {"username": "ann", "email": "ann@shop.example", field: value}
    refused = error_of(client.post(USERS, json=body, headers=shop.headers), 422)
    assert refused["errors"][0]["field"].startswith(field)


def test_users_and_accounts_of_one_name_know_nothing_of_each_other(
    client: FlaskClient, app: Flask, shop: Holder, alice: Person, database: Database
) -> None:
    twin = make_user(client, shop, "alice", email="alice@example.com")
    known = client.post(f"{AUTH}/login", json={"username": "alice", "password": PASSWORD})
    assert data_of(known)["user"]["id"] == str(alice.user.id)
    make_user(client, shop, "ann")
    for names in ({"username": "ann"}, {"email": "ann@shop.example"}):
        refused = client.post(f"{AUTH}/login", json={**names, "password": PASSWORD})
        assert error_of(refused, 401)["code"] == "INVALID_CREDENTIALS"
    ann = make_person(app, database, "ann", email="ann@shop.example")
    known = client.post(f"{AUTH}/login", json={"email": "ann@shop.example", "password": PASSWORD})
    assert data_of(known)["user"]["id"] == str(ann.user.id)
    role = {"email": "alice@example.com", "role": "viewer"}
    workspace = data_of(client.post("/api/v1/workspaces", json={"name": "W"}, headers=ann.headers), 201)
    member = data_of(client.post(f"/api/v1/workspaces/{workspace['id']}/members", json=role, headers=ann.headers), 201)
    assert twin.id not in str(member)


def test_users_of_applications_get_no_mail_and_no_role(
    client: FlaskClient, app: Flask, ann: Holder, database: Database
) -> None:
    root = make_person(app, database, "root-admin", role="admin")
    with database.transaction() as session:
        before = session.scalar(select(func.count(AccountMail.id)))
    for path in ("send-verification", "mfa/enable"):
        refused = error_of(client.post(f"{AUTH}/{path}", json={}, headers=ann.headers), 403)
        assert refused["details"] == {"required_permission": "account:write"}
    scope = {"type": "organization", "id": str(root.organization_id)}
    role = data_of(client.get("/api/v1/roles?search=developer", headers=root.headers))[0]["id"]
    given = {"role_id": role, "scope": scope}
    assert client.post(f"{USERS}/{ann.id}/roles", json=given, headers=root.headers).status_code == 404
    assert client.patch(f"/api/v1/admin/users/{ann.id}/disable", headers=root.headers).status_code == 404
    with database.transaction() as session:
        assert session.scalar(select(func.count(AccountMail.id))) == before


def test_administrators_see_all_users_and_accounts_are_changed_elsewhere(
    client: FlaskClient, app: Flask, ann: Holder, alice: Person, database: Database
) -> None:
    root = make_person(app, database, "root-admin", role="admin")
    listed = {user["id"]: user for user in data_of(client.get(USERS, headers=root.headers))}
    assert set(listed) == {ann.id, str(alice.user.id), str(root.user.id)}
    account = listed[str(alice.user.id)]
    assert (account["client_id"], account["permissions"], account["key"]) == (None, None, None)
    found = data_of(client.get(f"{USERS}?client_id={ann.said['client_id']}", headers=root.headers))
    assert [user["id"] for user in found] == [ann.id]
    refused = client.delete(f"{USERS}/{alice.user.id}", headers=root.headers)
    assert error_of(refused, 409)["code"] == "INVALID_STATE"
    assert data_of(client.get(USERS, headers=alice.headers)) == []
    assert client.get(f"{USERS}/{alice.user.id}", headers=alice.headers).status_code == 404
    listed = data_of(client.get("/api/v1/admin/users", headers=root.headers))
    assert ann.id not in {user["id"] for user in listed}


def test_a_plan_says_how_many_users_there_may_be(
    client: FlaskClient, shop: Holder, ann: Holder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(CLIENT_PLANS, "standard", 2)
    make_user(client, shop, "bob")
    refused = client.post(USERS, json={"username": "eve", "email": "e@x.example"}, headers=shop.headers)
    error = error_of(refused, 403)
    assert (error["code"], error["details"]["most"]) == ("PLAN_LIMIT_EXCEEDED", 2)


def test_logins_are_limited_by_application(
    client: FlaskClient, app: Flask, shop: Holder, ann: Holder, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = app.extensions["headrace"]
    monkeypatch.setattr(parts, "limits", {**parts.limits, "client": parts.limits["register"]})
    for _ in range(3):
        log_in(client, shop, "ann@shop.example")
    body = {"email": "ann@shop.example"}
    assert error_of(client.post(LOGIN, json=body, headers=shop.headers), 429)["details"]["limit"] == 3
    rival = make_client(client, "Rival")
    make_user(client, rival)
    log_in(client, rival, "ann@shop.example")


def test_of_many_logins_at_once_one_key_is_left(committing: Committing) -> None:
    committing.app.testing = True
    client = committing.app.test_client()
    shop = make_client(client)
    make_user(client, shop)
    start = Barrier(6)

    def come_in(_: int) -> Holder:
        own = committing.app.test_client()
        start.wait()
        return log_in(own, shop, "ann@shop.example")

    with ThreadPoolExecutor(6) as pool:
        holders = list(pool.map(come_in, range(6)))
    assert sorted(verify(client, one).status_code for one in holders) == [200, *[401] * 5]
