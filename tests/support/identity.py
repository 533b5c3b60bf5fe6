"""People: accounts made as a registration makes them, their logins, and their roles in organizations."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any
from uuid import UUID

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from werkzeug.test import TestResponse

from app import tenancy
from app.identity import Membership, User, register
from app.identity.logins import Origin, open_login
from app.identity.passwords import hash_password
from app.identity.tokens import issue_token
from app.kernel.db import Database

PASSWORD = "correct horse battery"


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody with an account, a personal organization and a login."""

    user: User
    organization_id: UUID
    session_id: UUID
    access_token: str
    refresh_token: str

    @property
    def headers(self) -> dict[str, str]:
        """What their requests carry."""
        return {"Authorization": f"Bearer {self.access_token}"}


@cache
def password_hash() -> str:
    """The hash of PASSWORD; made once, for it takes a tenth of a second."""
    return hash_password(PASSWORD)


def make_person(app: Flask, database: Database, username: str, **fields: Any) -> Person:
    """Make an account of this name, log it in and return it; `fields` are set on its row."""
    with database.transaction() as session:
        user = register(session, username, f"{username}@example.com", password_hash())
        for name, value in fields.items():
            setattr(user, name, value)
        session.flush()
        login = open_login(session, user, Origin("127.0.0.1", "tests"), 3600)
        organization = tenancy.Organization
        organization_id = session.scalars(select(organization.id).where(organization.owner_id == user.id)).one()
    with app.app_context():
        token = issue_token(user.id, login.session_id)
    return Person(user, organization_id, login.session_id, token, login.refresh_token)


def join(database: Database, person: Person, organization_id: UUID, role: str) -> None:
    """Give a person a role in an organization."""
    with database.transaction() as session:
        session.add(Membership(user_id=person.user.id, organization_id=organization_id, role=role))


def refresh(client: FlaskClient, token: str) -> TestResponse:
    """Refresh with a token in the body, as a client without cookies does."""
    return client.post("/api/v1/auth/refresh", json={"refresh_token": token})


def data_of(response: TestResponse, status: int = 200) -> Any:
    """Return the data of a reply that has to have this status."""
    assert response.status_code == status, response.get_data(as_text=True)
    return response.get_json()["data"]


def error_of(response: TestResponse, status: int) -> dict[str, Any]:
    """Return the error of a reply that has to have this status."""
    assert response.status_code == status, response.get_data(as_text=True)
    error: dict[str, Any] = response.get_json()["error"]
    return error
