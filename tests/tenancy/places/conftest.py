"""A cluster in memory, and a yard to put workspaces on it, as they are or as virtual clusters."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.kernel.db import Database
from app.tenancy.routes import places
from config.settings import Settings
from tasks.clusters.gateways.kubernetes import RestCluster
from tasks.tenancy.control_plane import INGRESS_CLASS
from tests.support.identity import Person, make_person
from tests.support.kubernetes import ApiServer, serving
from tests.support.kubernetes.rights import MASTERS
from tests.support.kubernetes.virtual import ControlPlaneStandIn, standing_in
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


@pytest.fixture
def virtual() -> Iterator[ApiServer]:
    """The virtual cluster, as its control plane would serve it."""
    with serving() as server:
        yield server


@pytest.fixture
def stand_in(server: ApiServer, virtual: ApiServer) -> Iterator[ControlPlaneStandIn]:
    """What the control planes on the host would do."""
    with standing_in(server, virtual.access_by_certificate("kubernetes-admin", MASTERS)) as stand_in:
        yield stand_in


@pytest.fixture
def offering(yard: Yard, app: Flask, virtual: ApiServer, monkeypatch: pytest.MonkeyPatch) -> Yard:
    """The yard of an installation that offers virtual clusters, with a host that can hold them."""
    monkeypatch.setattr(app.extensions["headrace"], "vcluster_address", virtual.url)
    monkeypatch.setattr(places, "LONGEST_SECONDS", 0.0)
    yard.tools = replace(yard.tools, virtual=replace(yard.tools.virtual, address=virtual.url))
    yard.cluster.create(INGRESS_CLASS, {"metadata": {"name": "nginx"}, "spec": {"controller": "k8s.io/ingress-nginx"}})
    return yard
