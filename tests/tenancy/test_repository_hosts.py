"""A workspace's repository is led to another host by those alone who may write its secrets."""

from __future__ import annotations

from uuid import UUID

import pytest
from flask.testing import FlaskClient

from tests.support.identity import Person, data_of, error_of

API = "/api/v1/workspaces"
OURS = "https://git.example.com/team/shop.git"


@pytest.fixture
def path(client: FlaskClient, alice: Person, team: UUID) -> str:
    body = {"name": "Shop", "organization_id": str(team), "repository_url": OURS}
    return f"{API}/{data_of(client.post(API, json=body, headers=alice.headers), 201)['id']}"


@pytest.mark.parametrize("url", ["https://evil.example.net/team/shop.git", "git@evil.example.net:team/shop.git"])
def test_a_member_does_not_send_the_token_to_another_host(
    client: FlaskClient, alice: Person, bob: Person, path: str, url: str
) -> None:
    refused = error_of(client.patch(path, json={"repository_url": url}, headers=bob.headers), 403)
    assert refused["details"] == {"required_permission": "secrets:write"}
    replaced = client.put(path, json={"name": "Shop", "repository_url": url}, headers=bob.headers)
    assert replaced.status_code == 403
    assert data_of(client.patch(path, json={"repository_url": url}, headers=alice.headers))["repository_url"] == url


def test_nor_by_way_of_no_repository_at_all(client: FlaskClient, bob: Person, path: str) -> None:
    assert client.patch(path, json={"repository_url": None}, headers=bob.headers).status_code == 200
    elsewhere = {"repository_url": "https://evil.example.net/team/shop.git"}
    assert client.patch(path, json=elsewhere, headers=bob.headers).status_code == 403


@pytest.mark.parametrize("url", ["https://GIT.example.com/team/other.git", "git@git.example.com:team/shop.git", None])
def test_a_member_changes_the_repository_within_its_host(
    client: FlaskClient, bob: Person, path: str, url: str | None
) -> None:
    assert data_of(client.patch(path, json={"repository_url": url}, headers=bob.headers))["repository_url"] == url
