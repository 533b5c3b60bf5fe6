"""Mails about accounts: confirmed addresses, forgotten passwords, notices; their tokens and what they leave behind."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select, text, update

from app import jobs
from app.identity import User
from app.identity.account_mails import ask_for_reset, ask_for_verification
from app.identity.models import AccountMail, AccountToken, ExternalAccount
from app.identity.routes import mails as routes
from app.kernel.crypto import hash_token
from app.kernel.db import Database
from config.settings import Settings
from tasks.identity.gateways import MailAway
from tests.identity.conftest import Committing
from tests.support.identity import PASSWORD, Person, data_of, error_of, make_person
from tests.support.mail import MailTools, text_of, token_of
from tests.support.work import drain

AUTH = "/api/v1/auth"
NEW = "an even better battery"


@pytest.fixture
def tools(settings: Settings, tmp_path: Path) -> MailTools:
    return MailTools(settings, tmp_path / "mail")


def forget(client: FlaskClient, email: str = "alice@example.com") -> Any:
    return client.post(f"{AUTH}/forgot-password", json={"email": email})


def reset(client: FlaskClient, token: str, password: str = NEW) -> Any:
    return client.post(f"{AUTH}/reset-password", json={"token": token, "new_password": password})


def verify(client: FlaskClient, token: str) -> Any:
    return client.post(f"{AUTH}/verify-email", json={"token": token})


def log_in(client: FlaskClient, password: str, agent: str = "tests") -> Any:
    body = {"username": "alice", "password": password}
    return client.post(f"{AUTH}/login", json=body, headers={"User-Agent": agent})


def test_registering_brings_a_mail_that_confirms_the_address(
    client: FlaskClient, database: Database, tools: MailTools
) -> None:
    body = {"username": "alice", "email": "alice@example.com", "password": PASSWORD}
    headers = {"Authorization": f"Bearer {data_of(client.post(f'{AUTH}/register', json=body), 201)['access_token']}"}
    assert drain(database, tools) == 1
    (mail,) = tools.mails
    assert (mail["To"], mail["Subject"]) == ("alice@example.com", "Confirm your email address")
    data_of(verify(client, token_of(mail)))
    assert data_of(client.get(f"{AUTH}/me", headers=headers))["email_verified"] is True
    assert error_of(verify(client, token_of(mail)), 401)["code"] == "TOKEN_REVOKED"
    again = client.post(f"{AUTH}/send-verification", headers=headers)
    assert error_of(again, 409)["code"] == "INVALID_STATE"


def test_another_mail_may_be_asked_for_and_either_confirms(
    client: FlaskClient, alice: Person, database: Database, tools: MailTools
) -> None:
    for _ in range(2):
        data_of(client.post(f"{AUTH}/send-verification", headers=alice.headers))
    assert drain(database, tools) == 2
    first, second = map(token_of, tools.mails)
    data_of(verify(client, first))
    assert error_of(verify(client, second), 401)["code"] == "TOKEN_REVOKED"


def test_a_new_address_is_confirmed_anew_and_the_old_one_is_told(
    client: FlaskClient, alice: Person, database: Database, tools: MailTools
) -> None:
    data_of(client.post(f"{AUTH}/send-verification", headers=alice.headers))
    drain(database, tools)
    old_token = token_of(tools.mails[0])
    data_of(
        client.patch(
            "/api/v1/users/me", json={"email": "new@example.com", "current_password": PASSWORD}, headers=alice.headers
        )
    )
    drain(database, tools)
    told = {mail["To"]: mail["Subject"] for mail in tools.mails[1:]}
    assert told == {"alice@example.com": "Your address was changed", "new@example.com": "Confirm your email address"}
    assert error_of(verify(client, old_token), 401)["code"] == "TOKEN_REVOKED"


def test_a_forgotten_password_is_replaced_and_all_logins_end(
    client: FlaskClient, alice: Person, database: Database, tools: MailTools
) -> None:
    data_of(forget(client, "Alice@Example.com"))
    drain(database, tools)
    (mail,) = tools.mails
    assert mail["To"] == "alice@example.com"
    data_of(reset(client, token_of(mail)))
    assert error_of(client.get(f"{AUTH}/me", headers=alice.headers), 401)["code"] == "TOKEN_REVOKED"
    error_of(log_in(client, PASSWORD), 401)
    assert data_of(log_in(client, NEW))["user"]["email_verified"] is True
    assert error_of(reset(client, token_of(mail)), 401)["code"] == "TOKEN_REVOKED"
    drain(database, tools)
    assert "Your password was changed" in {mail["Subject"] for mail in tools.mails}


def test_whoever_made_an_account_in_anothers_name_is_out_of_it_once_the_owner_comes(
    client: FlaskClient, alice: Person, database: Database, tools: MailTools
) -> None:
    made = data_of(
        client.post("/api/v1/api-keys", json={"name": "left", "scopes": ["jobs:read"]}, headers=alice.headers), 201
    )
    with database.transaction() as session:
        session.add(ExternalAccount(user_id=alice.user.id, provider="corp", subject="mallory"))
    data_of(forget(client))
    drain(database, tools)
    data_of(reset(client, token_of(tools.mails[0])))
    assert error_of(client.get(f"{AUTH}/verify", headers={"X-API-Key": made["key"]}), 401)["code"] == "TOKEN_REVOKED"
    with database.transaction() as session:
        assert session.scalars(select(ExternalAccount)).all() == []


def test_the_owner_of_a_confirmed_address_keeps_their_keys(
    client: FlaskClient, alice: Person, database: Database, tools: MailTools
) -> None:
    with database.transaction() as session:
        session.execute(update(User).where(User.id == alice.user.id).values(email_verified=True))
    made = data_of(
        client.post("/api/v1/api-keys", json={"name": "mine", "scopes": ["jobs:read"]}, headers=alice.headers), 201
    )
    data_of(forget(client))
    drain(database, tools)
    data_of(reset(client, token_of(tools.mails[0])))
    data_of(client.get(f"{AUTH}/verify", headers={"X-API-Key": made["key"]}))


def test_a_weak_password_does_not_use_the_token_up(
    client: FlaskClient, alice: Person, database: Database, tools: MailTools
) -> None:
    forget(client)
    drain(database, tools)
    token = token_of(tools.mails[0])
    (fault,) = error_of(reset(client, token, "password1"), 422)["errors"]
    assert fault["field"] == "new_password"
    data_of(reset(client, token))


def test_the_answer_does_not_tell_whether_an_address_exists(
    client: FlaskClient, alice: Person, database: Database, tools: MailTools
) -> None:
    known, unknown = forget(client), forget(client, "nobody@example.com")
    assert data_of(known) == data_of(unknown) == routes.SENT
    with database.transaction() as session:
        made = session.execute(select(AccountMail.kind, AccountMail.user_id)).all()
    assert made == [("password_reset", None)] * 2
    assert drain(database, tools) == 2
    assert len(tools.mails) == 1


def test_a_token_is_good_for_its_purpose_and_time_only(
    client: FlaskClient, alice: Person, database: Database, tools: MailTools
) -> None:
    forget(client)
    data_of(client.post(f"{AUTH}/send-verification", headers=alice.headers))
    drain(database, tools)
    tokens = {mail["Subject"]: token_of(mail) for mail in tools.mails}
    resetting, confirming = tokens["Reset your password"], tokens["Confirm your email address"]
    for wrong in (confirming, "not ours", "\u00e9"):
        assert error_of(reset(client, wrong), 401)["code"] == "TOKEN_INVALID"
    assert error_of(verify(client, resetting), 401)["code"] == "TOKEN_INVALID"
    with database.transaction() as session:
        lives = dict(session.execute(select(AccountToken.purpose, AccountToken.expires_at - func.now())).all())
        assert timedelta(minutes=59) < lives["reset_password"] < timedelta(minutes=61)
        assert timedelta(hours=23) < lives["verify_email"] < timedelta(hours=25)
        session.execute(update(AccountToken).values(expires_at=func.now() - timedelta(seconds=1)))
    assert error_of(reset(client, resetting), 401)["code"] == "TOKEN_EXPIRED"
    assert error_of(verify(client, confirming), 401)["code"] == "TOKEN_EXPIRED"


def test_a_disabled_account_gets_no_reset(
    client: FlaskClient, alice: Person, database: Database, tools: MailTools
) -> None:
    forget(client)
    with database.transaction() as session:
        session.execute(update(User).values(disabled_at=func.now()))
    drain(database, tools)
    assert tools.mails == []


def test_a_login_from_a_new_place_is_noticed_and_the_next_one_from_there_is_not(
    client: FlaskClient, app: Flask, alice: Person, database: Database, tools: MailTools
) -> None:
    data_of(log_in(client, PASSWORD, "<b>phone</b>"))
    data_of(log_in(client, PASSWORD, "<b>phone</b>"))
    data_of(log_in(app.test_client(), PASSWORD, "<b>phone</b>"))
    drain(database, tools)
    (mail,) = tools.mails
    assert mail["Subject"] == "A new login to your account"
    assert "<b>phone</b>" in " ".join(text_of(mail).split())
    html = mail.get_body(("html",))
    assert html is not None
    assert "&lt;b&gt;phone" in html.get_content()


def test_a_mail_whose_server_was_away_is_sent_later_with_a_good_token(
    client: FlaskClient, alice: Person, database: Database, tools: MailTools
) -> None:
    forget(client)
    mailer = tools.mailer

    class Away:
        def send(self, mail: Any) -> None:
            raise MailAway(retry_after=0.0)

    tools.mailer = Away()
    with pytest.raises(AssertionError):
        drain(database, tools, most=2)
    tools.mailer = mailer
    drain(database, tools)
    data_of(reset(client, token_of(tools.mails[0])))


def test_an_address_is_not_flooded_whoever_asks(
    client: FlaskClient, alice: Person, database: Database, tools: MailTools
) -> None:
    for _ in range(12):
        with database.transaction() as session:
            ask_for_verification(session, session.get_one(User, alice.user.id))
    drain(database, tools)
    assert len(tools.mails) == 10


def test_an_address_written_in_other_letters_is_not_flooded_either(
    client: FlaskClient, alice: Person, database: Database, tools: MailTools
) -> None:
    for position in range(12):
        name = alice.user.email
        with database.transaction() as session:
            ask_for_reset(session, name[:position].upper() + name[position:])
    drain(database, tools)
    assert len(tools.mails) == 10


def test_nothing_secret_is_in_jobs_or_tables(
    client: FlaskClient, alice: Person, database: Database, tools: MailTools
) -> None:
    forget(client)
    drain(database, tools)
    token = token_of(tools.mails[0])
    with database.transaction() as session:
        rows = session.execute(text("SELECT t::text FROM account_tokens t UNION ALL SELECT t::text FROM jobs t"))
        kept = "".join(rows.scalars()) + "".join(session.execute(text("SELECT t::text FROM account_mails t")).scalars())
        payload = session.scalars(select(jobs.Job.payload)).one()
    assert token not in kept
    assert hash_token(token) in kept
    assert set(payload) == {"mail_id"}


@pytest.mark.parametrize(
    "email",
    [
        "alice@example.com\r\nBcc: all@example.com",
        "a\u0142ice@example.com",
        "alice@ex\u0430mple.com",
        "alice",
        "\u212aate@x.io",
    ],
)
def test_addresses_that_inject_headers_or_look_like_others_are_refused(client: FlaskClient, email: str) -> None:
    faults = error_of(forget(client, email), 422)["errors"]
    assert {fault["field"] for fault in faults} == {"email"}
    body = {"username": "mallory", "email": email, "password": PASSWORD}
    assert error_of(client.post(f"{AUTH}/register", json=body), 422)


def test_of_many_resets_at_once_one_succeeds(committing: Committing, settings: Settings, tools: MailTools) -> None:
    make_person(committing.app, committing.database, "alice")
    forget(committing.app.test_client())
    drain(committing.database, tools)
    token, together = token_of(tools.mails[0]), Barrier(4)

    def attempt(number: int) -> int:
        together.wait(10)
        return int(reset(committing.app.test_client(), token, f"{NEW} {number}").status_code)

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(attempt, range(4))) == [200, 401, 401, 401]
