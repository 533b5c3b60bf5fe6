"""A shop with three users: Ann may everything in rooms, Bob what users may, Cleo is in no room."""

from __future__ import annotations

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.support.clients import Holder, make_client, make_user
from tests.support.rooms import ALL, make_room


@pytest.fixture(autouse=True)
def _unlimited(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app.extensions["headrace"], "limited", False)


@pytest.fixture
def shop(client: FlaskClient) -> Holder:
    return make_client(client)


@pytest.fixture
def ann(client: FlaskClient, shop: Holder) -> Holder:
    return make_user(client, shop, "ann", full_name="Ann Smith", permissions=ALL)


@pytest.fixture
def bob(client: FlaskClient, shop: Holder) -> Holder:
    return make_user(client, shop, "bob")


@pytest.fixture
def cleo(client: FlaskClient, shop: Holder) -> Holder:
    return make_user(client, shop, "cleo", permissions=ALL)


@pytest.fixture
def room(client: FlaskClient, ann: Holder, bob: Holder) -> str:
    """A room that Ann has made, with Bob in it."""
    return make_room(client, ann, bob)
