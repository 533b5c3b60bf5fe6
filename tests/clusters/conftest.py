"""An API server, people, and what looks after their clusters."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask

from app.kernel.db import Database
from config.settings import Settings
from tests.support.clusters import Keeper, make_tools
from tests.support.identity import Person, make_person
from tests.support.kubernetes import ApiServer, serving


@pytest.fixture
def alice(app: Flask, database: Database) -> Person:
    """Owns an organization with clusters."""
    return make_person(app, database, "alice")


@pytest.fixture
def charlie(app: Flask, database: Database) -> Person:
    """Has nothing to do with it."""
    return make_person(app, database, "charlie")


@pytest.fixture
def keeper(database: Database, settings: Settings, tmp_path: Path) -> Keeper:
    """A worker for clusters."""
    return Keeper(database, make_tools(settings, tmp_path))


@pytest.fixture
def on_loopback(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let clusters be on this machine."""
    monkeypatch.setattr(app.extensions["headrace"], "allow_loopback_clusters", True)


@pytest.fixture(scope="module")
def running_server() -> Iterator[ApiServer]:
    """One server for the tests of a module."""
    with serving() as server:
        yield server


@pytest.fixture
def api_server(running_server: ApiServer, on_loopback: None) -> Iterator[ApiServer]:
    """The server, which may be registered; its faults end with the test."""
    yield running_server
    running_server.faults.clear()
