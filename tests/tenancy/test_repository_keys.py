"""A repository has one name, whichever of its addresses is given."""

from __future__ import annotations

import runpy

import pytest
from flask import Flask
from sqlalchemy import select, text, update

from app.kernel.db import Database
from app.tenancy import Workspace, find_repository_key
from tests.architecture.source import ROOT
from tests.support.identity import make_person
from tests.support.tenancy import make_workspace

ADDRESSES = {
    "https://github.com/acme/shop": "github.com/acme/shop",
    "https://GitHub.com/Acme/Shop.git": "github.com/acme/shop",
    "https://github.com:443/acme/shop.git/": "github.com/acme/shop",
    "http://github.com/acme/shop/": "github.com/acme/shop",
    "git@github.com:acme/shop.git": "github.com/acme/shop",
    "git@github.com:/acme/shop.git": "github.com/acme/shop",
    "ssh://git@github.com/acme/shop.git": "github.com/acme/shop",
    "ssh://git@github.com:22/acme/shop.git": "github.com/acme/shop",
    "ssh://gitea@localhost:2222/gitea/webhooks.git": "localhost:2222/gitea/webhooks",
    "http://localhost:3000/gitea/webhooks.git": "localhost:3000/gitea/webhooks",
    "https://gitlab.com/group/sub/project.git": "gitlab.com/group/sub/project",
    "file:///srv/shop": None,
}


@pytest.mark.parametrize(("url", "key"), ADDRESSES.items())
def test_an_address_names_its_repository(url: str, key: str | None) -> None:
    assert find_repository_key(url) == key


@pytest.mark.parametrize(
    "url",
    ["", "shop", "/srv/shop", "https://", "https://[", "https://h:x/a", "git@host:", "ftp://host/a", "https://h/"],
)
def test_what_names_no_host_and_path_has_no_name(url: str) -> None:
    assert find_repository_key(url) is None


def test_a_workspace_keeps_the_name_of_its_repository(app: Flask, database: Database) -> None:
    alice = make_person(app, database, "alice")
    workspace = make_workspace(database, alice, repository_url="git@github.com:Acme/Shop.git")
    assert workspace.repository_key == "github.com/acme/shop"
    with database.transaction() as session:
        found = session.get_one(Workspace, workspace.id)
        found.repository_url = None
        session.flush()
        assert session.scalars(select(Workspace.repository_key)).one() is None


def test_the_migration_gives_the_same_names(app: Flask, database: Database) -> None:
    alice = make_person(app, database, "alice")
    for number, url in enumerate(ADDRESSES):
        make_workspace(database, alice, name=f"w{number}", repository_url=url)
    [migration] = (ROOT / "migrations" / "versions").glob("*_webhooks_in.py")
    with database.transaction() as session:
        session.execute(update(Workspace).values(repository_key=None))
        session.execute(text(runpy.run_path(str(migration))["KEY"]))
        found = {row[0]: row[1] for row in session.execute(select(Workspace.repository_url, Workspace.repository_key))}
    assert found == ADDRESSES
