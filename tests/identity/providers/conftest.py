"""An API whose users may log in at an OpenID provider and at GitHub, which run beside it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.factory import create_app
from app.kernel.db import Database
from config.settings import Settings
from launcher.ports import free_port
from tests.support.contract import ContractClient
from tests.support.github import GitHubSite, github_site
from tests.support.openid_provider import OWN_ADDRESS, OpenId, openid_provider
from tests.support.openid_site import SECRET
from tests.support.provider_logins import CALLBACK, CLIENT


@pytest.fixture(scope="session")
def openid() -> Iterator[OpenId]:
    with openid_provider() as provider:
        provider.register(CLIENT, CALLBACK, OWN_ADDRESS)
        provider.register("somebody-else", OWN_ADDRESS)
        provider.add("dora-1", email="dora@example.com", email_verified=True, preferred_username="dora")
        provider.add("evil-1", email="dora@example.com", email_verified=False, preferred_username="dora")
        provider.add("odd-1", email="odd@example.com", email_verified=True, preferred_username="\u0430 b")
        yield provider


@pytest.fixture(scope="session")
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
