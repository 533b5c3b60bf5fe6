"""Client applications: registered, changed, given another key, disabled, deleted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, text

from app.factory import create_app
from app.identity import User, forget_client_keys, forget_deleted_clients, rights_ended
from app.identity.models import ClientKey
from app.jobs import MoveJobs, accept
from app.kernel.crypto import Vault
from app.kernel.db import Database
from config.settings import Settings
from tests.conftest import SECRET
from tests.identity.test_rights import Right
from tests.support.clients import Holder, make_client, make_user
from tests.support.identity import Person, data_of, error_of, make_person

ME = "/api/v1/clients/me"
ADMIN = "/api/v1/admin/clients"
USERS = "/api/v1/users"


@pytest.fixture
def shop(client: FlaskClient) -> Holder:
    return make_client(client, description="Sells", contact_email="ops@shop.example", settings={"locale": "en"})


@pytest.fixture
def root(app: Flask, database: Database) -> Person:
    return make_person(app, database, "root-admin", role="admin")


def lets_in(client: FlaskClient, holder: Holder) -> bool:
    return client.get("/api/v1/auth/verify", headers=holder.headers).status_code == 200


def test_a_registered_application_has_its_key_shown_once(client: FlaskClient, shop: Holder, database: Database) -> None:
    assert shop.key.startswith("ck_live_")
    assert shop.key.startswith(shop.said["key"]["prefix"])
    assert shop.said["key"]["last_used_at"] is None
    again = data_of(client.get(ME, headers={"X-API-Key": shop.key}))
    assert (again["name"], again["description"], again["contact_email"]) == ("Web shop", "Sells", "ops@shop.example")
    assert (again["status"], again["plan"], again["limits"]) == ("active", "standard", {"users": 10_000})
    assert (again["settings"], again["key"]["last_used_ip"]) == ({"locale": "en"}, "127.0.0.1")
    with database.transaction() as session:
        row = str(session.execute(text("SELECT client_keys::text FROM client_keys")).scalar_one())
    assert shop.key[len(shop.said["key"]["prefix"]) :] not in row


def test_an_application_is_a_caller_without_an_account(client: FlaskClient, shop: Holder) -> None:
    said = data_of(client.get("/api/v1/auth/verify", headers=shop.headers))
    assert (said["subject"], said["client_id"], said["expires_at"]) == (shop.id, shop.id, None)
    assert {"clients:write", "messages:write", "users:write"} <= set(said["scopes"])
    for path, missing in (
        ("/auth/me", "account:read"),
        ("/organizations", "organizations:read"),
        ("/api-keys", "keys:read"),
    ):
        refused = client.get(f"/api/v1{path}", headers=shop.headers)
        assert error_of(refused, 403)["details"] == {"required_permission": missing}


def test_an_application_changes_itself_as_it_has_seen_it(client: FlaskClient, shop: Holder) -> None:
    changed = data_of(client.patch(ME, json={"settings": {"beta": True}}, headers=shop.headers))
    assert (changed["name"], changed["settings"]) == ("Web shop", {"beta": True})
    tag = client.get(ME, headers=shop.headers).headers["ETag"]
    replaced = data_of(client.put(ME, json={"name": "Book shop"}, headers=shop.headers | {"If-Match": tag}))
    assert (replaced["name"], replaced["description"], replaced["settings"]) == ("Book shop", None, {})
    late = client.put(ME, json={"name": "Late"}, headers=shop.headers | {"If-Match": tag})
    assert error_of(late, 412)["code"] == "PRECONDITION_FAILED"


def test_another_key_ends_the_one_before_at_once(client: FlaskClient, shop: Holder) -> None:
    made = data_of(client.post("/api/v1/clients/regenerate-key", headers=shop.headers))
    assert error_of(client.get(ME, headers=shop.headers), 401)["code"] == "TOKEN_REVOKED"
    renewed = Holder(made, made["master_api_key"])
    assert data_of(client.get(ME, headers=renewed.headers))["key"]["prefix"] == made["key"]["prefix"]
    half = renewed.key[:-1] + ("A" if renewed.key[-1] != "A" else "B")
    for wrong in (half, renewed.key.replace("ck_live_", "sk_user_"), "ck_live_", renewed.key + "x"):
        assert error_of(client.get(ME, headers={"X-API-Key": wrong}), 401)["code"] == "TOKEN_INVALID"


def test_names_are_unique_and_cannot_look_like_others(client: FlaskClient, shop: Holder) -> None:
    for name in ("Web shop", "WEB SHOP"):
        refused = client.post("/api/v1/clients", json={"name": name})
        assert error_of(refused, 409)["code"] == "RESOURCE_ALREADY_EXISTS"
    looks_alike = ("W\u0435b shop", "Web  shop", " Web shop", "Web\u00a0shop", "Web shop\u200b")
    for name in (*looks_alike, "Web\r\nshop", "Web shop\n", "ab", "x" * 101, 5):
        refused = client.post("/api/v1/clients", json={"name": name})
        assert error_of(refused, 422)["errors"][0]["field"] == "name"
    other = make_client(client, "Other")
    assert error_of(client.patch(ME, json={"name": "web Shop"}, headers=other.headers), 409)["details"] == {
        "field": "name"
    }
    assert lets_in(client, shop)


@pytest.mark.parametrize(
    "fields",
    [
        {"contact_email": "a@example.com\r\nBcc: b@example.com"},
        {"contact_email": "no address"},
        {"description": "\x00"},
        {"settings": {"a": {"b": 1}}},
        {"settings": {"a": "x" * 501}},
        {"settings": {"a\n": 1}},
        {"settings": {str(number): 1 for number in range(51)}},
        {"settings": []},
        {"plan": "enterprise"},
        {"is_active": True},
        {"key": "mine"},
    ],
)
def test_what_is_no_application_is_refused(client: FlaskClient, fields: dict[str, Any]) -> None:
    refused = client.post("/api/v1/clients", json={"name": "Odd", **fields})
    assert error_of(refused, 422)["errors"][0]["field"].startswith(next(iter(fields)))


def test_registrations_are_limited_by_address(client: FlaskClient, app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    parts = app.extensions["headrace"]
    monkeypatch.setattr(parts, "limits", {**parts.limits, "client": parts.limits["register"]})
    for number in range(3):
        make_client(client, f"Shop {number}")
    refused = client.post("/api/v1/clients", json={"name": "One more"})
    assert error_of(refused, 429)["details"]["limit"] == 3


def test_where_registration_is_closed_administrators_register(
    settings: Settings, database: Database, hints: Any, alice: Person, root: Person
) -> None:
    closed = create_app(replace(settings, registration_open=False), sender=hints, database=database).test_client()
    for headers, status in (({}, 401), (alice.headers, 403), (root.headers, 201)):
        assert closed.post("/api/v1/clients", json={"name": "Shop"}, headers=headers).status_code == status


def test_a_disabled_application_and_its_users_are_let_in_no_more(
    client: FlaskClient, shop: Holder, root: Person, database: Database
) -> None:
    ann, other = make_user(client, shop), make_client(client, "Other")
    rights = [Right(None, None, key_id=key_of(database, one.key)) for one in (shop, ann)]
    assert data_of(client.patch(f"{ADMIN}/{shop.id}/disable", headers=root.headers))["status"] == "disabled"
    for holder in (shop, ann):
        assert error_of(client.get(USERS, headers=holder.headers), 403)["code"] == "ACCOUNT_DISABLED"
    with database.transaction() as session:
        assert rights_ended(session, rights) == rights
    assert lets_in(client, other)
    assert error_of(client.patch(f"{ADMIN}/{shop.id}/disable", headers=root.headers), 409)["code"] == "INVALID_STATE"
    data_of(client.patch(f"{ADMIN}/{shop.id}/enable", headers=root.headers))
    assert lets_in(client, shop)
    assert lets_in(client, ann)
    assert error_of(client.patch(f"{ADMIN}/{shop.id}/enable", headers=root.headers), 409)["code"] == "INVALID_STATE"


def key_of(database: Database, key: str) -> UUID:
    with database.transaction() as session:
        return session.scalars(select(ClientKey.id).where(ClientKey.public_part == key[8:20])).one()


def test_with_an_application_its_users_their_keys_and_its_name_are_gone(
    client: FlaskClient, shop: Holder, root: Person, database: Database
) -> None:
    ann, other = make_user(client, shop), make_client(client, "Other")
    bert = make_user(client, other, "bert")
    assert client.delete(ME, headers=shop.headers).status_code == 204
    for holder in (shop, ann):
        assert error_of(client.get(USERS, headers=holder.headers), 401)["code"] == "TOKEN_REVOKED"
    assert error_of(client.get(f"{ADMIN}/{shop.id}", headers=root.headers), 404)["details"]["resource_type"] == "client"
    assert [one["id"] for one in data_of(client.get(ADMIN, headers=root.headers))] == [other.id]
    make_client(client, shop.said["name"])
    with database.transaction() as session:
        assert [forget_deleted_clients(session) for _ in range(3)] == [1, 1, 0]
        assert session.get(User, UUID(ann.id)) is None
    assert error_of(client.get(USERS, headers=ann.headers), 401)["code"] == "TOKEN_INVALID"
    assert lets_in(client, other)
    assert lets_in(client, bert)


def test_the_end_of_keys_is_in_the_audit_log(client: FlaskClient, shop: Holder, root: Person) -> None:
    make_user(client, shop)
    client.delete(ME, headers=shop.headers)
    query = f"actor={shop.id}&action=clients:write"
    entries = data_of(client.get(f"/api/v1/admin/audit-log?{query}", headers=root.headers))
    told = {(entry["actor"], entry["resource_type"], *entry["changes"]) for entry in entries}
    assert told == {
        ("Web shop", "client", "deleted_at"),
        ("Web shop", "client", "keys_of_users"),
        ("Web shop", "client_key", "revoked_at"),
    }


def test_replaced_keys_are_forgotten_after_a_month(client: FlaskClient, shop: Holder, database: Database) -> None:
    renewed = data_of(client.post("/api/v1/clients/regenerate-key", headers=shop.headers))
    with database.transaction() as session:
        assert forget_client_keys(session) == 0
        session.execute(text("UPDATE client_keys SET revoked_at = revoked_at - interval '31 days'"))
        assert [forget_client_keys(session), forget_client_keys(session)] == [1, 0]
    assert lets_in(client, Holder(renewed, renewed["master_api_key"]))


def test_administrators_find_applications_and_say_what_they_may_have(
    client: FlaskClient, shop: Holder, root: Person, alice: Person
) -> None:
    other = make_client(client, "Other")
    data_of(client.put(f"{ADMIN}/{other.id}/plan", json={"plan": "free"}, headers=root.headers))
    client.patch(f"{ADMIN}/{shop.id}/disable", headers=root.headers)
    for query, expected in (("", 2), ("?plan=free", 1), ("?search=WEB", 1), ("?status=disabled", 1), ("?search=no", 0)):
        assert len(data_of(client.get(f"{ADMIN}{query}", headers=root.headers))) == expected
    assert data_of(client.get(f"{ADMIN}/{other.id}", headers=root.headers))["limits"] == {"users": 1000}
    assert client.get(ADMIN, headers=alice.headers).status_code == 403
    assert client.get(f"{ADMIN}/{uuid4()}", headers=root.headers).status_code == 404
    assert error_of(client.get(ME, headers=root.headers), 403)["details"] == {"required_permission": "clients:read"}


def test_an_application_follows_its_own_jobs_and_no_others(
    client: FlaskClient, shop: Holder, alice: Person, database: Database
) -> None:
    with database.transaction() as session:
        own = accept(session, MoveJobs(), created_by=UUID(shop.id))
        other = accept(session, MoveJobs(), created_by=alice.user.id)
    assert [job["id"] for job in data_of(client.get("/api/v1/jobs", headers=shop.headers))] == [str(own)]
    assert data_of(client.post(f"/api/v1/jobs/{own}/cancel", headers=shop.headers), 202)["id"] == str(own)
    assert client.get(f"/api/v1/jobs/{other}", headers=shop.headers).status_code == 404


def test_a_key_is_known_after_the_platforms_key_has_changed(
    client: FlaskClient, app: Flask, shop: Holder, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app.extensions["headrace"], "vault", Vault("the next key of the platform, as long", SECRET))
    assert lets_in(client, shop)
    monkeypatch.setattr(app.extensions["headrace"], "vault", Vault("the next key of the platform, as long"))
    assert lets_in(client, shop)


@pytest.mark.parametrize(
    "act",
    [
        lambda client, headers: client.post("/api/v1/clients/regenerate-key", headers=headers),
        lambda client, headers: client.post(USERS, json={"username": "ann", "email": "a@b.example"}, headers=headers),
    ],
)
def test_what_is_shown_once_comes_again_for_the_same_request(
    client: FlaskClient, shop: Holder, act: Callable[..., Any]
) -> None:
    headers = shop.headers | {"Idempotency-Key": "once"}
    first = act(client, headers).get_json()["data"]
    key = first.get("master_api_key", shop.key)
    again = act(client, headers | {"Authorization": f"Bearer {key}"})
    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.get_json()["data"] == first
