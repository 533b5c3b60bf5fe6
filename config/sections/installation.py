"""What every process needs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from config.declaring import setting

REQUIRED = ""


@dataclass(frozen=True)
class InstallationSettings:
    """Installation."""

    environment: Literal["development", "production"] = setting("production", "`development` relaxes cookie security")
    database_url: str = setting(REQUIRED, "PostgreSQL, as `postgresql://user:password@host/name`", secret=True)
    redis_url: str = setting(REQUIRED, "Redis or Valkey: streams, limits and, by default, the broker", secret=True)
    broker_url: str = setting("", "Celery's broker when it is not `REDIS_URL`, such as `amqp://…`", secret=True)
    secret_key: str = setting(REQUIRED, "at least 32 random characters; encrypts what is secret at rest", secret=True)
    secret_key_old: str = setting(
        "",
        "the values `SECRET_KEY` had before, one a line; they still open what they have encrypted",
        secret=True,
    )
    data_dir: Path = setting(Path("data"), "where logs, artifacts and workspaces live by default")
    run_dir: Path = setting(Path("run"), "where sockets live")

    @property
    def secret_keys(self) -> tuple[str, ...]:
        """The key that encrypts, and those before it."""
        return (self.secret_key, *self.secret_key_old.splitlines())

    @property
    def broker(self) -> str:
        """The broker's address."""
        return self.broker_url or self.redis_url

    @property
    def is_development(self) -> bool:
        """Whether this is a developer's own machine."""
        return self.environment == "development"
