"""The second factor: an authenticator's codes, recovery codes, and the login that waits for one."""

from __future__ import annotations

import base64
import time
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, text, update

from app.identity.mfa import _totp
from app.identity.models import AccountMail, LoginThrottle, MfaFactor
from app.kernel.db import Database
from tests.identity.conftest import Committing
from tests.support.identity import PASSWORD, Person, data_of, error_of, make_person

MFA = "/api/v1/auth/mfa"
PROOF = {"current_password": PASSWORD}


def code_of(secret: str, steps: int = 0) -> str:
    """What an authenticator shows; `steps` of half a minute later."""
    totp = TOTP(base64.b32decode(secret), 6, SHA1(), 30)  # noqa: S303 - what authenticators speak
    return totp.generate(time.time() + 30 * steps).decode()


def enable(client: FlaskClient, person: Person) -> tuple[str, list[str]]:
    """Switch the second factor on; return its secret and the recovery codes."""
    secret = data_of(client.post(f"{MFA}/enable", json=PROOF, headers=person.headers))["secret"]
    body = {"code": code_of(secret, -1)}
    codes = data_of(client.post(f"{MFA}/verify", json=body, headers=person.headers))["recovery_codes"]
    return secret, codes


def begin(client: FlaskClient) -> str:
    """Log in with the password and return the token that goes on."""
    reply = client.post("/api/v1/auth/login", json={"username": "alice", "password": PASSWORD})
    error = error_of(reply, 403)
    assert (error["code"], error["details"]["methods"]) == ("MFA_REQUIRED", ["totp", "recovery_code"])
    assert "Set-Cookie" not in reply.headers
    token: str = error["details"]["session_token"]
    return token


def answer(client: FlaskClient, token: str, code: str, address: str = "127.0.0.1") -> Any:
    body = {"session_token": token, "code": code}
    return client.post(f"{MFA}/challenge", json=body, environ_base={"REMOTE_ADDR": address})


def wrong_for(secret: str) -> str:
    """A code that an authenticator does not show now."""
    shown = {code_of(secret, steps) for steps in (-1, 0, 1)}
    return next(code for code in ("000000", "000001", "000002", "000003") if code not in shown)


@pytest.fixture
def unlimited(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app.extensions["headrace"], "limited", False)


@pytest.mark.parametrize(
    ("moment", "code"),
    [(59, "287082"), (1111111109, "081804"), (1234567890, "005924"), (2000000000, "279037")],
)
def test_codes_are_those_of_rfc_6238(moment: int, code: str) -> None:
    assert _totp(b"12345678901234567890").generate(moment).decode() == code


def test_an_authenticator_is_enrolled_by_its_address(client: FlaskClient, alice: Person) -> None:
    made = data_of(client.post(f"{MFA}/enable", json=PROOF, headers=alice.headers))
    address = urlsplit(made["uri"])
    assert (address.scheme, address.netloc, unquote(address.path)) == ("otpauth", "totp", "/Headrace:alice@example.com")
    assert parse_qs(address.query)["secret"] == [made["secret"]]
    assert data_of(client.get(MFA, headers=alice.headers)) == {"enabled": False, "recovery_codes_left": 0}
    data_of(client.post("/api/v1/auth/login", json={"username": "alice", "password": PASSWORD}))


def test_logging_in_takes_a_code_from_then_on(client: FlaskClient, alice: Person) -> None:
    secret, codes = enable(client, alice)
    assert data_of(client.get(MFA, headers=alice.headers)) == {"enabled": True, "recovery_codes_left": 10}
    assert len(set(codes)) == 10
    reply = answer(client, begin(client), code_of(secret))
    data = data_of(reply)
    assert data["user"]["username"] == "alice"
    assert reply.headers.getlist("Set-Cookie")[0].startswith("refresh_token=")
    data_of(client.get("/api/v1/auth/me", headers={"Authorization": f"Bearer {data['access_token']}"}))


def test_a_code_works_once(client: FlaskClient, alice: Person) -> None:
    secret, _ = enable(client, alice)
    code = code_of(secret)
    token = begin(client)
    data_of(answer(client, token, code))
    assert error_of(answer(client, token, code_of(secret, 1)), 401)["code"] == "TOKEN_INVALID"
    assert error_of(answer(client, begin(client), code), 401)["code"] == "INVALID_CREDENTIALS"
    assert error_of(answer(client, begin(client), code_of(secret, -1)), 401)["code"] == "INVALID_CREDENTIALS"


