"""A cluster in memory, and a yard to put workspaces on it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.kernel.db import Database
from config.settings import Settings
from tasks.clusters.gateways.kubernetes import RestCluster
from tests.support.identity import Person, make_person
from tests.support.kubernetes import ApiServer, serving
from tests.support.places import LOOPBACK, Yard, make_cluster, make_tools


@pytest.fixture
def alice(app: Flask, database: Database) -> Person:
    """The owner of the cluster."""
    return make_person(app, database, "alice")


@pytest.fixture
def server() -> Iterator[ApiServer]:
    """The cluster's API server."""
    with serving() as server:
        yield server


@pytest.fixture
def yard(
    app: Flask,
    client: FlaskClient,
    database: Database,
    settings: Settings,
    tmp_path: Path,
    alice: Person,
    server: ApiServer,
) -> Iterator[Yard]:
    """Alice's cluster and what is done on it."""
    cluster = RestCluster(server.access(), rules=LOOPBACK)
    cluster_id = make_cluster(app, database, alice, server.access())
    yield Yard(client, database, make_tools(settings, tmp_path), alice, cluster_id, server.access(), cluster)
    cluster.close()
