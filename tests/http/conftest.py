"""The frame around the toy room, and clients in the names of its callers."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest
import redis
from flask import Flask
from flask.testing import FlaskClient

from app.http import Platform, make_api
from app.kernel.db import Database
from tests.support import toy_room
from tests.support.contract import ContractClient

As = Callable[[str], FlaskClient]


@pytest.fixture(scope="module")
def _toy(_app: Flask) -> Flask:
    parts: Platform = _app.extensions["headrace"]
    toy = make_api(
        dataclasses.replace(parts, authenticate=toy_room.authenticate, checks=[], gauges=[]), [toy_room.blueprint]
    )
    toy.testing = True
    toy.test_client_class = ContractClient
    return toy


@pytest.fixture
def toy(_toy: Flask, database: Database, redis_url: str) -> Flask:
    """The toy room's API, with its empty table."""
    with redis.Redis.from_url(redis_url) as client:
        client.flushdb()
    with database.transaction() as session:
        toy_room.make_table(session)
    return _toy


@pytest.fixture
def parts(toy: Flask) -> Platform:
    """The toy's platform, to be changed by `monkeypatch` alone."""
    parts: Platform = toy.extensions["headrace"]
    return parts


@pytest.fixture
def anyone(toy: Flask) -> FlaskClient:
    """A caller nobody knows."""
    return toy.test_client()


@pytest.fixture
def as_(toy: Flask) -> As:
    """Clients by the caller's name."""

    def client(name: str) -> FlaskClient:
        made = toy.test_client()
        made.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {name}"
        return made

    return client


@pytest.fixture
def alice(as_: As) -> FlaskClient:
    """She owns Acme and may do everything there."""
    return as_("alice")


@pytest.fixture
def gadget(database: Database, toy: Flask) -> Any:
    """A gadget of Acme."""
    with database.transaction() as session:
        return toy_room.add_gadget(session, "whistle", size=3)
