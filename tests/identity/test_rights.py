"""What ends with a login or a membership: the stream process asks."""

from __future__ import annotations

from typing import NamedTuple
from uuid import UUID, uuid4

from flask import Flask
from sqlalchemy import delete, func, update

from app.identity import Membership, Role, RoleAssignment, Scope, User, rights_ended, sessions_ended
from app.identity.logins import end_logins
from app.identity.models import LoginSession
from app.kernel.db import Database
from tests.support.identity import Person, join, make_person
from tests.support.rights import give, make_role


class Right(NamedTuple):
    session_id: UUID | None
    organization_id: UUID | None
    permission: str = "jobs:read"
    key_id: UUID | None = None

    @property
    def places(self) -> tuple[UUID, ...]:
        return (self.organization_id,) if self.organization_id else ()


def test_logins_end_by_logout_by_disabling_and_by_never_having_been(
    app: Flask, alice: Person, database: Database
) -> None:
    bob, charlie = make_person(app, database, "bob"), make_person(app, database, "charlie")
    unknown = uuid4()
    with database.transaction() as session:
        end_logins(session, LoginSession.id == bob.session_id, reason="logout")
        session.execute(update(User).where(User.id == charlie.user.id).values(disabled_at=func.now()))
        asked = [alice.session_id, bob.session_id, charlie.session_id, unknown]
        assert sessions_ended(session, asked) == {bob.session_id, charlie.session_id, unknown}
        assert sessions_ended(session, []) == set()


def test_a_right_ends_with_the_membership_and_no_other(app: Flask, alice: Person, database: Database) -> None:
    bob = make_person(app, database, "bob")
    join(database, bob, alice.organization_id, "viewer")
    own, shared = Right(bob.session_id, bob.organization_id), Right(bob.session_id, alice.organization_id)
    unbound = Right(bob.session_id, None)
    with database.transaction() as session:
        assert rights_ended(session, [own, shared, unbound]) == []
        session.execute(
            delete(Membership).where(
                Membership.user_id == bob.user.id, Membership.organization_id == alice.organization_id
            )
        )
        assert rights_ended(session, [own, shared, unbound]) == [shared]


def test_rights_end_with_the_login_and_without_one_there_are_none(alice: Person, database: Database) -> None:
    rights = [Right(alice.session_id, alice.organization_id), Right(alice.session_id, None)]
    with database.transaction() as session:
        assert rights_ended(session, [*rights, Right(None, None)]) == [Right(None, None)]
        end_logins(session, LoginSession.id == alice.session_id, reason="logout")
        assert rights_ended(session, rights) == rights


def test_somebody_without_any_membership_reaches_no_organization(alice: Person, database: Database) -> None:
    with database.transaction() as session:
        session.execute(delete(Membership))
        lost = Right(alice.session_id, alice.organization_id)
        assert rights_ended(session, [lost, Right(alice.session_id, None)]) == [lost]


def test_administrators_listen_everywhere(app: Flask, alice: Person, database: Database) -> None:
    admin = make_person(app, database, "root-admin", role="admin")
    with database.transaction() as session:
        assert rights_ended(session, [Right(admin.session_id, alice.organization_id)]) == []


def test_a_right_ends_with_the_permission_it_takes(app: Flask, alice: Person, database: Database) -> None:
    bob = make_person(app, database, "bob")
    role = make_role(database, alice.organization_id, ["jobs:read", "executions:read"])
    give(database, bob, role, Scope("organization", alice.organization_id))
    rights = [Right(bob.session_id, alice.organization_id, verb) for verb in ("jobs:read", "executions:read")]
    with database.transaction() as session:
        assert rights_ended(session, rights) == []
        session.execute(update(Role).where(Role.id == role.id).values(permissions=["jobs:read"]))
        assert rights_ended(session, rights) == rights[1:]
        session.execute(delete(RoleAssignment).where(RoleAssignment.role_id == role.id))
        assert rights_ended(session, rights) == rights
