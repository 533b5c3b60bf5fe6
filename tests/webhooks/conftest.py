"""People with webhooks."""

from __future__ import annotations

import pytest
from flask import Flask

from app.kernel.db import Database
from tests.support.identity import Person, make_person


@pytest.fixture
def alice(app: Flask, database: Database) -> Person:
    """Owns an organization with webhooks."""
    return make_person(app, database, "alice")


@pytest.fixture
def charlie(app: Flask, database: Database) -> Person:
    """Has nothing to do with it."""
    return make_person(app, database, "charlie")
