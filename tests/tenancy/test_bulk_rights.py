"""What thousands of members may is read at once, and is what each of them may."""

from __future__ import annotations

import pytest
from flask import Flask
from sqlalchemy import event, update

from app.identity import User, read_rights, read_rights_of
from app.kernel.clock import database_now
from app.kernel.db import Database
from app.kernel.ids import new_id
from app.tenancy import Rights
from tests.support.identity import join, make_person

pytestmark = pytest.mark.slow


def test_what_many_may_is_what_each_may_and_costs_one_query(app: Flask, database: Database) -> None:
    alice, bob, eve = (make_person(app, database, name) for name in ("alice", "bob", "eve"))
    join(database, bob, alice.organization_id, "viewer")
    with database.transaction() as session:
        session.execute(update(User).where(User.id == eve.user.id).values(disabled_at=database_now()))
    ids = [person.user.id for person in (alice, bob, eve)]
    with database.transaction() as session:
        asked: list[str] = []
        event.listen(session.connection(), "before_cursor_execute", lambda *about: asked.append(about[2]))
        found = read_rights_of(session, [*ids, new_id()])
        assert len(asked) == 1
        assert found == {user_id: rights for user_id in ids if (rights := read_rights(session, user_id))}
        assert set(found) == {alice.user.id, bob.user.id}
        assert Rights(session).role_of(eve.user.id, alice) is None  # type: ignore[arg-type]
