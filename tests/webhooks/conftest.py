"""People, receivers, and who delivers to them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask

from app.kernel.db import Database
from config.settings import Settings
from tests.support.identity import Person, make_person
from tests.support.receivers import Receiver, receiving
from tests.support.webhooks import Postman


@pytest.fixture
def alice(app: Flask, database: Database) -> Person:
    """Owns an organization with webhooks."""
    return make_person(app, database, "alice")


@pytest.fixture
def charlie(app: Flask, database: Database) -> Person:
    """Has nothing to do with it."""
    return make_person(app, database, "charlie")


@pytest.fixture
def receiver(app: Flask, monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    """A receiver on this machine, where webhooks may be sent."""
    monkeypatch.setattr(app.extensions["headrace"], "allow_private_addresses", True)
    with receiving() as receiver:
        yield receiver


@pytest.fixture
def postman(database: Database, settings: Settings, tmp_path: Path) -> Postman:
    """Who delivers."""
    return Postman.of(database, settings, tmp_path)
