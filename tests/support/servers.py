"""The real PostgreSQL and Redis of a test run: one of each for all xdist workers, a database of its own for each."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Self

from alembic import command
from alembic.config import Config

from launcher.embedded import EmbeddedPostgres, EmbeddedRedis

ROOT = Path(__file__).parents[2]
REDIS_DATABASES = 16


class Servers:
    """Both servers, started by whoever holds the test run; an xdist worker only knows where they are."""

    def __init__(self, directory: Path, postgres_port: int = 0, redis_port: int = 0) -> None:
        self.directory = directory
        self.postgres = EmbeddedPostgres(directory / "postgres", postgres_port)
        self.redis = EmbeddedRedis(directory / "redis", redis_port)

    @classmethod
    def started(cls) -> Self:
        """Start both in a folder of their own."""
        # Not a fixture's folder: pytest may clear those while another run of the same user still needs its own.
        folder = TemporaryDirectory(prefix="headrace-tests-", ignore_cleanup_errors=True)
        servers = cls(Path(folder.name))
        servers._folder = folder
        servers.postgres.start()
        servers.redis.start()
        return servers

    _folder: TemporaryDirectory[str] | None = None

    def stop(self) -> None:
        """Stop both and remove what they kept."""
        self.postgres.stop()
        self.redis.stop()
        if self._folder is not None:
            self._folder.cleanup()

    def place(self) -> dict[str, str | int]:
        """Return where they are, for an xdist worker."""
        return {
            "directory": str(self.directory),
            "postgres_port": self.postgres.port,
            "redis_port": self.redis.port,
        }

    def new_database(self, name: str) -> str:
        """Make a database with the tables of this version, and return its address."""
        url = self.postgres.create_database(name)
        migrate(url)
        return url

    def redis_url(self, number: int) -> str:
        """Return the address of one of Redis' databases."""
        return f"{self.redis.url.removesuffix('/0')}/{number % REDIS_DATABASES}"


def migrate(url: str, revision: str = "head") -> None:
    """Bring a database to a revision."""
    config = Config(str(ROOT / "alembic.ini"))
    config.attributes["database_url"] = url
    command.upgrade(config, revision)
