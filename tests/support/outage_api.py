"""An API on servers of its own that tests may break, and somebody who uses it."""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
from sqlalchemy import Engine

from app.identity import ensure_signing_key
from app.kernel.crypto import Vault
from app.kernel.opening import open_database
from config.settings import Settings
from tests.conftest import SECRET
from tests.support.callers import Reply, User
from tests.support.outages import CuttingProxy
from tests.support.servers import Servers
from tests.support.web import serving

STATEMENT_SECONDS = 2.0
# The statement's limit, the grace of a server that does not keep it, and what a busy machine adds.
LIMIT_SECONDS = STATEMENT_SECONDS + 2.0 + 4.0
BODY = {"action": "cancel", "filter": {"kind": "nothing"}}
CONFIG: dict[str, str] = {
    "WEB_WORKERS": "1",
    "WEB_THREADS": "6",
    "WEB_STATEMENT_SECONDS": str(STATEMENT_SECONDS),
    "RATE_LIMITS": "false",
}


@dataclass
class Api:
    """An API with servers of its own, which tests may break, and somebody who uses it."""

    servers: Servers
    settings: Settings
    proxy: CuttingProxy
    user: User

    def accept(self, **headers: str) -> Reply:
        """Ask for a job."""
        return self.user.post("/jobs/bulk", BODY, **headers)

    def health(self, path: str = "/health") -> Reply:
        """Ask how it is."""
        with closing(http.client.HTTPConnection(urlsplit(self.user.base).netloc, timeout=60)) as connection:
            connection.request("GET", path)
            reply = connection.getresponse()
            return Reply(reply.status, dict(reply.headers.items()), reply.read())

    def check(self, name: str) -> dict[str, Any]:
        """Return what the health of one part is said to be."""
        body = self.health().json
        checks = body["data"]["checks"] if "data" in body else body["error"]["details"]["checks"]
        return next(dict(check) for check in checks if check["name"] == name)

    def jobs(self) -> int:
        """Count the jobs there are, past the API."""
        with self.connect() as connection:
            row = connection.execute("SELECT count(*) FROM jobs").fetchone()
        assert row
        return int(row[0])

    def connect(self) -> psycopg.Connection[Any]:
        """Connect to the database past the API and the proxy."""
        name = self.settings.database_url.rpartition("/")[2]
        url = self.servers.postgres.database_url(name).replace("+psycopg", "")
        connection = psycopg.connect(url, autocommit=True, connect_timeout=5)
        connection.execute("SET default_transaction_read_only = off")
        return connection

    def cut_all(self) -> None:
        """End all connections of the API, so that it needs new ones."""
        with self.connect() as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )

    def works_again(self) -> bool:
        """Whether jobs are accepted and nothing is the matter."""
        return self.accept().status == 202 and self.check("database")["status"] != "unhealthy"


@contextmanager
def serving_api(folder: Path, **changed: str) -> Iterator[Api]:
    """Start servers and serve an API on them; `changed` are settings."""
    servers = Servers.started()
    proxy = CuttingProxy(servers.postgres.port)
    try:
        yield from serve(servers, proxy, servers.new_database("outages"), folder, **changed)
    finally:
        proxy.close()
        servers.stop()


def serve(servers: Servers, proxy: CuttingProxy, url: str, folder: Path, **changed: str) -> Iterator[Api]:
    """Serve an API on a database, through the proxy, with somebody who has an account."""
    settings = Settings(
        environment="development",
        database_url=url.replace(f":{servers.postgres.port}/", f":{proxy.port}/"),
        redis_url=servers.redis.url,
        secret_key=SECRET,
        run_dir=folder / "run",
        stream_socket=folder / "run" / "stream.sock",
    )
    database = open_database(url, None, pool_size=1)
    with database.transaction() as session:
        ensure_signing_key(session, Vault(SECRET))
    assert isinstance(database.bind, Engine)
    database.bind.dispose()
    with serving(settings, folder, **CONFIG | changed) as port:
        yield Api(servers, settings, proxy, User.registered(f"http://127.0.0.1:{port}", "alice"))


def assert_refused(reply: Reply, *reasons: str) -> None:
    """Hold a reply to be a 503 that says why and when to come again."""
    error = reply.error(503)
    assert (error["code"], error["details"]["reason"] in reasons) == ("SERVICE_UNAVAILABLE", True), error
    assert int(reply.headers["Retry-After"]) >= 1


class Pulse(threading.Thread):
    """Asks again and again whether the process lives, and keeps how long the slowest answer took."""

    def __init__(self, api: Api) -> None:
        super().__init__(daemon=True)
        self.slowest = 0.0
        self.beats = 0
        self._api = api
        self._over = threading.Event()

    def run(self) -> None:
        while not self._over.wait(0.05):
            began = time.monotonic()
            assert self._api.health("/health/live").status == 200
            self.slowest = max(self.slowest, time.monotonic() - began)
            self.beats += 1

    def __enter__(self) -> Pulse:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self.join(20)


def timed(ask: Callable[[], Reply]) -> tuple[Reply, float]:
    """Ask, and tell how many seconds the reply took."""
    began = time.monotonic()
    reply = ask()
    return reply, time.monotonic() - began
