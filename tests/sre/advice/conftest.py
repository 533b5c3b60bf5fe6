"""A cluster whose deployment asks for far too much, and what is recommended for it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tasks.clusters.gateways.kubernetes import RestCluster, kinds
from tests.clusters.contract.world import LOOPBACK
from tests.support.clusters import Keeper, register
from tests.support.identity import Person
from tests.support.kubernetes import ApiServer, serving
from tests.support.recommendations import ASKED, deploy, generate, listed, measure


@pytest.fixture(scope="module")
def server() -> Iterator[ApiServer]:
    with serving() as running:
        yield running


@pytest.fixture
def opened(app: Flask, server: ApiServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[RestCluster]:
    """The server itself, with a deployment that asks for far too much."""
    monkeypatch.setattr(app.extensions["headrace"], "allow_loopback_clusters", True)
    cluster = RestCluster(server.access(), rules=LOOPBACK)
    cluster.apply(kinds.NAMESPACE, {"metadata": {"name": "shop"}}, manager="tests")
    deploy(cluster, ASKED)
    yield cluster
    cluster.close()


@pytest.fixture
def cluster_id(client: FlaskClient, alice: Person, server: ApiServer, opened: RestCluster, keeper: Keeper) -> str:
    """The same, registered and looked into, with what its pods have used."""
    made = str(register(client, alice, server.access())["id"])
    keeper.drain()
    measure(client, alice, made)
    return made


@pytest.fixture
def advice(client: FlaskClient, alice: Person, cluster_id: str, keeper: Keeper) -> dict[str, Any]:
    """What is recommended."""
    generate(client, alice, cluster_id, keeper)
    (found,) = listed(client, alice, kind="rightsizing")
    return found
