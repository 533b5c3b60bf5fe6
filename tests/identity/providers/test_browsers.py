"""Logins at other providers: a real OpenID provider, GitHub's protocol, and all that must not let in."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select, text, update

from app.factory import create_app
from app.identity import User
from app.identity.models import ExternalAccount
from app.kernel.db import Database
from config.settings import Settings
from tests.support.github import GitHubSite
from tests.support.identity import PASSWORD, data_of, error_of, make_person
from tests.support.openid_provider import OpenId
from tests.support.openid_site import SECRET
from tests.support.provider_logins import AUTH, CLIENT, begin, come_back, log_in


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
