"""What all tests share: real servers, a database that forgets each test, the API and a client that holds it to its
document."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import redis
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Engine

from app.factory import create_app
from app.identity import ensure_signing_key
from app.jobs import Hint
from app.kernel.audit import write_audit
from app.kernel.crypto import Vault
from app.kernel.db import Database
from app.kernel.engine import make_engine
from app.kernel.stream import write_published
from config.settings import Settings
from tasks.tools import Tools
from tests.support.contract import ContractClient
from tests.support.event_schemas import check_announced
from tests.support.mail import Inbox, smtp_server
from tests.support.receivers import Receiver, receiving
from tests.support.scheduling import FileScheduling
from tests.support.servers import Servers
from tests.support.webhooks import Postman
from workers.composition import open_tools

SECRET = "a key of the tests, long enough to be one"


class Hints:
    """A sender that keeps what it was to send."""

    def __init__(self) -> None:
        self.sent: list[Hint] = []

    def send(self, hints: Sequence[Hint], /) -> Sequence[UUID]:
        """Keep the hints."""
        self.sent.extend(hints)
        return []


def pytest_configure(config: pytest.Config) -> None:
    # The controller of a parallel run starts the servers: they end with the thread that started them.
    if getattr(config.option, "numprocesses", None) and not hasattr(config, "workerinput"):
        config.stash[SERVERS] = Servers.started()


def pytest_unconfigure(config: pytest.Config) -> None:
    if SERVERS in config.stash:
        config.stash[SERVERS].stop()


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    node.workerinput["servers"] = node.config.stash[SERVERS].place()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> FileScheduling:
    return FileScheduling(config, log)


SERVERS = pytest.StashKey[Servers]()


@pytest.fixture(scope="session")
def servers(request: pytest.FixtureRequest) -> Iterator[Servers]:
    """PostgreSQL and Redis, running."""
    place = getattr(request.config, "workerinput", {}).get("servers")
    if place:
        yield Servers(Path(place["directory"]), place["postgres_port"], place["redis_port"])
        return
    started = Servers.started()
    yield started
    started.stop()


@pytest.fixture(scope="session")
def postgres_url(servers: Servers, worker_id: str) -> str:
    """The address of this worker's database, with all tables and a signing key."""
    url = servers.new_database(f"tests_{worker_id}")
    engine = make_engine(url)
    with Database(engine).transaction() as session:
        ensure_signing_key(session, Vault(SECRET))
    engine.dispose()
    return url


@pytest.fixture(scope="session")
def redis_url(servers: Servers, worker_id: str) -> str:
    """The address of this worker's Redis database."""
    return servers.redis_url(int(worker_id.removeprefix("gw")) if worker_id != "master" else 0)


@pytest.fixture(scope="session")
def settings(postgres_url: str, redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """The settings of a test installation; `dataclasses.replace` makes others."""
    folder = tmp_path_factory.mktemp("headrace")
    return Settings(
        environment="development",
        database_url=postgres_url,
        redis_url=redis_url,
        secret_key=SECRET,
        data_dir=folder / "data",
        run_dir=folder / "run",
        stream_socket=folder / "run" / "stream.sock",
    )


@pytest.fixture(scope="session")
def engine(postgres_url: str) -> Iterator[Engine]:
    """Connections to this worker's database; what is written through them stays."""
    engine = make_engine(postgres_url)
    yield engine
    engine.dispose()


@pytest.fixture(scope="session")
def _app(settings: Settings, engine: Engine) -> Iterator[Flask]:
    database = Database(engine, before_commit=(check_announced, write_audit, write_published))
    hints = Hints()
    app = create_app(settings, sender=hints, database=database)
    app.extensions["tests.hints"] = hints
    app.testing = True
    app.test_client_class = ContractClient
    yield app
    app.extensions["headrace"].limiter.close()


@pytest.fixture
def database(_app: Flask, engine: Engine) -> Iterator[Database]:
    """The application's database on one connection, whose work is rolled back at the test's end."""
    database: Database = _app.extensions["headrace"].database
    with engine.connect() as connection:
        connection.begin()
        database.bind = connection
        # What an earlier test has met is nothing to this one's health.
        database.trouble = None
        yield database
        database.bind = engine
        connection.rollback()


@pytest.fixture
def hints(_app: Flask) -> Hints:
    """The hints that were sent to workers in this test."""
    hints: Hints = _app.extensions["tests.hints"]
    hints.sent.clear()
    return hints


@pytest.fixture
def app(_app: Flask, database: Database, redis_url: str) -> Flask:
    """The API on this test's database; nobody has used up a rate limit."""
    with redis.Redis.from_url(redis_url) as client:
        client.flushdb()
    return _app


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """A client without a login; every reply it gets must be documented."""
    return app.test_client()


@pytest.fixture
def inbox(tmp_path: Path) -> Iterator[Inbox]:
    """A mail server that takes mails from everybody."""
    with smtp_server(tmp_path, tls=False) as inbox:
        yield inbox


@pytest.fixture
def receiver(app: Flask, monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    """A receiver on this machine, where webhooks may be sent."""
    monkeypatch.setattr(app.extensions["headrace"], "allow_private_addresses", True)
    with receiving() as receiver:
        yield receiver


@pytest.fixture
def tools(settings: Settings, tmp_path: Path) -> Tools:
    """A worker's, which may go to this machine."""
    return open_tools(replace(settings, data_dir=tmp_path, allow_private_addresses=True))


@pytest.fixture
def postman(database: Database, settings: Settings, tmp_path: Path) -> Postman:
    """Who delivers."""
    return Postman.of(database, settings, tmp_path)
