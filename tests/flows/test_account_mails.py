"""Accounts on a running platform: mails become files on one machine, and no process says a secret."""

from __future__ import annotations

from urllib.parse import urlsplit

from tests.support.callers import PASSWORD, Caller, User
from tests.support.mail import mail_to, token_of
from tests.support.platform import PROCESSES, Platform

NEW_PASSWORD, WRONG_PASSWORD, VALUE = "canary of another password", "canary of a wrong password", "canary-of-a-value"


def test_an_address_is_confirmed_a_password_reset_and_no_process_says_a_secret(platform: Platform) -> None:
    mallory = User.registered(platform.base, "mailed")
    visitor, address = Caller(platform.base), "mailed@example.com"
    confirming = token_of(mail_to(platform, address, "Confirm your email address"))
    visitor.post("/auth/verify-email", {"token": confirming}).data()
    assert mallory.get("/auth/me").data()["email_verified"] is True
    assert visitor.post("/auth/login", {"username": "mailed", "password": WRONG_PASSWORD}).status == 401
    key = mallory.post("/api-keys", {"name": "k", "scopes": ["jobs:read"]}).data(201)["key"]
    Caller(platform.base, key).get("/jobs").data()
    workspace = mallory.post("/workspaces", {"name": "Mailed"}).data(201)["id"]
    mallory.post(f"/workspaces/{workspace}/secrets", {"name": "TOKEN", "value": VALUE}).data(201)
    visitor.post("/auth/forgot-password", {"email": address}).data()
    resetting = token_of(mail_to(platform, address, "Reset your password"))
    visitor.post("/auth/reset-password", {"token": resetting, "new_password": NEW_PASSWORD}).data()
    assert mallory.get("/auth/me").status == 401
    mail_to(platform, address, "Your password was changed")
    again = visitor.post("/auth/login", {"username": "mailed", "password": NEW_PASSWORD}).data()["access_token"]
    own = {platform.environment[name] for name in ("SECRET_KEY", "ADMIN_PASSWORD")}
    own |= {str(urlsplit(platform.environment[name]).password) for name in ("DATABASE_URL", "REDIS_URL")}
    planted = {PASSWORD, NEW_PASSWORD, WRONG_PASSWORD, VALUE, key, confirming, resetting, mallory.token, again}
    said = {name: platform.log(name) for name in PROCESSES}
    assert any(said.values())
    assert [(name, secret) for name, log in said.items() for secret in planted | own if secret in log] == []
