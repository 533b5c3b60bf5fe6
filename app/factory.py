"""Builds the API: Flask, the frame around it, and the routes of every room. Called once in each process."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

from flask import Flask

from app import identity
from app.http import Blueprint, Platform
from app.http.frame import frame
from app.http.health import own_checks
from app.http.openapi import describe
from app.http.platform import KEY
from app.http.system import changes, root
from app.kernel.crypto import Vault
from app.kernel.db import Database
from app.kernel.limits import RateLimiter, parse_limits
from app.kernel.opening import open_database, open_redis
from config.settings import Settings

LIMITER_SECONDS = 0.3
SAME_NAME = (
    "public_url",
    "is_development",
    "access_token_seconds",
    "refresh_token_seconds",
    "registration_open",
    "log_store",
    "artifact_store",
    "flower_url",
    "stream_socket",
    "allow_file_repositories",
    "allow_private_addresses",
)


class Sender(Protocol):
    """Carries hints of accepted jobs to the workers."""

    def send(self, hints: Sequence[Any], /) -> None: ...


def create_app(settings: Settings, *, sender: Sender, database: Database | None = None) -> Flask:
    """Return the API for these settings; jobs are sent by `sender`, rows are kept in `database` if one is given."""
    app = Flask("headrace", static_folder=str(Path(__file__).parent / "http" / "static"), static_url_path="/static")
    frame(app, max_body_bytes=settings.max_body_bytes, trusted_proxies=settings.trusted_proxies)
    parts = _assemble(settings, database)
    parts.database.listen("jobs", sender.send)
    app.extensions[KEY] = parts
    describe(app, [root, changes, *_room_blueprints()])
    return app


def _room_blueprints() -> list[Blueprint]:
    found: list[Blueprint] = []
    for room in ("identity", "tenancy", "jobs", "pipelines"):
        with suppress(ImportError):
            routes = import_module(f"app.{room}.routes")
            found += [value for value in vars(routes).values() if isinstance(value, Blueprint)]
    return found


def _assemble(settings: Settings, database: Database | None) -> Platform:
    threads = settings.web_threads
    client = open_redis(settings.redis_url)
    parts = Platform(
        database=database or open_database(settings.database_url, client, pool_size=threads),
        vault=Vault(settings.secret_key),
        limiter=_open_limiter(settings),
        limits={
            name: parse_limits(getattr(settings, f"rate_limit_{name}"))
            for name in ("anonymous", "user", "login", "register", "refresh")
        },
        authenticate=identity.authenticate,
        cors_origins=frozenset(origin.strip() for origin in settings.cors_origins.split(",") if origin.strip()),
        changelog=Path(__file__).parents[1] / "CHANGELOG.md",
        **{name: getattr(settings, name) for name in SAME_NAME},
    )
    parts.checks += own_checks(parts)
    return parts


def _open_limiter(settings: Settings) -> RateLimiter | None:
    if not settings.rate_limits:
        return None
    quick = {"socket_timeout": LIMITER_SECONDS, "socket_connect_timeout": LIMITER_SECONDS, "retry": None}
    return RateLimiter(open_redis(settings.redis_url, **quick))
