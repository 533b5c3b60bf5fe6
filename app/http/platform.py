"""The platform: the parts and settings that routes may use, put together once by `app.factory`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from flask import Request, current_app
from limits import RateLimitItem
from prometheus_client.metrics_core import Metric
from sqlalchemy.orm import Session

from app.http.rate_limiter import RateLimiter
from app.kernel.crypto import Vault
from app.kernel.db import Database
from app.kernel.principal import Principal
from app.kernel.stamp import Stamp

if TYPE_CHECKING:
    from app.http.health import Check

KEY = "headrace"


@dataclass(slots=True, kw_only=True)
class Platform:
    """What a request may use. Settings keep their names; `checks` and `gauges` are filled by the rooms.

    `authenticate` turns a request into its caller or raises AuthRequired; `rights` is renewed with what anybody may.
    `limits` are rate limits by name, in force if `limited`. `checks` are what `/health` asks; `gauges` give metrics
    that are read from the database when Prometheus asks.
    """

    database: Database
    vault: Vault
    limiter: RateLimiter
    limited: bool
    limits: Mapping[str, tuple[RateLimitItem, ...]]
    authenticate: Callable[[Request], Principal]
    rights: Stamp

    public_url: str
    is_development: bool
    access_token_seconds: int
    refresh_token_seconds: int
    registration_open: bool
    oauth_providers: str
    log_store: str
    artifact_store: str
    flower_url: str
    stream_socket: Path
    allow_file_repositories: bool
    allow_private_addresses: bool
    allow_private_clusters: bool
    allow_loopback_clusters: bool
    allow_unverified_clusters: bool
    allow_local_clusters: bool
    vcluster_address: str
    container_engine: str
    container_image: str
    runner_lease_seconds: float
    runner_bytes: int
    attachment_bytes: int
    attachment_client_bytes: int
    attachment_user_bytes: int
    max_body_bytes: int
    web_threads: int
    trusted_proxies: int
    webhook_ports: str = ""
    metrics_token: str = ""
    mail_folder: Path | None = None
    metric_body_bytes: int = 0
    metric_series: int = 0
    plan_places: Mapping[str, int] = field(default_factory=dict)

    cors_origins: frozenset[str] = frozenset()
    changelog: Path = Path("CHANGELOG.md")
    checks: list[Check] = field(default_factory=list)
    gauges: list[Callable[[Session], Iterable[Metric]]] = field(default_factory=list)


def platform() -> Platform:
    """Return the platform of the current application."""
    found: Platform = current_app.extensions[KEY]
    return found


def transaction() -> AbstractContextManager[Session]:
    """Open a transaction on the platform's database."""
    return platform().database.transaction()
