"""Alice owns, Bob is her team mate, Victor looks on, Charlie is a stranger."""

from __future__ import annotations

from uuid import UUID

import pytest
from flask import Flask

from app.kernel.db import Database
from app.tenancy import create_organization
from tests.support.identity import Person, join, make_person


@pytest.fixture
def alice(app: Flask, database: Database) -> Person:
    """The owner of the team."""
    return make_person(app, database, "alice")


@pytest.fixture
def charlie(app: Flask, database: Database) -> Person:
    """Somebody who has no part in the team, and has confirmed their address."""
    return make_person(app, database, "charlie", email_verified=True)


@pytest.fixture
def team(database: Database, alice: Person) -> UUID:
    """The organization that Alice owns, by its id."""
    with database.transaction() as session:
        return create_organization(session, alice.user.id, {"name": "Team A"}).id


@pytest.fixture
def bob(app: Flask, database: Database, team: UUID) -> Person:
    """A member of the team."""
    person = make_person(app, database, "bob")
    join(database, person, team, "member")
    return person


@pytest.fixture
def victor(app: Flask, database: Database, team: UUID) -> Person:
    """A viewer of the team."""
    person = make_person(app, database, "victor")
    join(database, person, team, "viewer")
    return person
