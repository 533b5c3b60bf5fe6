"""A server in memory, and a cluster that gives up soon."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tasks.clusters.gateways.kubernetes import RestCluster
from tests.clusters.gateways.settings import LOOPBACK, SHORT
from tests.support.kubernetes import ApiServer, serving


@pytest.fixture(scope="module")
def running() -> Iterator[ApiServer]:
    with serving() as server:
        yield server


@pytest.fixture
def server(running: ApiServer) -> Iterator[ApiServer]:
    yield running
    running.faults.clear()


@pytest.fixture
def cluster(server: ApiServer) -> Iterator[RestCluster]:
    opened = RestCluster(server.access(), rules=LOOPBACK, limits=SHORT)
    yield opened
    opened.close()
