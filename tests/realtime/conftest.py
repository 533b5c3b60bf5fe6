"""A database whose events stay, and the two processes between it and a client."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import uuid4

import pytest

from tests.support.servers import Servers
from tests.support.stream_world import StreamWorld

# All workers of a parallel run may share it: topics are never the same, and what is wiped is repaired.
REDIS_DATABASE = 15


@pytest.fixture(scope="session")
def events_url(servers: Servers, worker_id: str) -> str:
    return servers.new_database(f"streams_{worker_id}")


@pytest.fixture(scope="session")
def live_url(servers: Servers) -> str:
    return servers.redis_url(REDIS_DATABASE)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, events_url: str, live_url: str) -> Iterator[StreamWorld]:
    with StreamWorld(tmp_path_factory.mktemp("w"), events_url, live_url).running() as world:
        yield world


@pytest.fixture
def topic() -> str:
    return f"job:{uuid4()}"
