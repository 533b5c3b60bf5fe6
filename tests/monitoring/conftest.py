"""People, and a worker for what they write."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.kernel.db import Database
from config.settings import Settings
from tests.support.alerts import Watcher
from tests.support.clusters import Keeper, make_tools
from tests.support.identity import Person, make_person
from tests.support.metrics import series, write


@pytest.fixture
def alice(app: Flask, database: Database, monkeypatch: pytest.MonkeyPatch) -> Person:
    """Owns an organization with metrics."""
    monkeypatch.setattr(app.extensions["headrace"], "limited", False)
    return make_person(app, database, "alice")


@pytest.fixture
def charlie(app: Flask, database: Database) -> Person:
    """Has nothing to do with it."""
    return make_person(app, database, "charlie")


@pytest.fixture
def keeper(database: Database, settings: Settings, tmp_path: Path) -> Keeper:
    """A worker."""
    return Keeper(database, make_tools(settings, tmp_path))


@pytest.fixture
def watcher(database: Database) -> Watcher:
    """Looks at alert rules."""
    return Watcher(database)


@pytest.fixture
def push(client: FlaskClient, alice: Person, watcher: Watcher) -> Callable[..., None]:
    """Write a sample at the step that is looked at next."""

    def push(value: float, **labels: str) -> None:
        write(client, alice, series("m", [[watcher.now, value]], **labels))

    return push
