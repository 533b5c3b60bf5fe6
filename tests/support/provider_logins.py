"""Logins at other providers, as browsers have them."""

from __future__ import annotations

from typing import Any

from flask.testing import FlaskClient

from tests.support.identity import data_of
from tests.support.openid_provider import OpenId

AUTH = "/api/v1/auth"
CLIENT = "headrace-tests"
CALLBACK = f"http://127.0.0.1:8000{AUTH}/corp/callback"


def begin(browser: FlaskClient, provider: str = "corp") -> str:
    """Begin a login; return where the browser goes."""
    began: str = data_of(browser.post(f"{AUTH}/{provider}"))["auth_url"]
    return began


def come_back(browser: FlaskClient, sent: dict[str, str], provider: str = "corp") -> Any:
    """Come back with what a provider has sent."""
    query = {name: sent[name] for name in ("code", "state")}
    return browser.get(f"{AUTH}/{provider}/callback", query_string=query)


def log_in(browser: FlaskClient, openid: OpenId, subject: str = "dora-1") -> Any:
    """Log in at the OpenID provider, all the way."""
    return come_back(browser, openid.log_in(begin(browser), subject))
