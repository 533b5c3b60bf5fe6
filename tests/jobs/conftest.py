"""People whose jobs are moved."""

from __future__ import annotations

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.kernel.db import Database
from tests.support.bulk import Bulk
from tests.support.identity import Person, make_person


@pytest.fixture
def alice(app: Flask, database: Database) -> Person:
    return make_person(app, database, "alice")


@pytest.fixture
def bob(app: Flask, database: Database) -> Person:
    return make_person(app, database, "bob")


@pytest.fixture
def hers(client: FlaskClient, database: Database, alice: Person) -> Bulk:
    return Bulk(client, database, alice)
