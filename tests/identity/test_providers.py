"""Logins at other providers: a real OpenID provider, GitHub's protocol, and all that must not let in."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
import pytest
import requests
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select, text, update

from app.factory import create_app
from app.identity import User
from app.identity.models import ExternalAccount
from app.kernel.db import Database
from config.settings import Settings
from launcher.ports import free_port
from tests.support.contract import ContractClient
from tests.support.github import GitHubSite, github_site
from tests.support.identity import PASSWORD, data_of, error_of, make_person
from tests.support.openid_provider import OWN_ADDRESS, VERIFIER, OpenId, openid_provider
from tests.support.openid_site import SECRET

AUTH = "/api/v1/auth"
CLIENT = "headrace-tests"
CALLBACK = f"http://127.0.0.1:8000{AUTH}/corp/callback"


@pytest.fixture(scope="module")
def openid() -> Iterator[OpenId]:
    with openid_provider() as provider:
        provider.register(CLIENT, CALLBACK, OWN_ADDRESS)
        provider.register("somebody-else", OWN_ADDRESS)
        provider.add("dora-1", email="dora@example.com", email_verified=True, preferred_username="dora")
        provider.add("evil-1", email="dora@example.com", email_verified=False, preferred_username="dora")
        provider.add("odd-1", email="odd@example.com", email_verified=True, preferred_username="\u0430 b")
        yield provider


@pytest.fixture(scope="module")
def github() -> Iterator[GitHubSite]:
    with github_site() as site:
        yield site


@pytest.fixture
def site(settings: Settings, database: Database, hints: Any, openid: OpenId, github: GitHubSite) -> Flask:
    """An API whose users may log in at the providers."""
    client = {"client_id": CLIENT, "client_secret": SECRET}
    providers = {
        "corp": client | {"issuer": openid.issuer},
        "wrong": client | {"issuer": f"{openid.issuer}/"},
        "away": client | {"issuer": f"http://127.0.0.1:{free_port()}"},
        "github": client | {"issuer": github.url},
    }
    changed = replace(settings, oauth_providers=json.dumps(providers), rate_limits=False)
    app = create_app(changed, sender=hints, database=database)
    app.test_client_class = ContractClient
    return app


@pytest.fixture
def browser(site: Flask) -> FlaskClient:
    return site.test_client()


def begin(browser: FlaskClient, provider: str = "corp") -> str:
    began: str = data_of(browser.post(f"{AUTH}/{provider}"))["auth_url"]
    return began


def come_back(browser: FlaskClient, sent: dict[str, str], provider: str = "corp") -> Any:
    query = {name: sent[name] for name in ("code", "state")}
    return browser.get(f"{AUTH}/{provider}/callback", query_string=query)


def log_in(browser: FlaskClient, openid: OpenId, subject: str = "dora-1") -> Any:
    return come_back(browser, openid.log_in(begin(browser), subject))


def count_users(database: Database) -> int:
    with database.transaction() as session:
        return session.scalar(select(func.count()).select_from(User)) or 0


def test_a_browser_is_sent_to_the_provider_with_state_nonce_and_challenge(browser: FlaskClient, openid: OpenId) -> None:
    reply = browser.get(f"{AUTH}/corp")
    assert reply.status_code == 302
    address = urlsplit(reply.headers["Location"])
    asked = {name: values[0] for name, values in parse_qs(address.query).items()}
    assert f"{address.scheme}://{address.netloc}" == openid.issuer
    assert (asked["client_id"], asked["response_type"], asked["code_challenge_method"]) == (CLIENT, "code", "S256")
    assert asked["redirect_uri"].endswith(f"{AUTH}/corp/callback")
    assert all(len(asked[name]) >= 43 for name in ("state", "nonce", "code_challenge"))
    cookie = reply.headers["Set-Cookie"]
    assert {"HttpOnly", "SameSite=Lax", f"Path={AUTH}"} <= set(cookie.split("; "))


def test_the_first_login_makes_an_account_and_the_next_finds_it(
    browser: FlaskClient, openid: OpenId, database: Database
) -> None:
    first = data_of(log_in(browser, openid))
    assert (first["user"]["username"], first["user"]["email_verified"]) == ("dora", True)
    again = data_of(log_in(browser, openid))
    assert again["user"]["id"] == first["user"]["id"]
    headers = {"Authorization": f"Bearer {again['access_token']}"}
    assert data_of(browser.get(f"{AUTH}/me", headers=headers))["email"] == "dora@example.com"
    assert count_users(database) == 1


def test_a_name_that_is_taken_or_none_of_ours_is_changed(
    browser: FlaskClient, site: Flask, openid: OpenId, database: Database
) -> None:
    make_person(site, database, "Dora", email="other@example.com")
    made = data_of(log_in(browser, openid))["user"]["username"]
    assert made.startswith("dora-")
    assert data_of(log_in(browser, openid, "odd-1"))["user"]["username"].isascii()


def test_an_account_is_joined_by_an_address_that_both_have_verified(
    browser: FlaskClient, site: Flask, openid: OpenId, database: Database
) -> None:
    dora = make_person(site, database, "dora", email_verified=True)
    assert data_of(log_in(browser, openid))["user"]["id"] == str(dora.user.id)
    rows = data_of(browser.get(f"{AUTH}/security-log", headers=dora.headers))
    assert "provider_linked" in {row["type"] for row in rows}


def test_an_address_that_nobody_has_confirmed_here_is_not_joined(
    browser: FlaskClient, site: Flask, openid: OpenId, database: Database
) -> None:
    make_person(site, database, "dora")
    assert error_of(log_in(browser, openid), 409)["code"] == "INVALID_STATE"
    with database.transaction() as session:
        assert session.scalars(select(ExternalAccount)).all() == []


def test_an_address_that_the_provider_has_not_verified_lets_nobody_in(
    browser: FlaskClient, site: Flask, openid: OpenId, database: Database
) -> None:
    assert error_of(log_in(browser, openid, "evil-1"), 403)["code"] == "EMAIL_NOT_VERIFIED"
    make_person(site, database, "dora", email_verified=True)
    assert error_of(log_in(browser, openid, "evil-1"), 403)["code"] == "EMAIL_NOT_VERIFIED"


def test_a_disabled_account_is_not_entered_by_a_provider(
    browser: FlaskClient, openid: OpenId, database: Database
) -> None:
    data_of(log_in(browser, openid))
    with database.transaction() as session:
        session.execute(update(User).values(disabled_at=func.now()))
    assert error_of(log_in(browser, openid), 403)["code"] == "ACCOUNT_DISABLED"


def test_a_state_works_once_in_its_browser_and_for_its_provider(
    browser: FlaskClient, site: Flask, openid: OpenId, database: Database
) -> None:
    stranger = site.test_client()
    sent = openid.log_in(begin(browser), "dora-1")
    for other, provider in ((stranger, "corp"), (browser, "github")):
        assert error_of(come_back(other, sent, provider), 401)["code"] == "TOKEN_INVALID"
    data_of(come_back(browser, sent))
    assert error_of(come_back(browser, sent), 401)["code"] == "TOKEN_INVALID"
    late = openid.log_in(begin(browser), "dora-1")
    with database.transaction() as session:
        session.execute(text("UPDATE external_logins SET expires_at = now() - interval '1 second'"))
    assert error_of(come_back(browser, late), 401)["code"] == "TOKEN_INVALID"


def test_a_code_of_another_login_is_refused_by_its_challenge(browser: FlaskClient, openid: OpenId) -> None:
    theirs = openid.log_in(begin(browser), "dora-1")
    own = openid.log_in(begin(browser), "odd-1")
    mixed = {"code": theirs["code"], "state": own["state"]}
    assert error_of(come_back(browser, mixed), 401)["code"] == "INVALID_CREDENTIALS"


def test_a_made_up_code_says_nothing_of_what_the_provider_said(browser: FlaskClient, openid: OpenId) -> None:
    sent = openid.log_in(begin(browser), "dora-1") | {"code": "made-up"}
    error = error_of(come_back(browser, sent), 401)
    assert (error["code"], error["details"]) == ("INVALID_CREDENTIALS", {})


def test_an_application_logs_in_by_an_id_token_once(browser: FlaskClient, openid: OpenId) -> None:
    token = openid.id_token("dora-1", CLIENT, "n-1")
    body = {"id_token": token, "nonce": "n-1", "delivery": "body"}
    assert "refresh_token" in data_of(browser.post(f"{AUTH}/login/corp", json=body))
    assert error_of(browser.post(f"{AUTH}/login/corp", json=body), 401)["code"] == "TOKEN_REVOKED"


def test_id_tokens_for_others_old_ones_and_forgeries_are_refused(browser: FlaskClient, openid: OpenId) -> None:
    good = jwt.decode(openid.id_token("dora-1", CLIENT, "n-1"), options={"verify_signature": False})
    key = generate_private_key(65537, 2048)
    kid = jwt.get_unverified_header(openid.id_token("dora-1", CLIENT, "n-1")).get("kid")
    published = requests.get(f"{openid.issuer}/.well-known/jwks.json", timeout=10).json()["keys"][0]
    public = jwt.PyJWK(published).key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    bad = [
        openid.id_token("dora-1", "somebody-else", "n-1"),
        jwt.encode(good, key, "RS256", headers={"kid": kid} if kid else None),
        jwt.encode(good, key, "RS256", headers={"kid": "foreign"}),
        jwt.encode(good, None, "none"),
        _hmac_token(good, public),
        "a.b.c",
        "not a token",
    ]
    for token in bad:
        reply = browser.post(f"{AUTH}/login/corp", json={"id_token": token, "nonce": "n-1"})
        assert error_of(reply, 401)["code"] == "INVALID_CREDENTIALS", token
    wrong = {"id_token": openid.id_token("dora-1", CLIENT, "n-1"), "nonce": "n-2"}
    assert error_of(browser.post(f"{AUTH}/login/corp", json=wrong), 401)["code"] == "INVALID_CREDENTIALS"


def _hmac_token(claims: dict[str, Any], secret: bytes) -> str:
    """Sign with a public key as if it were a password, which PyJWT itself refuses to do."""
    algorithm = jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256)
    head = jwt.utils.base64url_encode(b'{"alg":"HS256","typ":"JWT"}')
    signed = head + b"." + jwt.utils.base64url_encode(json.dumps(claims).encode())
    return (signed + b"." + jwt.utils.base64url_encode(algorithm.sign(signed, secret))).decode()


def test_the_provider_insists_on_pkce_itself(openid: OpenId) -> None:
    """Else nothing of this file would say that the platform uses it rightly."""
    for changed in ({"code_challenge": None, "code_challenge_method": None}, {"code_challenge_method": "plain"}):
        sent = openid.log_in(openid.authorization_url(CLIENT, **changed), "dora-1")
        assert sent["error"] == "invalid_request", changed
    for verifier in (None, "w" * 43):
        code = openid.log_in(openid.authorization_url(CLIENT), "dora-1")["code"]
        refused = openid.exchange(CLIENT, code, code_verifier=verifier)
        assert (refused.status_code, refused.json()["error"]) in {(400, "invalid_grant"), (400, "invalid_request")}
        assert openid.exchange(CLIENT, code, code_verifier=VERIFIER).status_code == 200
        assert openid.exchange(CLIENT, code).status_code == 400
    code = openid.log_in(openid.authorization_url(CLIENT), "dora-1")["code"]
    assert openid.exchange(CLIENT, code, client_secret="wrong").status_code == 401


def test_an_application_logs_in_by_a_code_of_its_own(browser: FlaskClient, openid: OpenId) -> None:
    def come_with(**changed: str) -> Any:
        code = openid.log_in(openid.authorization_url(CLIENT, nonce="n-1"), "dora-1")["code"]
        body = {"code": code, "redirect_uri": OWN_ADDRESS, "code_verifier": VERIFIER, "nonce": "n-1"} | changed
        return browser.post(f"{AUTH}/login/corp", json={name: said for name, said in body.items() if said})

    assert data_of(come_with())["user"]["email"] == "dora@example.com"
    for changed in ({"code_verifier": ""}, {"code_verifier": "w" * 43}, {"redirect_uri": "http://other.example/"}):
        assert error_of(come_with(**changed), 401)["code"] == "INVALID_CREDENTIALS", changed
    assert error_of(come_with(nonce="n-2"), 401)["code"] == "INVALID_CREDENTIALS"


def test_a_code_that_was_sent_to_us_is_no_applications(browser: FlaskClient, openid: OpenId) -> None:
    asked = begin(browser)
    body = {"code": openid.log_in(asked, "dora-1")["code"]}
    ours = body | {"redirect_uri": parse_qs(urlsplit(asked).query)["redirect_uri"][0]}
    assert ours["redirect_uri"] == CALLBACK
    for taken in (ours, ours | {"code_verifier": "w" * 43}):
        refused = browser.post(f"{AUTH}/login/corp", json=taken)
        assert error_of(refused, 422)["errors"][0]["field"] == "redirect_uri"
    for half in ({"code": "x"}, {}, {"code": "x", "id_token": "y", "redirect_uri": "z"}):
        assert error_of(browser.post(f"{AUTH}/login/corp", json=half), 422)["code"] == "VALIDATION_ERROR"


def test_a_second_factor_is_asked_for_here_too(browser: FlaskClient, openid: OpenId, database: Database) -> None:
    user_id = data_of(log_in(browser, openid))["user"]["id"]
    with database.transaction() as session:
        factor = "INSERT INTO mfa_factors (user_id, sealed_secret, confirmed_at) VALUES (:id, '', now())"
        session.execute(text(factor), {"id": user_id})
    assert error_of(log_in(browser, openid), 403)["code"] == "MFA_REQUIRED"


def test_where_registration_is_closed_no_account_is_made(
    settings: Settings, database: Database, hints: Any, openid: OpenId
) -> None:
    providers = json.dumps({"corp": {"client_id": CLIENT, "client_secret": SECRET, "issuer": openid.issuer}})
    closed = replace(settings, oauth_providers=providers, registration_open=False)
    browser = create_app(closed, sender=hints, database=database).test_client()
    error_of(log_in(browser, openid), 403)
    assert count_users(database) == 0


def test_a_provider_that_is_away_unknown_or_another_is_told_apart(browser: FlaskClient) -> None:
    for _ in range(2):
        assert error_of(browser.get(f"{AUTH}/away"), 502)["code"] == "UPSTREAM_ERROR"
    assert error_of(browser.get(f"{AUTH}/wrong"), 401)["code"] == "INVALID_CREDENTIALS"
    assert error_of(browser.get(f"{AUTH}/nowhere"), 404)["details"]["resource_type"] == "provider"


def test_github_lets_in_by_its_primary_verified_address(
    browser: FlaskClient, github: GitHubSite, database: Database
) -> None:
    state = parse_qs(urlsplit(begin(browser, "github")).query)["state"][0]
    data = data_of(come_back(browser, {"code": "good", "state": state}, "github"))
    assert (data["user"]["username"], data["user"]["email"]) == ("octocat", "octocat@example.com")
    assert len(github.asked[-1]["code_verifier"]) >= 43
    state = parse_qs(urlsplit(begin(browser, "github")).query)["state"][0]
    assert error_of(come_back(browser, {"code": "bad", "state": state}, "github"), 401)["code"] == "INVALID_CREDENTIALS"
    refused = browser.post(f"{AUTH}/login/github", json={"id_token": "x"})
    assert error_of(refused, 401)["code"] == "INVALID_CREDENTIALS"


def test_github_with_an_unverified_address_or_in_trouble_lets_nobody_in(
    browser: FlaskClient, github: GitHubSite
) -> None:
    emails, github.emails = github.emails, [{"email": "a@example.com", "primary": True, "verified": False}]
    try:
        state = parse_qs(urlsplit(begin(browser, "github")).query)["state"][0]
        refused = come_back(browser, {"code": "good", "state": state}, "github")
        assert error_of(refused, 403)["code"] == "EMAIL_NOT_VERIFIED"
        github.status = 503
        state = parse_qs(urlsplit(begin(browser, "github")).query)["state"][0]
        away = come_back(browser, {"code": "good", "state": state}, "github")
        assert error_of(away, 502)["code"] == "UPSTREAM_ERROR"
    finally:
        github.emails, github.status = emails, 200


def test_an_account_of_a_provider_has_no_password_to_guess(browser: FlaskClient, openid: OpenId) -> None:
    data_of(log_in(browser, openid))
    began = time.monotonic()
    refused = browser.post(f"{AUTH}/login", json={"username": "dora", "password": PASSWORD})
    assert error_of(refused, 401)["code"] == "INVALID_CREDENTIALS"
    assert time.monotonic() - began > 0.01
