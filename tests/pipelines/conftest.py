"""Alice, her workspace, and an engine that runs its pipelines in this process."""

from __future__ import annotations

import pytest
from flask import Flask

from app.kernel.db import Database
from config.settings import Settings
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
