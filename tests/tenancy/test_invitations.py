"""Invitations: Alice owns the team, Charlie is asked to join it, Dora is not."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, text, update

from app.identity import Membership, User
from app.kernel.clock import utc_now
from app.kernel.db import Database
from app.kernel.events import EventRecord
from app.tenancy.models import Invitation
from config.settings import Settings
from tests.support.identity import Person, data_of, error_of, join, make_person
from tests.support.mail import MailTools, text_of, token_of
from tests.support.work import drain

ACCEPT = "/api/v1/organizations/invitations/{}/accept"


@pytest.fixture
def path(team: UUID) -> str:
    return f"/api/v1/organizations/{team}/invitations"


@pytest.fixture
def dora(app: Flask, database: Database) -> Person:
    return make_person(app, database, "dora")


def invite(client: FlaskClient, path: str, by: Person, role: str = "member") -> dict[str, Any]:
    body = {"email": "Charlie@Example.com", "role": role}
    made: dict[str, Any] = data_of(client.post(path, json=body, headers=by.headers), 201)
    return made


def accept(client: FlaskClient, made: dict[str, Any], person: Person) -> Any:
    return client.post(ACCEPT.format(made["token"]), headers=person.headers)


def test_who_is_invited_joins_by_the_token(
    client: FlaskClient, path: str, alice: Person, charlie: Person, team: UUID, database: Database
) -> None:
    made = invite(client, path, alice)
    (listed,) = data_of(client.get(path, headers=alice.headers))
    assert listed == {name: value for name, value in made.items() if name != "token"}
    joined = data_of(accept(client, made, charlie))
    assert (joined["organization_id"], joined["role"], joined["username"]) == (str(team), "member", "charlie")
    assert data_of(client.get(f"/api/v1/organizations/{team}", headers=charlie.headers))["member_count"] == 2
    assert data_of(client.get(path, headers=alice.headers)) == []
    with database.transaction() as session:
        types = session.scalars(select(EventRecord.type).where(EventRecord.organization_id == team)).all()
        kept = str(session.execute(text("SELECT invitations::text FROM invitations")).scalar_one())
    assert {"organization.invitation_created", "organization.member_added"} <= set(types)
    assert made["token"] not in kept


def test_an_invitation_works_once_and_for_its_address_alone(
    client: FlaskClient, path: str, alice: Person, charlie: Person, dora: Person
) -> None:
    made = invite(client, path, alice)
    assert error_of(accept(client, made, dora), 404)["code"] == "RESOURCE_NOT_FOUND"
    assert error_of(accept(client, {"token": "made-up"}, charlie), 404)["code"] == "RESOURCE_NOT_FOUND"
    data_of(accept(client, made, charlie))
    assert error_of(accept(client, made, charlie), 409)["code"] == "INVALID_STATE"
    assert error_of(accept(client, made, dora), 404)["code"] == "RESOURCE_NOT_FOUND"


def test_an_invitation_waits_until_its_address_is_confirmed(
    client: FlaskClient, path: str, alice: Person, charlie: Person, database: Database
) -> None:
    made = invite(client, path, alice)
    with database.transaction() as session:
        session.execute(update(User).where(User.id == charlie.user.id).values(email_verified=False))
    assert error_of(accept(client, made, charlie), 403)["code"] == "EMAIL_NOT_VERIFIED"
    with database.transaction() as session:
        session.execute(update(User).where(User.id == charlie.user.id).values(email_verified=True))
    data_of(accept(client, made, charlie))


def test_an_invitation_ends_after_seven_days_and_makes_room_for_another(
    client: FlaskClient, path: str, alice: Person, charlie: Person, database: Database
) -> None:
    made = invite(client, path, alice)
    with database.transaction() as session:
        session.execute(update(Invitation).values(expires_at=utc_now() - timedelta(seconds=1)))
    assert error_of(accept(client, made, charlie), 409)["code"] == "INVALID_STATE"
    data_of(accept(client, invite(client, path, alice), charlie))


def test_a_cancelled_invitation_lets_nobody_in(
    client: FlaskClient, path: str, alice: Person, charlie: Person, dora: Person
) -> None:
    made = invite(client, path, alice)
    one = f"/api/v1/organizations/invitations/{made['id']}"
    assert client.delete(one, headers=dora.headers).status_code == 404
    assert client.delete(one, headers=alice.headers).status_code == 204
    assert error_of(accept(client, made, charlie), 409)["code"] == "INVALID_STATE"
    assert error_of(client.delete(one, headers=alice.headers), 409)["code"] == "INVALID_STATE"


def test_who_is_a_member_or_invited_already_is_not_invited_again(
    client: FlaskClient, path: str, alice: Person, bob: Person
) -> None:
    invite(client, path, alice)
    for email in ("charlie@example.com", "BOB@example.com"):
        again = client.post(path, json={"email": email, "role": "viewer"}, headers=alice.headers)
        assert error_of(again, 409)["code"] == "RESOURCE_ALREADY_EXISTS"


def test_nobody_invites_beyond_themselves_and_nobody_invites_an_owner(
    client: FlaskClient, path: str, alice: Person, bob: Person, charlie: Person
) -> None:
    body = {"email": "x@example.com", "role": "viewer"}
    assert error_of(client.post(path, json=body, headers=bob.headers), 403)["details"] == {
        "required_permission": "members:write"
    }
    assert client.post(path, json=body, headers=charlie.headers).status_code == 404
    assert client.post(path, json=body | {"role": "owner"}, headers=alice.headers).status_code == 422
    for email in ("no address", "a@b.example\r\nBcc: c@d.example", "x" * 300 + "@example.com"):
        assert client.post(path, json=body | {"email": email}, headers=alice.headers).status_code == 422


def test_an_invitation_is_worth_what_its_inviter_may_at_that_moment(
    client: FlaskClient, app: Flask, path: str, alice: Person, charlie: Person, team: UUID, database: Database
) -> None:
    anna = make_person(app, database, "anna")
    join(database, anna, team, "admin")
    made = invite(client, path, anna, "admin")
    with database.transaction() as session:
        session.execute(update(Membership).where(Membership.user_id == anna.user.id).values(role="viewer"))
    assert error_of(accept(client, made, charlie), 409)["code"] == "INVALID_STATE"


def test_the_invited_address_gets_a_mail_with_the_token(
    client: FlaskClient, path: str, alice: Person, database: Database, settings: Settings, tmp_path: Path
) -> None:
    tools = MailTools(settings, tmp_path)
    made = invite(client, path, alice)
    drain(database, tools)
    (mail,) = tools.mails
    assert (mail["To"], mail["Subject"]) == ("Charlie@Example.com", "An invitation")
    assert token_of(mail) == made["token"]
    assert "alice invites you to the organization" in " ".join(text_of(mail).split())


def test_a_cancelled_invitation_is_not_mailed(
    client: FlaskClient, path: str, alice: Person, database: Database, settings: Settings, tmp_path: Path
) -> None:
    tools = MailTools(settings, tmp_path)
    made = invite(client, path, alice)
    cancelled = client.delete(f"/api/v1/organizations/invitations/{made['id']}", headers=alice.headers)
    assert cancelled.status_code == 204
    drain(database, tools)
    assert tools.mails == []
