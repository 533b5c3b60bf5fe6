"""Roles, keys and invitations when several act at once, on transactions that really commit."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import select

from app.identity import Membership, Role, RoleAssignment, Scope
from app.kernel.ids import new_id
from tests.identity.conftest import Committing
from tests.support.identity import data_of, join, make_person
from tests.support.rights import give, make_role

pytestmark = pytest.mark.slow

API = "/api/v1"


def at_once(*calls: Callable[[], Any]) -> list[int]:
    """Return the sorted statuses of calls made at the same time."""
    with ThreadPoolExecutor(len(calls)) as threads:
        return sorted(future.result().status_code for future in [threads.submit(call) for call in calls])


def test_an_invitation_lets_in_once_however_often_it_is_used_at_once(committing: Committing) -> None:
    app, database = committing.app, committing.database
    ann, ben = make_person(app, database, "ann"), make_person(app, database, "ben", email_verified=True)
    path, body = f"{API}/organizations/{ann.organization_id}/invitations", {"email": ben.user.email, "role": "viewer"}
    token = data_of(app.test_client().post(path, json=body, headers=ann.headers), 201)["token"]
    accept = f"{API}/organizations/invitations/{token}/accept"
    statuses = at_once(*[lambda: app.test_client().post(accept, headers=ben.headers)] * 6)
    assert statuses == [200, *[409] * 5]
    with database.transaction() as session:
        members = select(Membership.role).where(Membership.organization_id == ann.organization_id)
        assert sorted(session.scalars(members)) == ["owner", "viewer"]


def test_a_role_is_not_deleted_while_it_is_given(committing: Committing) -> None:
    app, database = committing.app, committing.database
    ann, ben = make_person(app, database, "ann"), make_person(app, database, "ben")
    join(database, ben, ann.organization_id, "viewer")
    for _ in range(5):
        role = make_role(database, ann.organization_id, ["jobs:read"], f"r-{new_id().hex}")
        scope = {"type": "organization", "id": str(ann.organization_id)}
        gift = {"role_id": str(role.id), "scope": scope}
        at_once(
            lambda gift=gift: app.test_client().post(  # type: ignore[misc]
                f"{API}/users/{ben.user.id}/roles", json=gift, headers=ann.headers
            ),
            lambda role=role: app.test_client().delete(f"{API}/roles/{role.id}", headers=ann.headers),  # type: ignore[misc]
        )
        with database.transaction() as session:
            left = session.get(Role, role.id) is not None
            given = session.scalars(select(RoleAssignment).where(RoleAssignment.role_id == role.id)).first() is not None
        assert left == given


def test_a_member_is_given_one_role_in_a_workspace_however_many_let_them_in_at_once(committing: Committing) -> None:
    app, database = committing.app, committing.database
    ann, ben = make_person(app, database, "ann"), make_person(app, database, "ben")
    body = {"name": "W"}
    workspace = data_of(app.test_client().post(f"{API}/workspaces", json=body, headers=ann.headers), 201)
    path = f"{API}/workspaces/{workspace['id']}/members"

    def let_in(role: str) -> Any:
        return app.test_client().post(path, json={"email": ben.user.email, "role": role}, headers=ann.headers)

    assert at_once(*[lambda role=role: let_in(role) for role in ("viewer", "editor", "admin")]) == [201, 409, 409]  # type: ignore[misc]
    app.test_client().delete(f"{API}/workspaces/{workspace['id']}", headers=ann.headers)


def test_there_is_an_end_to_the_roles_of_a_user(committing: Committing, monkeypatch: Any) -> None:
    monkeypatch.setattr("app.identity.roles.MOST_ASSIGNMENTS", 1)
    app, database = committing.app, committing.database
    ann, ben = make_person(app, database, "ann"), make_person(app, database, "ben")
    join(database, ben, ann.organization_id, "viewer")
    give(database, ben, "developer", Scope("organization", ann.organization_id))
    role = make_role(database, ann.organization_id, ["jobs:read"])
    gift = {"role_id": str(role.id), "scope": {"type": "organization", "id": str(ann.organization_id)}}
    refused = app.test_client().post(f"{API}/users/{ben.user.id}/roles", json=gift, headers=ann.headers)
    assert refused.status_code == 422