def test_a_recovery_code_lets_in_once_and_is_read_as_people_write_it(client: FlaskClient, alice: Person) -> None:
    _, codes = enable(client, alice)
    data_of(answer(client, begin(client), codes[0].upper().replace("-", " ")))
    assert error_of(answer(client, begin(client), codes[0]), 401)["code"] == "INVALID_CREDENTIALS"
    data_of(answer(client, begin(client), codes[1]))
    assert data_of(client.get(MFA, headers=alice.headers))["recovery_codes_left"] == 8


@pytest.mark.usefixtures("unlimited")
def test_guesses_are_slowed_down_whatever_the_login_they_belong_to(
    client: FlaskClient, alice: Person, database: Database
) -> None:
    secret, _ = enable(client, alice)
    wrong = wrong_for(secret)
    for _ in range(5):
        assert error_of(answer(client, begin(client), wrong), 401)["details"] == {"field": "code"}
    refused = error_of(answer(client, begin(client), code_of(secret)), 429)
    assert refused["code"] == "RATE_LIMIT_EXCEEDED"
    with database.transaction() as session:
        session.execute(update(LoginThrottle).values(blocked_until=None))
    data_of(answer(client, begin(client), code_of(secret)))
    types = [row["type"] for row in data_of(client.get("/api/v1/auth/security-log", headers=alice.headers))]
    assert types.count("mfa_failed") == 5


@pytest.mark.usefixtures("unlimited")
def test_a_guesser_elsewhere_does_not_keep_the_owner_out(client: FlaskClient, alice: Person) -> None:
    secret, _ = enable(client, alice)
    for _ in range(5):
        error_of(answer(client, begin(client), wrong_for(secret), "192.0.2.9"), 401)
    error_of(answer(client, begin(client), code_of(secret), "192.0.2.9"), 429)
    data_of(answer(client, begin(client), code_of(secret)))


