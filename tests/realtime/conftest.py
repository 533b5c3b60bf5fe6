"""A database of events that stay, a Redis that may be killed, and the two processes between them and a client."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import uuid4

import pytest

from app.kernel.db import Base, make_engine
from launcher.embedded import EmbeddedPostgres, EmbeddedRedis
from tests.support.stream_world import StreamWorld


@pytest.fixture(scope="session")
def events_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with EmbeddedPostgres(tmp_path_factory.mktemp("events")) as server:
        engine = make_engine(server.url)
        Base.metadata.create_all(engine, [Base.metadata.tables[name] for name in ("stream_topics", "stream_events")])
        engine.dispose()
        yield server.url


@pytest.fixture(scope="session")
def live_redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedRedis]:
    with EmbeddedRedis(tmp_path_factory.mktemp("live")) as server:
        yield server


@pytest.fixture(scope="module")
def world(
    tmp_path_factory: pytest.TempPathFactory, events_url: str, live_redis: EmbeddedRedis
) -> Iterator[StreamWorld]:
    with StreamWorld(tmp_path_factory.mktemp("w"), events_url, live_redis.url).running() as world:
        yield world


@pytest.fixture
def topic() -> str:
    return f"job:{uuid4()}"
