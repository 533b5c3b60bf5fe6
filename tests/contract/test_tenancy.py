"""The matrix: every operation of the document, called by everybody who must not, and by its owner.

Whatever is refused is refused with the right status and code, and nothing that lies elsewhere is ever shown.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Connection, func, select, update
from werkzeug.test import TestResponse

from app.identity import PERMISSIONS_OF_ROLE, Role, Scope, User
from app.identity.client_callers import spell_out
from app.identity.permissions import CLIENT_PERMISSIONS, CLIENT_USER_ACCOUNT
from app.identity.tokens import issue_token
from app.kernel.audit import AuditEntry
from app.kernel.db import Database
from tests.contract.operations import Call, find_calls
from tests.contract.who_may import (
    ACCOUNT,
    CLIENT,
    CLIENTS,
    KNOWN,
    LIST,
    OWN,
    PLATFORM,
    PUBLIC,
    ROOM,
    RUNNER,
    TENANT,
)
from tests.support.clients import Holder, make_client, make_user
from tests.support.identity import Person, data_of, make_person
from tests.support.rights import give, make_role
from tests.support.world import World, make_world

Headers = dict[str, str]
# They only tell, find nothing to do, or bring samples: an entry for each of those would drown the log.
NO_WRITES = {
    "POST /api/v1/metrics/write",
    "POST /api/v1/pipelines/validate",
    "POST /api/v1/templates/{template_id}/preview",
    "POST /api/v1/clients/email-providers/validate",
    "POST /api/v1/jobs/bulk",
    "POST /api/v1/auth/sessions/revoke-all",
}
# What is said and read in rooms is its own record.
NO_ACTS = {"POST /api/v1/messages", "POST /api/v1/rooms/{room_id}/read"}


@pytest.fixture
def world(app: Flask, client: FlaskClient, database: Database, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr(app.extensions["headrace"], "limited", False)
    return make_world(app, client, database)


@pytest.fixture
def calls(app: Flask, world: World) -> list[Call]:
    return find_calls(app, world)


def test_without_a_token_only_what_is_public_answers(client: FlaskClient, calls: list[Call]) -> None:
    for call in calls:
        reply = ask(client, call, {})
        if call.kind != PUBLIC:
            expect(call, reply, 401, "AUTH_REQUIRED")


def test_a_token_past_its_time_lets_nobody_in(app: Flask, client: FlaskClient, world: World, calls: list[Call]) -> None:
    with app.app_context():
        token = issue_token(world.alice.user.id, world.alice.session_id, timedelta(seconds=-60))
    for call in guarded(calls):
        expect(call, ask(client, call, {"Authorization": f"Bearer {token}"}), 401, "TOKEN_EXPIRED")


def test_a_disabled_user_is_let_in_nowhere(
    client: FlaskClient, world: World, calls: list[Call], database: Database
) -> None:
    with database.transaction() as session:
        session.execute(update(User).where(User.id == world.alice.user.id).values(disabled_at=func.now()))
    for call in guarded(calls):
        expect(call, ask(client, call, world.alice.headers), 403, "ACCOUNT_DISABLED")


def test_a_key_without_the_scope_is_told_which_it_takes(client: FlaskClient, world: World, calls: list[Call]) -> None:
    for scope in ("billing:read", "billing:write"):
        body = {"name": "k", "scopes": [scope]}
        made = data_of(client.post("/api/v1/api-keys", json=body, headers=world.alice.headers), 201)
        for call in guarded(calls):
            if call.permission not in (None, scope):
                reply = ask(client, call, {"X-API-Key": made["key"]})
                expect(call, reply, 403, "INSUFFICIENT_PERMISSIONS", required_permission=call.permission)


def test_to_the_owner_of_another_organization_none_of_it_exists(
    app: Flask, client: FlaskClient, world: World, calls: list[Call], database: Database
) -> None:
    charlie = make_person(app, database, "charlie")
    for call in guarded(calls):
        reply = ask_and_undo(client, database, call, charlie)
        if call.kind in (TENANT, OWN):
            expect(call, reply, 404, "RESOURCE_NOT_FOUND")
        elif call.kind in (PLATFORM, CLIENT, ROOM):
            expect(call, reply, 403, "INSUFFICIENT_PERMISSIONS", required_permission=call.permission)
        elif call.kind == CLIENTS:
            expect(call, reply, 404, "RESOURCE_NOT_FOUND")
        else:
            see_nothing_of(world, call, reply)


def test_a_member_without_the_permission_is_told_which_it_takes(
    app: Flask, client: FlaskClient, world: World, calls: list[Call], database: Database
) -> None:
    dora = make_person(app, database, "dora")
    role = make_role(database, world.alice.organization_id, ["jobs:read"], "most")
    give(database, dora, role, Scope("organization", world.alice.organization_id))
    for call in (one for one in calls if one.kind in (TENANT, LIST)):
        with database.transaction() as session:
            most = sorted(PERMISSIONS_OF_ROLE["owner"] - {call.permission})
            session.execute(update(Role).where(Role.id == role.id).values(permissions=most))
        reply = ask_and_undo(client, database, call, dora)
        if call.kind == LIST and reply.status_code < 300:
            see_nothing_of(world, call, reply, but=(str(world.alice.organization_id),))
        elif call.permission and call.permission.endswith(":read"):
            expect(call, reply, 404, "RESOURCE_NOT_FOUND")
        else:
            expect(call, reply, 403, "INSUFFICIENT_PERMISSIONS", required_permission=call.permission)


def test_the_owner_reaches_all_of_it(client: FlaskClient, world: World, calls: list[Call], database: Database) -> None:
    """What the others are refused is there: else their refusals would say nothing."""
    for call in calls:
        if call.kind in (TENANT, OWN, LIST, ACCOUNT, KNOWN):
            reply = ask_and_undo(client, database, call, world.alice)
            allowed = reply.status_code in (200, 201, 202, 204, 409, 503)
            wrong_password = call.path.endswith("/change-password") and reply.status_code == 401
            assert allowed or wrong_password, f"{call.name} → {reply.status_code} {reply.get_data(as_text=True)}"


def test_a_client_application_reaches_its_own_and_nothing_else(
    client: FlaskClient, world: World, calls: list[Call], database: Database
) -> None:
    for call in guarded(calls):
        reply = ask_and_undo(client, database, call, world.shop)
        if call.kind in (CLIENT, CLIENTS):
            assert reply.status_code in (200, 201, 204), f"{call.name}: {reply.get_data(as_text=True)}"
        elif call.kind == ROOM:
            assert reply.status_code in (200, 201, 204, 409), f"{call.name}: {reply.get_data(as_text=True)}"
        else:
            expect_beyond(world, call, reply, CLIENT_PERMISSIONS)


def test_a_user_of_an_application_reaches_themselves_and_nothing_else(
    client: FlaskClient, world: World, calls: list[Call], database: Database
) -> None:
    held = CLIENT_USER_ACCOUNT | spell_out(world.ann.said["permissions"])
    for call in guarded(calls):
        reply = ask_and_undo(client, database, call, world.ann)
        if call.kind == CLIENT or (call.kind == CLIENTS and call.method == "delete"):
            expect(call, reply, 403, "INSUFFICIENT_PERMISSIONS", required_permission=call.permission)
        elif call.kind == CLIENTS:
            assert data_of(reply)["id"] == world.ann.id
        elif call.kind == ROOM and call.permission in held:
            assert reply.status_code in (200, 201, 204, 409), f"{call.name}: {reply.get_data(as_text=True)}"
        else:
            expect_beyond(world, call, reply, held)


def test_to_another_application_and_its_users_none_of_it_exists(
    client: FlaskClient, world: World, calls: list[Call], database: Database
) -> None:
    rival = make_client(client, "Another shop")
    for holder in (rival, make_user(client, rival, "bert")):
        for call in (one for one in guarded(calls) if one.kind in (LIST, CLIENT, CLIENTS, ROOM)):
            reply = ask_and_undo(client, database, call, holder)
            if call.kind == CLIENTS:
                expect(call, reply, 404, "RESOURCE_NOT_FOUND")
            elif call.kind == ROOM and (
                world.values["room_id"] in f"{call.path} {call.body}" or "message_id" in call.name
            ):
                assert reply.status_code in ((404,) if holder is rival else (404, 403)), call.name
                see_nothing_of(world, call, reply)
            else:
                see_nothing_of(world, call, reply)


def test_what_runners_call_lets_in_nobody_else(client: FlaskClient, world: World, calls: list[Call]) -> None:
    for call in (one for one in calls if one.kind == RUNNER):
        expect(call, ask(client, call, {}), 401, "AUTH_REQUIRED")
        for somebody in (world.alice, world.mary, world.shop, world.ann):
            reply = ask(client, call, somebody.headers)
            assert reply.status_code == 401, f"{call.name} → {reply.get_data(as_text=True)}"


def test_the_token_of_a_runner_opens_nothing_else(client: FlaskClient, world: World, calls: list[Call]) -> None:
    for call in guarded(calls):
        expect(call, ask(client, call, world.runner_headers), 401, "TOKEN_INVALID")


def test_to_a_runner_no_work_exists_that_it_was_not_given(
    client: FlaskClient, world: World, calls: list[Call], database: Database
) -> None:
    for call in (one for one in calls if one.kind == RUNNER and "/jobs/" in one.path):
        with undoing(database):
            reply = ask(client, call, world.runner_headers)
        assert reply.status_code in (404, 411, 422), f"{call.name} → {reply.get_data(as_text=True)}"


def expect_beyond(world: World, call: Call, reply: TestResponse, held: Collection[str]) -> None:
    """Hold the reply to an application, or to a user of one, against what is theirs: nothing of this."""
    if call.permission and call.permission not in held:
        expect(call, reply, 403, "INSUFFICIENT_PERMISSIONS", required_permission=call.permission)
    elif call.kind in (TENANT, OWN):
        expect(call, reply, 404, "RESOURCE_NOT_FOUND")
    else:
        see_nothing_of(world, call, reply, but=(world.shop.id, world.ann.id))


def test_every_write_that_succeeds_is_in_the_audit_log(
    app: Flask, client: FlaskClient, world: World, calls: list[Call], database: Database
) -> None:
    root = make_person(app, database, "root-admin", role="admin")
    unlogged = set()
    for call in calls:
        if call.is_reading or call.kind in (PUBLIC, RUNNER) or call.name in NO_WRITES | NO_ACTS:
            continue
        with undoing(database):
            before = count_entries(database)
            caller = {PLATFORM: root, CLIENT: world.shop, CLIENTS: world.shop, ROOM: world.shop}.get(
                call.kind, world.alice
            )
            reply = ask(client, call, caller.headers)
            if reply.status_code < 300 and count_entries(database) == before:
                unlogged.add(call.name)
    assert unlogged == set()


def count_entries(database: Database) -> int:
    with database.transaction() as session:
        return session.execute(select(func.count(AuditEntry.id))).scalar_one()


def guarded(calls: list[Call]) -> Iterator[Call]:
    return (call for call in calls if call.kind not in (PUBLIC, RUNNER))


def ask(client: FlaskClient, call: Call, headers: Headers) -> TestResponse:
    if call.path.endswith("/events"):
        headers = headers | {"Accept": "application/json"}
    return client.open(call.path, method=call.method, json=call.body, headers=headers)


def ask_and_undo(client: FlaskClient, database: Database, call: Call, caller: Person | Holder) -> TestResponse:
    with undoing(database):
        return ask(client, call, caller.headers)


@contextmanager
def undoing(database: Database) -> Iterator[None]:
    """Take back what is written inside: each call finds the world whole."""
    connection = database.bind
    assert isinstance(connection, Connection)
    savepoint = connection.begin_nested()
    try:
        yield
    finally:
        savepoint.rollback()


def expect(call: Call, reply: TestResponse, status: int, code: str, **details: Any) -> None:
    said = f"{call.name} → {reply.status_code} {reply.get_data(as_text=True)[:300]}"
    assert reply.status_code == status, said
    error = reply.get_json()["error"]
    assert error["code"] == code, said
    assert details.items() <= error["details"].items(), said


def see_nothing_of(world: World, call: Call, reply: TestResponse, but: Collection[str] = ()) -> None:
    text = reply.get_data(as_text=True)
    asked = {one for one in world.ids if one in call.path or (call.body and one in str(call.body))}
    shown = {one for one in world.ids - asked - set(but) if one in text}
    assert not shown, f"{call.name} shows {shown}"
    assert reply.status_code != 500, f"{call.name}: {text}"
