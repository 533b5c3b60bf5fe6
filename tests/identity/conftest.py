"""People for the tests of identity, and an application whose transactions really commit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import text

from app.factory import create_app
from app.kernel.db import Database
from app.kernel.opening import open_database
from config.settings import Settings
from tests.support.identity import Person, make_person


@dataclass(frozen=True, slots=True)
class Committing:
    """An application on connections of its own, for what several do at once."""

    app: Flask
    database: Database


@pytest.fixture
def alice(app: Flask, database: Database) -> Person:
    """Alice, logged in."""
    return make_person(app, database, "alice")


@pytest.fixture
def committing(settings: Settings, hints: Any) -> Iterator[Committing]:
    """An application without rate limits, whose rows all connections see; they are deleted in the end."""
    database = open_database(settings.database_url, None, pool_size=10)
    app = create_app(replace(settings, rate_limits=False), sender=hints, database=database)
    yield Committing(app, database)
    with database.transaction() as session:
        for table in ("jobs", "events", "organizations", "clients", "users", "login_throttles"):
            session.execute(text(f"DELETE FROM {table}"))
    database.bind.engine.dispose()
