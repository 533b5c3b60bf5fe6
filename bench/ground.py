"""The ground of all measurements: one PostgreSQL and one Redis as `make up` starts them, and programs that use them."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import cycle
from pathlib import Path

import redis

from config.settings import Settings, load_settings
from launcher.child import MARKER, Child
from launcher.embedded import EmbeddedPostgres, EmbeddedRedis
from launcher.environment import build_environment
from launcher.gates import readiness
from launcher.output import Console
from launcher.ports import LOOPBACK, free_port
from launcher.procfile import read_procfile

ROOT = Path(__file__).parents[1]
PROCFILE = read_procfile(ROOT / "Procfile")
SECRETS = {"secret_key": "a key of the measurements, long enough", "admin_password": "nobody logs in with this"}
TEMPLATE = "bench_template"
READY_SECONDS = 90.0
STOP_SECONDS = 10.0

# Two windows for a user, as in the defaults, and wide enough that nobody is refused.
ROOMY = {
    "RATE_LIMIT_USER": "900000000/hour;90000000/minute",
    "RATE_LIMIT_ANONYMOUS": "900000000/hour",
    "RATE_LIMIT_LOGIN": "900000/hour",
    "RATE_LIMIT_REGISTER": "900000/hour",
    "EXECUTIONS_STANDARD": "1000000",
    "LOG_LEVEL": "WARNING",
}


class Programs:
    """Some programs with one environment: a database, a Redis database and a folder of their own.

    `settings` is what they read; `pid` and `family` tell the meters whom to look at.
    """

    def __init__(
        self, folder: Path, urls: Mapping[str, str], commands: Mapping[str, str], changed: Mapping[str, str]
    ) -> None:
        run_dir = folder / "run"
        for part in (run_dir, folder / "data", folder / "logs"):
            part.mkdir(parents=True)
        environment = build_environment(SECRETS, folder / "data", run_dir, dict(urls))
        self.folder = folder
        self.environment = environment | ROOMY | _ports() | {MARKER: f"{folder.parent.name}/{folder.name}"}
        self.environment |= changed
        self.settings: Settings = load_settings(self.environment)
        self.base = self.environment["PUBLIC_URL"]
        self._console = Console(quiet=True)
        self._children = {
            name: Child(name, command, ROOT, self.environment, folder / "logs" / f"{name}.log")
            for name, command in commands.items()
        }

    @property
    def port(self) -> int:
        """The port of the web server among them."""
        return int(self.environment["PORT"])

    def pid(self, name: str) -> int:
        """Return the process id of one of them."""
        birth = self._children[name].birth
        if birth is None:
            raise RuntimeError("\n".join([f"{name} does not run:", *self._children[name].tail]))
        return birth.pid

    @contextmanager
    def running(self) -> Iterator[Programs]:
        """Start all and wait until they are ready; stop them in the end."""
        try:
            for child in self._children.values():
                child.start(self._console)
            self._wait_until_ready()
            yield self
        finally:
            self._stop()

    def run(self, name: str) -> None:
        """Run one of them to its end."""
        child = self._children[name]
        child.start(self._console)
        if child.wait():
            raise RuntimeError("\n".join([f"{name} failed:", *child.tail]))

    def _wait_until_ready(self) -> None:
        is_ready, deadline = readiness(self.environment), time.monotonic() + READY_SECONDS
        for name, child in self._children.items():
            while not is_ready(child):
                if not child.is_running or time.monotonic() > deadline:
                    raise RuntimeError("\n".join([f"{name} did not get ready:", *child.tail]))
                time.sleep(0.05)

    def _stop(self) -> None:
        for child in self._children.values():
            child.ask_to_stop()
        deadline = time.monotonic() + STOP_SECONDS
        while any(child.is_running for child in self._children.values()) and time.monotonic() < deadline:
            time.sleep(0.05)
        for child in self._children.values():
            child.kill()


def _ports() -> dict[str, str]:
    """Return ports that nobody asks for by habit: several platforms run beside each other here."""
    web, flower = free_port(), free_port()
    return {
        "PORT": str(web),
        "PUBLIC_URL": f"http://{LOOPBACK}:{web}",
        "FLOWER_PORT": str(flower),
        "FLOWER_URL": f"http://{LOOPBACK}:{flower}",
    }


class Ground:
    """Both servers and a folder. Belongs to the main thread, as launcher.child asks."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.postgres = EmbeddedPostgres(folder / "postgres", durable=True)
        self.redis = EmbeddedRedis(folder / "redis")
        self._redis_databases = cycle(range(1, 16))

    @classmethod
    @contextmanager
    def opened(cls) -> Iterator[Ground]:
        """Start the servers, with a database of this version to copy; remove all of it in the end."""
        with tempfile.TemporaryDirectory(prefix="headrace-bench-", ignore_cleanup_errors=True) as folder:
            ground = cls(Path(folder))
            with ground.postgres, ground.redis:
                ground.programs("release", {"release": PROCFILE["release"]}, empty=True).run("release")
                yield ground

    def pids(self) -> tuple[int, int]:
        """Return the servers' process ids."""
        return self.postgres.pid or 0, self.redis.pid or 0

    def programs(self, name: str, commands: Mapping[str, str], *, empty: bool = False, **changed: str) -> Programs:
        """Return programs, not started yet, with a database of this version, or an `empty` one.

        `changed` are environment variables.
        """
        database = TEMPLATE if name == "release" else f"bench_{name}"
        source = "template0" if empty else TEMPLATE
        redis_url = f"{self.redis.url.removesuffix('/0')}/{next(self._redis_databases)}"
        with redis.Redis.from_url(redis_url) as emptied:
            emptied.flushdb()
        urls = {"DATABASE_URL": self.postgres.create_database(database, source), "REDIS_URL": redis_url}
        return Programs(self.folder / name, urls, commands, changed)

    @contextmanager
    def platform(self, name: str, *processes: str, **changed: str) -> Iterator[Programs]:
        """Run processes of the Procfile on a fresh database."""
        commands = {process: PROCFILE[process] for process in processes}
        with self.programs(name, commands, empty=False, **changed).running() as programs:
            yield programs