@pytest.mark.usefixtures("unlimited")
def test_a_guesser_with_many_addresses_is_slowed_down_but_not_the_owners_device(
    client: FlaskClient, app: Flask, alice: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret, codes = enable(client, alice)
    data_of(answer(client, begin(client), codes[0]))
    monkeypatch.setattr("app.identity.mfa.FREE_ELSEWHERE", 8)
    guesser = app.test_client()
    for number in range(8):
        error_of(answer(guesser, begin(guesser), wrong_for(secret), f"192.0.2.{number}"), 401)
    error_of(answer(guesser, begin(guesser), code_of(secret), "192.0.2.99"), 429)
    data_of(answer(client, begin(client), code_of(secret)))


def test_enrolling_takes_the_password_of_an_account_that_has_one(
    client: FlaskClient, app: Flask, alice: Person, database: Database
) -> None:
    missing = error_of(client.post(f"{MFA}/enable", headers=alice.headers), 422)
    assert missing["errors"][0]["field"] == "current_password"
    wrong = client.post(f"{MFA}/enable", json={"current_password": "wrong"}, headers=alice.headers)
    assert error_of(wrong, 401)["details"] == {"field": "current_password"}
    joined = make_person(app, database, "joined", password_hash=None)
    data_of(client.post(f"{MFA}/enable", headers=joined.headers))


def test_an_administrator_takes_a_lost_second_factor_away(
    client: FlaskClient, app: Flask, alice: Person, database: Database
) -> None:
    root = make_person(app, database, "root-admin", role="admin")
    enable(client, alice)
    waiting = begin(client)
    path = f"/api/v1/admin/users/{alice.user.id}/mfa"
    assert client.delete(path, headers=root.headers).status_code == 204
    assert error_of(client.get(MFA, headers=alice.headers), 401)["code"] == "TOKEN_REVOKED"
    assert error_of(answer(client, waiting, "123456"), 401)["code"] == "TOKEN_INVALID"
    login = data_of(client.post("/api/v1/auth/login", json={"username": "alice", "password": PASSWORD}))
    headers = {"Authorization": f"Bearer {login['access_token']}"}
    types = [row["type"] for row in data_of(client.get("/api/v1/auth/security-log", headers=headers))]
    assert "mfa_reset" in types
    with database.transaction() as session:
        mails = session.scalars(select(AccountMail).where(AccountMail.user_id == alice.user.id)).all()
        assert "mfa_reset" in {mail.details.get("notice") for mail in mails}
    entries = data_of(client.get("/api/v1/admin/audit-log?action=users:administer", headers=root.headers))
    assert {(entry["actor"], entry["resource_type"]) for entry in entries} >= {
        ("root-admin", "mfa_factor"),
        ("root-admin", "login_session"),
    }
    assert error_of(client.delete(path, headers=root.headers), 409)["code"] == "INVALID_STATE"


def test_administrators_do_not_take_their_own_second_factor_away(
    client: FlaskClient, app: Flask, alice: Person, database: Database
) -> None:
    root = make_person(app, database, "root-admin", role="admin")
    enable(client, root)
    own = client.delete(f"/api/v1/admin/users/{root.user.id}/mfa", headers=root.headers)
    assert error_of(own, 409)["code"] == "INVALID_STATE"
    assert client.delete(f"/api/v1/admin/users/{root.user.id}/mfa", headers=alice.headers).status_code == 403
    assert data_of(client.get(MFA, headers=root.headers))["enabled"] is True


def test_a_login_does_not_wait_for_ever_and_tokens_are_not_made_up(
    client: FlaskClient, alice: Person, database: Database
) -> None:
    secret, _ = enable(client, alice)
    token = begin(client)
    with database.transaction() as session:
        session.execute(text("UPDATE mfa_challenges SET expires_at = now() - interval '1 second'"))
    assert error_of(answer(client, token, code_of(secret)), 401)["code"] == "TOKEN_EXPIRED"
    assert error_of(answer(client, "not ours", code_of(secret)), 401)["code"] == "TOKEN_INVALID"


def test_a_login_that_waits_for_its_code_ends_when_the_password_is_changed(client: FlaskClient, alice: Person) -> None:
    _, codes = enable(client, alice)
    token = begin(client)
    body = {"current_password": PASSWORD, "new_password": "an even better battery"}
    assert client.post("/api/v1/auth/change-password", json=body, headers=alice.headers).status_code == 204
    assert error_of(answer(client, token, codes[0]), 401)["code"] == "TOKEN_INVALID"


def test_a_wrong_code_switches_nothing_on_or_off(client: FlaskClient, alice: Person) -> None:
    headers = {"headers": alice.headers}
    assert error_of(client.post(f"{MFA}/verify", json={"code": "123456"}, **headers), 409)["code"] == "INVALID_STATE"
    secret = data_of(client.post(f"{MFA}/enable", json=PROOF, **headers))["secret"]
    wrong = "000000" if code_of(secret) != "000000" else "000001"
    error_of(client.post(f"{MFA}/verify", json={"code": wrong}, **headers), 401)
    _, codes = enable(client, alice)
    error_of(client.post(f"{MFA}/disable", json={"code": wrong}, **headers), 401)
    assert error_of(client.post(f"{MFA}/enable", json=PROOF, **headers), 409)["code"] == "INVALID_STATE"
    assert error_of(client.post(f"{MFA}/verify", json={"code": wrong}, **headers), 409)["code"] == "INVALID_STATE"
    begin(client)
    assert client.post(f"{MFA}/disable", json={"code": codes[0]}, **headers).status_code == 204
    data_of(client.post("/api/v1/auth/login", json={"username": "alice", "password": PASSWORD}))


def test_secrets_and_codes_are_not_in_the_tables(client: FlaskClient, alice: Person, database: Database) -> None:
    secret, codes = enable(client, alice)
    token = begin(client)
    with database.transaction() as session:
        kept = session.get_one(MfaFactor, alice.user.id).sealed_secret
        rows = "SELECT t::text FROM recovery_codes t UNION ALL SELECT t::text FROM mfa_challenges t"
        rest = "".join(session.execute(text(rows)).scalars())
    assert base64.b32decode(secret) not in kept
    assert not any(shown in rest for shown in [token, *codes, *(code.replace("-", "") for code in codes)])


def test_one_code_sent_many_times_at_once_lets_in_once(committing: Committing) -> None:
    alice = make_person(committing.app, committing.database, "alice")
    secret, _ = enable(committing.app.test_client(), alice)
    tokens, together = [begin(committing.app.test_client()) for _ in range(4)], Barrier(4)
    code = code_of(secret)

    def attempt(token: str) -> int:
        together.wait(10)
        return int(answer(committing.app.test_client(), token, code).status_code)

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(attempt, tokens)) == [200, 401, 401, 401]
