"""Who may: Alice owns Acme's gadgets, Bob may look, Charlie must not know of them, an administrator may all."""

from __future__ import annotations

from typing import Any

import pytest

from app.http import Platform
from app.kernel.db import Database
from app.kernel.ids import new_id
from tests.http.conftest import As
from tests.support import toy_room
from tests.support.toy_room import ACME, CALLERS, OTHER


@pytest.mark.parametrize("caller", ["alice", "bob", "admin"])
def test_whoever_may_read_gets_the_row(as_: As, gadget: Any, caller: str):
    reply = as_(caller).get(f"/api/v1/gadgets/{gadget.id}")
    assert (reply.status_code, reply.json["data"]["id"]) == (200, str(gadget.id))


def test_a_row_of_others_does_not_exist(as_: As, gadget: Any):
    for id_ in (gadget.id, new_id()):
        reply = as_("charlie").get(f"/api/v1/gadgets/{id_}")
        assert (reply.status_code, reply.json["error"]["code"]) == (404, "RESOURCE_NOT_FOUND")
        assert reply.json["error"]["details"] == {"resource_type": "gadget", "resource_id": str(id_)}


def test_who_sees_but_may_not_change_is_told_what_is_lacking(as_: As, gadget: Any):
    reply = as_("bob").delete(f"/api/v1/gadgets/{gadget.id}")
    assert (reply.status_code, reply.json["error"]["code"]) == (403, "INSUFFICIENT_PERMISSIONS")
    assert reply.json["error"]["details"] == {"required_permission": "gadgets:write"}
    assert as_("charlie").delete(f"/api/v1/gadgets/{gadget.id}").status_code == 404
    assert as_("alice").delete(f"/api/v1/gadgets/{gadget.id}").status_code == 204


@pytest.mark.parametrize(
    ("caller", "organization", "status"),
    [("alice", ACME, 200), ("bob", ACME, 403), ("charlie", ACME, 404), ("charlie", OTHER, 200), ("admin", ACME, 200)],
)
def test_an_organization_is_checked_by_its_id(as_: As, toy: Any, caller: str, organization: Any, status: int):
    assert as_(caller).get(f"/api/v1/organizations/{organization}/gadget-count").status_code == status


@pytest.mark.parametrize(("caller", "status"), [("alice", 200), ("bob", 404), ("admin", 200)])
def test_what_belongs_to_no_organization_is_its_makers(as_: As, database: Database, toy: Any, caller: str, status: int):
    with database.transaction() as session:
        alice = CALLERS["alice"].user_id
        gadget = toy_room.add_gadget(session, "own", organization_id=None, created_by=alice)
    assert as_(caller).get(f"/api/v1/gadgets/{gadget.id}").status_code == status


@pytest.mark.parametrize(("caller", "status"), [("alice", 403), ("admin", 200), ("nobody", 401)])
def test_the_platforms_own_routes_are_the_administrators(as_: As, toy: Any, caller: str, status: int):
    assert as_(caller).get("/api/v1/workshop").status_code == status


def test_the_parts_of_the_platform_are_those_of_the_factory(parts: Platform):
    assert parts.public_url.startswith("http")
    assert parts.max_body_bytes > 0
