"""Alice, her workspace, and an engine that runs its pipelines in this process."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import select

from app.identity import register
from app.kernel.db import Database
from app.kernel.ids import new_id
from app.tenancy import Organization
from config.settings import Settings
from tests.support.committing import committing_database
from tests.support.identity import Person, make_person
from tests.support.pipelines import Engine, make_tools
from tests.support.repositories import Repository
from tests.support.tenancy import make_workspace


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    """A small repository."""
    repository = Repository(tmp_path_factory.mktemp("sources") / "shop")
    repository.commit({"README.md": "A shop.\n"}, "Open the shop")
    return repository


@pytest.fixture
def alice(app: Flask, database: Database) -> Person:
    """Alice, logged in."""
    return make_person(app, database, "alice")


@pytest.fixture
def engine_of_alice(settings: Settings, database: Database, alice: Person, shop: Repository) -> Engine:
    """An engine on this test's one connection, which serves one thread; the API finds what it keeps."""
    workspace = make_workspace(database, alice, repository_url=shop.url)
    return Engine(database, make_tools(settings, settings.data_dir), workspace)


@pytest.fixture
def committing(settings: Settings) -> Iterator[Database]:
    """A database that several connections see."""
    with committing_database(settings) as database:
        yield database


@pytest.fixture
def committing_engine(settings: Settings, committing: Database, shop: Repository, tmp_path: Path) -> Engine:
    """An engine on that database, for what happens at once."""
    with committing.transaction() as session:
        user = register(session, "alice", "alice@example.com", None)
        organization_id = session.scalars(select(Organization.id)).one()
    workspace = make_workspace(committing, Person(user, organization_id, new_id(), "", ""), repository_url=shop.url)
    return Engine(committing, make_tools(settings, tmp_path), workspace)
