"""Builds the API: the platform's parts from its settings, and the routes of every room. Called once in each process."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from flask import Flask

from app import (
    clusters,
    identity,
    jobs,
    messaging,
    monitoring,
    notifications,
    pipelines,
    realtime,
    runners,
    sre,
    tenancy,
    webhooks,
)
from app.http import Platform, RateLimiter, make_api, parse_limits
from app.kernel.crypto import Vault
from app.kernel.db import Database
from app.kernel.engine import Bounds
from app.kernel.opening import open_database, open_redis
from app.kernel.stamp import Stamp
from config.settings import Settings

ROOMS: Sequence[Any] = (
    identity,
    tenancy,
    pipelines,
    runners,
    clusters,
    monitoring,
    sre,
    messaging,
    notifications,
    webhooks,
    jobs,
    realtime,
)
LIMITS = ("anonymous", "user", "login", "register", "refresh", "mail", "webhook", "client", "message", "runner")
# A request that does nothing with its transaction for so long stands still.
IDLE_STATEMENTS = 3
SAME_NAME = (
    "public_url",
    "is_development",
    "mail_folder",
    "access_token_seconds",
    "refresh_token_seconds",
    "registration_open",
    "oauth_providers",
    "log_store",
    "artifact_store",
    "flower_url",
    "metrics_token",
    "plan_places",
    "stream_socket",
    "allow_file_repositories",
    "allow_private_addresses",
    "webhook_ports",
    "allow_private_clusters",
    "allow_loopback_clusters",
    "allow_unverified_clusters",
    "allow_local_clusters",
    "vcluster_address",
    "container_engine",
    "container_image",
    "runner_lease_seconds",
    "runner_bytes",
    "attachment_bytes",
    "attachment_client_bytes",
    "attachment_user_bytes",
    "max_body_bytes",
    "metric_body_bytes",
    "metric_series",
    "web_threads",
    "trusted_proxies",
)


def create_app(
    settings: Settings, *, sender: jobs.Sender, database: Database | None = None, rooms: Sequence[Any] = ROOMS
) -> Flask:
    """Return the API of `rooms` for these settings; jobs are sent by `sender`, rows kept in `database` if one is given.

    Never call it before a fork: connections of the database and of Redis must not be shared by processes.
    """
    parts = _assemble(settings, database)
    jobs.send_accepted(parts.database, sender)
    identity.tell_of_rights(parts.database, parts.rights)
    return make_api(parts, [blueprint for room in rooms for blueprint in _blueprints(room)])


def _blueprints(room: Any) -> Any:
    return getattr(room, "blueprints", None) or (import_module(f"{room.__name__}.routes").blueprint,)


def _assemble(settings: Settings, database: Database | None) -> Platform:
    return Platform(
        database=database or _open_database(settings),
        vault=Vault(*settings.secret_keys),
        limiter=RateLimiter(settings.redis_url),
        limited=settings.rate_limits,
        limits={name: parse_limits(getattr(settings, f"rate_limit_{name}")) for name in LIMITS},
        authenticate=identity.authenticate,
        rights=Stamp.open(settings.redis_url, identity.RIGHTS),
        cors_origins=frozenset(filter(None, map(str.strip, settings.cors_origins.split(",")))),
        changelog=Path(__file__).parents[1] / "CHANGELOG.md",
        **{name: getattr(settings, name) for name in SAME_NAME},
    )


def _open_database(settings: Settings) -> Database:
    bounds = Bounds(
        pool_size=settings.web_connections or max(settings.web_threads - 1, 1),
        overflow=0,
        pool=settings.web_connection_seconds,
        statement=settings.web_statement_seconds,
        idle=IDLE_STATEMENTS * settings.web_statement_seconds,
    )
    return open_database(settings.database_url, open_redis(settings.redis_url), bounds=bounds)
